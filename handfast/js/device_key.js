// The key that encrypts stored secrets. The browser keeps the key and exports it to nobody, so a copy of the
// database alone is of no use. A copy of the whole profile includes the key; the ratchet of the reconnect
// detects such a copy.

import { CompanionError } from "./errors.js";
import { done, told } from "./request.js";

/** The store that contains the key, and the key's name in that store. */
export const KEY_STORE = "device";
const NAME = "key";

const encoder = new TextEncoder();

export class DeviceKey {
  #key;

  constructor(key) {
    this.#key = key;
  }

  /** Returns the key of a database. Creates it if there is none. */
  static async of(db) {
    const stored = await done(db.transaction(KEY_STORE).objectStore(KEY_STORE).get(NAME));
    if (stored) return new DeviceKey(stored);
    const made = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
    const txn = db.transaction(KEY_STORE, "readwrite", { durability: "strict" });
    const durable = new Promise((resolve, reject) => {
      txn.oncomplete = resolve;
      txn.onabort = () => reject(told(txn.error));
    });
    txn.objectStore(KEY_STORE).put(made, NAME);
    await durable;
    return new DeviceKey(made);
  }

  /** Encrypts a value for storage. The result can be decrypted only under the same `link` and `key`. */
  async wrap(link, key, value) {
    const nonce = crypto.getRandomValues(new Uint8Array(12));
    const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce, additionalData: place(link, key) }, this.#key, value);
    return { nonce, sealed: new Uint8Array(sealed) };
  }

  /** Decrypts a value that `wrap` encrypted. */
  async unwrap(link, key, { nonce, sealed }) {
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: nonce, additionalData: place(link, key) }, this.#key, sealed)
      .catch(() => { throw new CompanionError("STORE_DAMAGED", "the keys in the database cannot be opened: they were damaged, or come from another browser"); });
    return new Uint8Array(plain);
  }
}

/** The additional authenticated data. `link` has a fixed length, so no separator from `key` is needed. */
const place = (link, key) => new Uint8Array([...encoder.encode(link), ...new Uint8Array(key)]);
