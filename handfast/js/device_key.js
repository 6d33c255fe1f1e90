// The key that wraps stored secrets. The browser keeps it, and gives it to nobody: what is in the database alone opens no link. A copy
// of the whole profile has the key too; that such a copy is noticed is the ratchet's affair.

import { done } from "./request.js";

/** The store of the key, and its name there. */
export const KEY_STORE = "device";
const NAME = "key";

const encoder = new TextEncoder();

export class DeviceKey {
  #key;

  constructor(key) {
    this.#key = key;
  }

  /** The key of a database, made when there is none. */
  static async of(db) {
    const stored = await done(db.transaction(KEY_STORE).objectStore(KEY_STORE).get(NAME));
    if (stored) return new DeviceKey(stored);
    const made = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
    const txn = db.transaction(KEY_STORE, "readwrite", { durability: "strict" });
    const durable = new Promise((resolve, reject) => {
      txn.oncomplete = resolve;
      txn.onabort = () => reject(txn.error);
    });
    txn.objectStore(KEY_STORE).put(made, NAME);
    await durable;
    return new DeviceKey(made);
  }

  /** A value as it is stored. `link` and `key` say where: it opens nowhere else. */
  async wrap(link, key, value) {
    const nonce = crypto.getRandomValues(new Uint8Array(12));
    const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce, additionalData: place(link, key) }, this.#key, value);
    return { nonce, sealed: new Uint8Array(sealed) };
  }

  /** The value of what is stored. */
  async unwrap(link, key, { nonce, sealed }) {
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: nonce, additionalData: place(link, key) }, this.#key, sealed)
      .catch(() => { throw new Error("the keys in the database cannot be opened: they were damaged, or come from another browser"); });
    return new Uint8Array(plain);
  }
}

/** The link is of one length, so the two cannot run into each other. */
const place = (link, key) => new Uint8Array([...encoder.encode(link), ...new Uint8Array(key)]);
