// The page's files, by the worker that may write them. Everything is done in the order in which it was asked for.

import { workerUrl } from "./workers.js";

export class Disk {
  #worker = new Worker(workerUrl("disk_worker.js"));
  #asked = new Map();
  #next = 0;

  constructor() {
    this.#worker.onmessage = ({ data: { id, value, error } }) => {
      const { resolve, reject } = this.#asked.get(id);
      this.#asked.delete(id);
      if (error) reject(new Error(error));
      else resolve(value);
    };
    this.#worker.onerror = () => this.#fail("the worker that writes files has stopped");
  }

  /** Writes bytes, which are gone here afterwards. */
  write(name, at, bytes) {
    return this.#ask("write", { name, at, bytes }, [bytes.buffer]);
  }

  flush(name) {
    return this.#ask("flush", { name });
  }

  /** At most `length` bytes from an offset. */
  read(name, at, length) {
    return this.#ask("read", { name, at, length });
  }

  size(name) {
    return this.#ask("size", { name });
  }

  rename(name, to) {
    return this.#ask("rename", { name, to });
  }

  remove(name) {
    return this.#ask("remove", { name });
  }

  keep(names) {
    return this.#ask("keep", { names });
  }

  /** Gives the files up, for another tab. */
  close() {
    return this.#ask("close", {});
  }

  #ask(verb, request, transfer = []) {
    return new Promise((resolve, reject) => {
      this.#next += 1;
      this.#asked.set(this.#next, { resolve, reject });
      this.#worker.postMessage({ id: this.#next, verb, ...request }, transfer);
    });
  }

  #fail(reason) {
    for (const { reject } of this.#asked.values()) reject(new Error(reason));
    this.#asked.clear();
  }
}
