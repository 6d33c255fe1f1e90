// Texts that are written and not sent: kept for when the page is loaded anew.

import { done } from "./pkg/database.js";

export class Drafts {
  #companion;
  #emit;
  /** Those that are not kept yet, by chat. */
  #open = new Map();
  #keeping = false;

  constructor(companion, emit) {
    this.#companion = companion;
    this.#emit = emit;
  }

  async tell() {
    const stored = await done(this.#companion.database.read("drafts").objectStore("drafts").getAll());
    for (const { chat, text } of stored) if (!this.#open.has(chat)) this.#emit({ event: "draft", chat, text });
  }

  async keep(chat, text) {
    this.#open.set(chat, text);
    if (this.#keeping) return;
    this.#keeping = true;
    try {
      while (this.#open.size > 0) await this.#write();
    } catch {
      // There is no room now, or no link: it is tried again with the next key.
    } finally {
      this.#keeping = false;
    }
  }

  /** It is sent: the effect of its transaction. */
  sent(chat) {
    this.#open.delete(chat);
    return (txn) => txn.objectStore("drafts").delete(chat);
  }

  async #write() {
    const drafts = this.#open;
    this.#open = new Map();
    try {
      await this.#companion.change((txn) => {
        for (const [chat, text] of drafts) text ? txn.objectStore("drafts").put({ chat, text }) : txn.objectStore("drafts").delete(chat);
      });
    } catch (error) {
      this.#open = new Map([...drafts, ...this.#open]);
      throw error;
    }
  }
}
