// Unsent text of each chat, and the message that it answers or edits, stored so that a reload keeps them.

import { done } from "./pkg/request.js";

export class Drafts {
  #companion;
  #emit;
  /** The drafts that are not stored yet, by chat. */
  #open = new Map();
  #keeping = false;

  constructor(companion, emit) {
    this.#companion = companion;
    this.#emit = emit;
  }

  async tell() {
    const stored = await done(this.#companion.database.read("drafts").objectStore("drafts").getAll());
    for (const { chat, text, reply, edit } of stored) {
      if (this.#open.has(chat)) continue;
      this.#emit({ event: "draft", chat, text });
      if (reply) this.#emit({ event: "reply_to", chat, message: reply });
      if (edit) this.#emit({ event: "edit", ...edit });
    }
  }

  /**
   * Stores what the user has written: the `text`, the message that it is a `reply` to, and an `edit` in
   * progress (its `message` and `text`).
   */
  async keep(chat, { text, reply, edit }) {
    this.#open.set(chat, { chat, text, ...reply && { reply: brief(reply) }, ...edit && { edit: { message: brief(edit.message), text: edit.text } } });
    if (this.#keeping) return;
    this.#keeping = true;
    try {
      while (this.#open.size > 0) await this.#write();
    } catch {
      // The database has no space, or there is no link; the next key pressed tries again.
    } finally {
      this.#keeping = false;
    }
  }

  /**
   * Forgets a draft that is sent, and returns the function that deletes it in the transaction of the command.
   */
  sent(chat) {
    this.#open.delete(chat);
    return (txn) => txn.objectStore("drafts").delete(chat);
  }

  /** Removes a deleted message from the draft that answers or edits it; the draft's text stays. */
  removed({ chat, id }, txn) {
    const drafts = txn.objectStore("drafts");
    drafts.get(chat).onsuccess = ({ target: { result: row } }) => {
      if (row?.reply?.id !== id && row?.edit?.message.id !== id) return;
      const { text } = row;
      text ? drafts.put({ chat, text }) : drafts.delete(chat);
    };
  }

  async #write() {
    const drafts = this.#open;
    this.#open = new Map();
    try {
      await this.#companion.change((txn) => {
        for (const [chat, row] of drafts) row.text || row.reply || row.edit ? txn.objectStore("drafts").put(row) : txn.objectStore("drafts").delete(chat);
      });
    } catch (error) {
      this.#open = new Map([...drafts, ...this.#open]);
      throw error;
    }
  }
}

/** The part of a message that is shown above the input field, and that identifies it. */
const brief = ({ chat, id, client_id, author, text, media, time_ms }) => ({ chat, id, client_id, author, text, ...media && { media: { name: media.name } }, time_ms });
