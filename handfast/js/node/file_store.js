// A store in one file, for Node. The file is a journal: each transaction is one record, which is on disk before it counts. When a secret is
// replaced or deleted, the file is written again without it and takes the place of the old one, so that no old key stays in it.
//
// A record is its length (4 bytes, big-endian) with 4 bytes of the length's SHA-256, 8 bytes of the SHA-256 of what follows, and a list of
// changes as `v8.serialize` writes it.

import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { link, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { deserialize, serialize } from "node:v8";
import { CompanionError, Conflict, Full } from "../errors.js";
import { tableStore } from "../table_store.js";

const MAGIC = Buffer.from("handfast store 1\n");
const HEAD = 16;
/** A journal of this length, in bytes, is written again when it is this many times as long as it was after the last time. */
const COMPACT_FROM = 1 << 20;
const COMPACT_TIMES = 4;

/**
 * Returns a store in the file `path`, which is made if it is missing, for this user alone. With `key`, 32 bytes from a place that is not
 * beside the file, secrets are encrypted; without it whoever can read the file can take the link.
 */
export const fileStore = (path, { key } = {}) => tableStore(new FileBackend(path, key));

class FileBackend {
  #path;
  #key;
  #file = null;
  /** The length of the file up to which it is good, and of what it was when it was last written again. */
  #length = 0;
  #compact = 0;
  /** Whether a write failed, so that bytes may stand behind `#length`. */
  #isTorn = false;
  /** Whether a new file has taken the place of the old one, and may not be there after a loss of power. */
  #isUnsure = false;

  constructor(path, key) {
    if (key && key.length !== 32) throw new CompanionError("BAD_ARGUMENT", "the key of a store has 32 bytes");
    this.#path = path;
    this.#key = key;
  }

  async load() {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    this.#file = await open(this.#path, "a+", 0o600).catch(asStoreError);
    const bytes = await this.#file.readFile();
    const entries = new Map();
    const end = readAll(bytes, (change) => {
      const name = JSON.stringify([change.table, change.key]);
      if ("value" in change) entries.set(name, { ...change, value: this.#opened(change) });
      else entries.delete(name);
    });
    this.#length = end;
    this.#compact = end;
    this.#isTorn = end < bytes.length;
    if (end === 0) await this.#begin().catch(asStoreError);
    // A program that was ended while it replaced the file may have left these.
    for (const left of [`${this.#path}.new`, this.#oldPath]) await rm(left, { force: true });
    return entries.values();
  }

  /** Begins an empty file, or one of which not even the beginning was written. */
  async #begin() {
    await this.#file.truncate(0);
    await this.#file.appendFile(MAGIC);
    await this.#file.datasync();
    await syncFolder(dirname(this.#path));
    this.#length = this.#compact = MAGIC.length;
    this.#isTorn = false;
  }

  async save(changes, all) {
    await this.#checkUnchanged();
    if (changes.length === 0) return;
    const grown = this.#length > Math.max(COMPACT_FROM, COMPACT_TIMES * this.#compact);
    if (grown || changes.some(({ wasSecret }) => wasSecret)) await this.#rewrite([...all()]).catch(asStoreError);
    else await this.#append(changes).catch(asStoreError);
  }

  async close() {
    await this.#file?.close();
    this.#file = null;
  }

  /** Another process, or another store of this one, has its own view of the file: what it wrote must not be lost. */
  async #checkUnchanged() {
    if (this.#isUnsure) throw new CompanionError("STORE_LOST", "the disk did not keep the store; open it again");
    const [own, there] = await Promise.all([this.#file.stat(), stat(this.#path)]).catch(asStoreError);
    if (own.ino !== there.ino || (!this.#isTorn && own.size !== this.#length)) throw new Conflict("the store was changed by something else");
  }

  async #append(changes) {
    if (this.#isTorn) await this.#file.truncate(this.#length);
    this.#isTorn = true;
    const bytes = this.#record(changes);
    await this.#file.appendFile(bytes);
    await this.#file.datasync();
    this.#length += bytes.length;
    this.#isTorn = false;
  }

  /** Writes a file beside this one, and lets it take the place of this one, which comes back if that does not last. */
  async #rewrite(entries) {
    const bytes = Buffer.concat([MAGIC, this.#record(entries)]);
    const [beside, old] = [`${this.#path}.new`, this.#oldPath];
    await rm(beside, { force: true });
    const file = await open(beside, "ax+", 0o600);
    try {
      await file.appendFile(bytes);
      await file.datasync();
      await rm(old, { force: true });
      await link(this.#path, old);
      await this.#replace(beside, old);
    } catch (error) {
      await file.close();
      await rm(beside, { force: true });
      throw error;
    }
    await this.#file.close();
    this.#file = file;
    this.#length = this.#compact = bytes.length;
    this.#isTorn = false;
    await rm(old, { force: true });
  }

  async #replace(beside, old) {
    await rename(beside, this.#path);
    this.#isUnsure = true;
    try {
      await syncFolder(dirname(this.#path));
    } catch (error) {
      await rename(old, this.#path);
      this.#isUnsure = false;
      throw error;
    }
    this.#isUnsure = false;
  }

  /** The name that the old file has until the new one lasts. */
  get #oldPath() {
    return `${this.#path}.old`;
  }

  #record(changes) {
    const payload = serialize(changes.map((change) => {
      const { table, key, value, secret } = change;
      return { table, key, ...value !== undefined && { value: this.#sealed(change) }, ...secret && { secret } };
    }));
    const head = Buffer.alloc(HEAD);
    head.writeUInt32BE(payload.length);
    checksum(head.subarray(0, 4), 4).copy(head, 4);
    checksum(payload, 8).copy(head, 8);
    return Buffer.concat([head, payload]);
  }

  #sealed({ table, key, value, secret }) {
    if (!secret || !this.#key) return value;
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce).setAAD(Buffer.from(`${table} ${key}`));
    return { nonce, sealed: Buffer.concat([cipher.update(value), cipher.final(), cipher.getAuthTag()]) };
  }

  #opened({ table, key, value, secret }) {
    const isSealed = secret && value.sealed;
    if (!isSealed) return value;
    if (!this.#key) throw new CompanionError("STORE_DAMAGED", "the secrets in the store are encrypted: open it with its key");
    const decipher = createDecipheriv("aes-256-gcm", this.#key, value.nonce).setAAD(Buffer.from(`${table} ${key}`));
    const end = value.sealed.length - 16;
    try {
      return new Uint8Array(Buffer.concat([decipher.setAuthTag(value.sealed.subarray(end)).update(value.sealed.subarray(0, end)), decipher.final()]));
    } catch {
      throw new CompanionError("STORE_DAMAGED", "the secrets in the store cannot be opened: the key is another, or they were damaged");
    }
  }
}

const checksum = (bytes, length) => createHash("sha256").update(bytes).digest().subarray(0, length);

/** Calls `each` with every change of a journal, and returns where the last whole record ends. */
function readAll(bytes, each) {
  if (bytes.length < MAGIC.length && MAGIC.subarray(0, bytes.length).equals(bytes)) return 0;
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw new CompanionError("STORE_DAMAGED", "the file is not a store, or of a later version");
  let at = MAGIC.length;
  while (at < bytes.length) {
    const rest = bytes.subarray(at);
    const end = HEAD + (rest.length < HEAD ? 0 : rest.readUInt32BE());
    const isHead = rest.length >= HEAD && checksum(rest.subarray(0, 4), 4).equals(rest.subarray(4, 8));
    const payload = rest.subarray(HEAD, end);
    if (!isHead || end > rest.length || !checksum(payload, 8).equals(rest.subarray(8, HEAD))) {
      // The last record may be torn, and then was never reported as durable. Damage before it cannot come from that.
      const isTorn = rest.length < HEAD || (isHead && end >= rest.length) || rest.every((byte) => byte === 0);
      if (isTorn) return at;
      throw new CompanionError("STORE_DAMAGED", "the store is damaged; restore it, or delete it and link again");
    }
    for (const change of deserialize(payload)) each(change);
    at += end;
  }
  return at;
}

async function syncFolder(path) {
  // Windows has no handle for a folder, and needs none.
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function asStoreError(error) {
  if (error instanceof CompanionError) throw error;
  if (error.code === "ENOSPC" || error.code === "EDQUOT") throw new Full("the disk has no room left to keep anything", { cause: error });
  throw new CompanionError("STORE", `the store failed: ${error.message}`, { cause: error });
}
