// The unsent text of each chat, with the message that it answers or edits. It is stored so that a reload
// keeps it.

import { done } from "./pkg/request.js";

export class Drafts {
  #companion;
  #emit;
  /** By chat, the drafts that were changed and are not stored yet. */
  #open = new Map();
  #keeping = false;

  constructor(companion, emit) {
    this.#companion = companion;
    this.#emit = emit;
  }

  async tell() {
    const stored = await done(this.#companion.store.read("drafts").objectStore("drafts").getAll());
    for (const { chat, text, reply, edit } of stored) {
      if (this.#open.has(chat)) continue;
      this.#emit({ event: "draft", chat, text });
      if (reply) this.#emit({ event: "reply_to", chat, message: reply });
      if (edit) this.#emit({ event: "edit", ...edit });
    }
  }

  /**
   * Stores what the user has written in a chat: the `text`, the message to which it is a `reply`, and the
   * `edit` in progress (its `message` and `text`).
   */
  async keep(chat, { text, reply, edit }) {
    this.#open.set(chat, { chat, text, ...reply && { reply: brief(reply) }, ...edit && { edit: { message: brief(edit.message), text: edit.text } } });
    if (this.#keeping) return;
    this.#keeping = true;
    try {
      while (this.#open.size > 0) await this.#write();
    } catch {
      // The database has no space, or there is no link. The draft is stored when the next key is pressed.
    } finally {
      this.#keeping = false;
    }
  }

  /**
   * Forgets a draft that is being sent. Returns the function that deletes the draft in the transaction of its
   * command.
   */
  sent(chat) {
    this.#open.delete(chat);
    return (txn) => txn.objectStore("drafts").delete(chat);
  }

  /** Removes a deleted message from the draft that answers or edits it. The draft's text stays. */
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

/** Returns what a draft keeps of a message: what identifies it, and what is shown above the input field. */
const brief = ({ chat, id, client_id, author, text, media, time_ms }) => ({ chat, id, client_id, author, text, ...media && { media: { name: media.name } }, time_ms });
