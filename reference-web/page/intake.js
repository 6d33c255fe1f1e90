// Files that the user chose, pasted or dropped. Each is copied to the page's own files and hashed before it
// is sent, one after the other.

import { ContentHasher, mediaType } from "./pkg/index.js";
import { drawKey } from "./keys.js";
import { kindOf, shownName } from "./media_types.js";
import { measure } from "./picture_size.js";

/** The largest file, in bytes (spec, limits: MEDIA_LEN_MAX). */
const MEDIA_LEN_MAX = 2 ** 31;
/** The longest file name, in bytes of UTF-8 (spec, messages: MSG-034). */
const NAME_MAX = 128;
/** The number of bytes that are read at once. */
const BLOCK = 256 * 1024;
/** The time between two progress events, in milliseconds. */
const TOLD_EVERY = 200;

export class Intake {
  #companion;
  #disk;
  #transfers;
  #emit;
  #last = Promise.resolve();
  /** The names of the files that this page is reading or is going to read. */
  #all = new Set();
  /**
   * The time of the last chosen file. Each file gets a later time than the one before; uploads are sorted by
   * it.
   */
  #time = 0;

  constructor(companion, disk, transfers, emit) {
    this.#companion = companion;
    this.#disk = disk;
    this.#transfers = transfers;
    this.#emit = emit;
  }

  has(client) {
    return this.#all.has(client);
  }

  /** Reads files one after the other. Returns for each file a promise of null, or of the error. */
  async take(chat, files) {
    const tooLarge = files.find((file) => file.size > MEDIA_LEN_MAX);
    if (tooLarge) throw new Error(`${shownName(tooLarge.name)} is larger than 2 GiB`);
    const rows = files.map((file) => this.#row(chat, file));
    // The state "reading" is stored first, so that after a reload the page can report the interrupted files.
    await this.#companion.change((txn) => { for (const row of rows) txn.objectStore("transfers").put(row); });
    for (const [index, row] of rows.entries()) {
      this.#all.add(row.client);
      await this.#announce(row, files[index]);
    }
    return rows.map((row, index) => (this.#last = this.#last.then(() => this.#read(row, files[index]))));
  }

  #row(chat, file) {
    this.#time = Math.max(Date.now(), this.#time + 1);
    const client = `f-${crypto.randomUUID()}`;
    // The key is stored with the file: if the browser's profile is restored from a copy, the file is still
    // sent only once.
    return { client, key: drawKey(), direction: "put", chat, media: { content: client, type: "", name: cut(file.name), size: file.size }, time_ms: this.#time, stream: null, offset: 0, state: "reading" };
  }

  /** Shows a file as waiting, with the type and picture size that its first bytes tell. */
  async #announce(row, file) {
    const slice = async (at, length) => new Uint8Array(await file.slice(at, at + length).arrayBuffer());
    row.media.type = mediaType(await slice(0, 64).catch(() => new Uint8Array()));
    this.#transfers.begin(row, kindOf(row.media.type) === "image" ? await measure(slice).catch(() => null) : null);
  }

  async #read(row, file) {
    try {
      const { content, list } = await this.#copy(row, file);
      await this.#disk.rename(row.client, content);
      await this.#transfers.queue(row.client, content, list);
      return null;
    } catch (error) {
      await this.#transfers.giveUp(row, error);
      return error;
    } finally {
      this.#all.delete(row.client);
    }
  }

  async #copy({ client }, file) {
    // This pass over the file is one more than that of its stream, because the content's id must be known first.
    const hasher = new ContentHasher();
    let told = 0;
    // One buffer serves for all reads and writes. With a new buffer for each, the browser would keep them all
    // until its next garbage collection.
    const reader = file.stream().getReader({ mode: "byob" });
    let buffer = new ArrayBuffer(BLOCK);
    for (let at = 0; at < file.size;) {
      const { value, done: isOver } = await reader.read(new Uint8Array(buffer));
      if (isOver) throw new Error(`${shownName(file.name)} became shorter while it was read`);
      const { length } = value;
      hasher.update(value);
      buffer = await this.#disk.writeFrom(client, at, value.buffer, length);
      at += length;
      if (performance.now() - told > TOLD_EVERY) {
        told = performance.now();
        this.#emit({ event: "transfer", content: client, direction: "put", offset: at, size: file.size, state: "reading" });
      }
    }
    await this.#disk.flush(client);
    return hasher.finish();
  }
}

/** Shortens a file name to at most `NAME_MAX` bytes, and keeps the name's extension. */
function cut(name) {
  const length = (text) => new TextEncoder().encode(text).length;
  if (length(name) <= NAME_MAX) return name;
  const at = name.lastIndexOf(".");
  const extension = at > 0 && length(name.slice(at)) <= 16 ? name.slice(at) : "";
  let stem = [...name.slice(0, name.length - extension.length)];
  while (length(stem.join("")) + length(extension) > NAME_MAX) stem = stem.slice(0, -1);
  return stem.join("") + extension;
}
