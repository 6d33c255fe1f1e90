// Texts that were written while the phone was not connected. They are held back: stored here, and sent once
// the phone is connected. Until then they can be edited or cancelled. A text that was sent may already be on
// the phone.

import { HandOver } from "./hand_over.js";
import { actTime, drawKey } from "./keys.js";
import { sendText } from "./pkg/chat.js";
import { done } from "./pkg/request.js";

/** The stores that this module needs, in the format of `database.js`. */
export const OUTGOING_STORES = { outgoing: { keyPath: "client" } };

export class Outgoing {
  #companion;
  #emit;
  /** The texts that are held back, by `client_id`, in the order of writing. */
  #all = new Map();
  #handOver;

  constructor(companion, emit) {
    this.#companion = companion;
    this.#emit = emit;
    this.#handOver = new HandOver(() => [...this.#all.values()][0], (row) => this.#give(row));
  }

  /** Loads the texts that were stored and not sent when the page was last closed. */
  async load() {
    const rows = await done(this.#companion.store.read("outgoing").objectStore("outgoing").getAll());
    this.#all = new Map(rows.sort(byTime).map((row) => [row.client, row]));
    this.#handOver.run();
  }

  /** Returns the texts of one chat, or of all chats, that are held back, as waiting messages. */
  unsent(chat) {
    return [...this.#all.values()].filter((row) => chat === undefined || row.chat === chat).map(heldMessage);
  }

  onState(state) {
    this.#handOver.onState(state);
  }

  /** Whether a new text must be held back: the phone is not connected, or earlier texts are held back. */
  get isNeeded() {
    return !this.#handOver.isLive || this.#all.size > 0;
  }

  // Memory is changed before the database, so that a text sent during the write is already as the user last
  // left it.

  /** Stores a text instead of sending it. `effect` becomes part of the transaction. */
  async hold(chat, text, replyTo, effect) {
    const time = Math.max(actTime(), ([...this.#all.values()].at(-1)?.time_ms ?? 0) + 1);
    const row = { client: `h-${crypto.randomUUID()}`, key: drawKey(), chat, text, reply_to: replyTo, time_ms: time };
    this.#all.set(row.client, row);
    try {
      await this.#companion.change((txn) => {
        txn.objectStore("outgoing").put(row);
        effect?.(txn);
      });
    } catch (error) {
      this.#all.delete(row.client);
      throw error;
    }
    this.#tell(row);
    this.#handOver.run();
  }

  /**
   * Changes a text that is held back. It gets a new key: if a restored copy of the profile has already sent
   * the old text, the phone would take the new text for the same command.
   */
  async edit({ client_id: client }, text) {
    const was = this.#own(client);
    const row = { ...was, text, key: drawKey() };
    this.#all.set(client, row);
    try {
      await this.#companion.change((txn) => txn.objectStore("outgoing").put(row));
    } catch (error) {
      if (this.#all.get(client) === row) this.#all.set(client, was);
      throw error;
    }
    this.#tell(row);
  }

  /**
   * A message arrived that a command made. Removes the text with the same key that is held back: it was sent
   * before the profile was restored from a copy.
   */
  made(key, txn) {
    for (const row of this.#all.values()) {
      if (row.key !== key || this.#handOver.leaving?.client === row.client) continue;
      txn.objectStore("outgoing").delete(row.client);
      txn.addEventListener("complete", () => {
        this.#all.delete(row.client);
        this.#emit({ event: "message_removed", chat: row.chat, client_id: row.client });
      });
    }
  }

  /** Cancels a text that is stored here and was not sent yet. */
  async withdraw({ chat, client_id: client }) {
    const was = this.#own(client);
    this.#all.delete(client);
    try {
      await this.#companion.change((txn) => txn.objectStore("outgoing").delete(client));
    } catch (error) {
      this.#all = new Map([...this.#all.values(), was].sort(byTime).map((row) => [row.client, row]));
      throw error;
    }
    this.#emit({ event: "message_removed", chat, client_id: client });
  }

  /** Shows a text that is held back, unless it was sent or changed since. */
  #tell(row) {
    if (this.#all.get(row.client) === row) this.#emit({ event: "message", message: heldMessage(row) });
  }

  #own(client) {
    const row = this.#all.get(client);
    if (!row || this.#handOver.leaving?.client === client) throw new Error("the text is on its way to your phone already");
    return row;
  }

  /** Sends a text that was held back. It stops being held back in the transaction that stores its command. */
  async #give(row) {
    const { client, key, chat, text, reply_to: replyTo, time_ms: time } = row;
    const effect = (txn) => {
      const command = textCommand(key, chat, text, replyTo, time);
      txn.objectStore("commands").put(command);
      txn.objectStore("outgoing").delete(client);
      // The waiting message is shown at once. If it came after the phone's row, it would replace that.
      txn.addEventListener("complete", () => this.#emit({ event: "message", message: { ...waiting(command), replaces: client } }));
    };
    await this.#companion.send(sendText(chat, text, replyTo), { key, effect });
    // Not deleted in the listener for "complete", because that may run after the promise resolves. The next
    // step would then send the same text again.
    this.#all.delete(client);
  }
}

/** Returns the row of a command that sends a text. */
export const textCommand = (key, chat, text, replyTo, time) =>
  ({ key, kind: "text", chat, text, reply_to: replyTo, time_ms: time, state: "waiting" });

/** Returns the waiting message that is shown for a command until the phone's row arrives. */
export const waiting = ({ key, chat, text, media, time_ms, state, error, reply_to }) =>
  ({ chat, id: null, author: "", text, media, time_ms, state, error, reply_to, client_id: `c${key}` });

const heldMessage = ({ client, chat, text, time_ms, reply_to }) => ({ chat, id: null, author: "", text, time_ms, state: "waiting", held: true, reply_to, client_id: client });

export const byTime = (a, b) => a.time_ms - b.time_ms;
