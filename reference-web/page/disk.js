// The page's files. A worker writes them, because only workers may write in place; requests are executed in
// order.
//
// Bytes are passed to the worker and back in buffers that are reused. A browser frees a transferred buffer
// only at its next garbage collection, which transferred bytes do not trigger, so that a large file would
// fill the memory.

import { workerUrl } from "./workers.js";

/** The most buffers that are kept for reuse, and the size of the largest of them, in bytes. */
const SPARE_MAX = 32;
const SPARE_LEN_MAX = 256 * 1024;

/** The error that the browser gives this page no more disk space. */
export class DiskFull extends Error {
  constructor() {
    super("this browser has no room left for the file");
  }
}

export class Disk {
  #worker = new Worker(workerUrl("disk_worker.js"));
  #asked = new Map();
  #next = 0;
  #spare = [];

  constructor() {
    this.#worker.onmessage = ({ data: { id, value, error, buffer } }) => {
      const { resolve, reject } = this.#asked.get(id);
      this.#asked.delete(id);
      if (error) reject(error.isFull ? new DiskFull() : new Error(error.text));
      else resolve({ value, buffer });
    };
    this.#worker.onerror = () => this.#fail("the worker that writes files has stopped");
  }

  /** Writes the first `length` bytes of a buffer, and returns the buffer for reuse. */
  async writeFrom(name, at, buffer, length) {
    return (await this.#ask("write", { name, at, length }, buffer)).buffer;
  }

  flush(name) {
    return this.#ask("flush", { name });
  }

  /** Reads at most `length` bytes from an offset. */
  read(name, at, length) {
    return this.readWith(name, at, length, (bytes) => bytes.slice());
  }

  /**
   * Reads at most `length` bytes from an offset, and returns the result of `use(bytes)`. The bytes are valid
   * only during that call.
   */
  async readWith(name, at, length, use) {
    const { value, buffer } = await this.#ask("read", { name, at, length }, this.#take(length));
    try {
      return use(new Uint8Array(buffer, 0, value));
    } finally {
      this.#keep(buffer);
    }
  }

  rename(name, to) {
    return this.#ask("rename", { name, to });
  }

  remove(name) {
    return this.#ask("remove", { name });
  }

  /** Removes every file but these. Returns the size of each of these that exists, by its name. */
  async keep(names) {
    return new Map((await this.#ask("keep", { names })).value);
  }

  /** Closes all files, so that another tab can open them. */
  close() {
    return this.#ask("close", {});
  }

  #take(length) {
    const at = this.#spare.findIndex((buffer) => buffer.byteLength >= length);
    return at < 0 ? new ArrayBuffer(length) : this.#spare.splice(at, 1)[0];
  }

  #keep(buffer) {
    if (buffer.byteLength <= SPARE_LEN_MAX) this.#spare.push(buffer);
    if (this.#spare.length > SPARE_MAX) this.#spare.shift();
  }

  #ask(verb, request, buffer) {
    return new Promise((resolve, reject) => {
      this.#next += 1;
      this.#asked.set(this.#next, { resolve, reject });
      this.#worker.postMessage({ id: this.#next, verb, ...request, buffer }, buffer ? [buffer] : []);
    });
  }

  #fail(reason) {
    for (const { reject } of this.#asked.values()) reject(new Error(reason));
    this.#asked.clear();
  }
}
