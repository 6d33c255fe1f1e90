// Texts that are written while the phone is not there. They are kept here, and handed to the machines once it is: until then nothing of
// them has left, so that they can be changed, or not be sent at all. What the machines have may be on the phone already.

import { HandOver } from "./hand_over.js";
import { actTime, drawKey } from "./keys.js";
import { sendText } from "./pkg/companion.js";
import { done } from "./pkg/request.js";

/** The store that this needs, as `database.js` takes it. */
export const OUTGOING_STORES = { outgoing: { keyPath: "client" } };

export class Outgoing {
  #companion;
  #emit;
  /** Those that are kept, in their order, by name. */
  #all = new Map();
  #handOver;

  constructor(companion, emit) {
    this.#companion = companion;
    this.#emit = emit;
    this.#handOver = new HandOver(() => [...this.#all.values()][0], (row) => this.#give(row));
  }

  /** Those that waited when the page was loaded. */
  async load() {
    const rows = await done(this.#companion.database.read("outgoing").objectStore("outgoing").getAll());
    this.#all = new Map(rows.sort(byTime).map((row) => [row.client, row]));
    this.#handOver.run();
  }

  /** As messages that wait: those of one chat, or all. */
  unsent(chat) {
    return [...this.#all.values()].filter((row) => chat === undefined || row.chat === chat).map(heldMessage);
  }

  onState(state) {
    this.#handOver.onState(state);
  }

  /** Whether a text has to wait: for the phone, or for others that do. */
  get isNeeded() {
    return !this.#handOver.isLive || this.#all.size > 0;
  }

  // Each is changed here at once, and then in the database: what is handed over meanwhile is what the user wants now.

  /** Keeps a text. `effect` is part of its transaction. */
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

  /** The user wants another text of it. That is another act: what was put back with the old text must not pass for it. */
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

  /** A message came that a command of this key made: a copy of this page sent it, before this one was put back. */
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

  /** The user does not want it sent. */
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

  /** Shows one that waits, unless it was handed over meanwhile. */
  #tell(row) {
    if (this.#all.get(row.client) === row) this.#emit({ event: "message", message: heldMessage(row) });
  }

  #own(client) {
    const row = this.#all.get(client);
    if (!row || this.#handOver.leaving?.client === client) throw new Error("the text is on its way to your phone already");
    return row;
  }

  /** In one transaction with its command. */
  async #give(row) {
    const { client, key, chat, text, reply_to: replyTo, time_ms: time } = row;
    await this.#companion.send(key, sendText(chat, text, replyTo), (txn) => {
      const command = textCommand(key, chat, text, replyTo, time);
      txn.objectStore("commands").put(command);
      txn.objectStore("outgoing").delete(client);
      // Shown before the phone can have made a row of it, which would else be taken back.
      txn.addEventListener("complete", () => this.#emit({ event: "message", message: { ...waiting(command), replaces: client } }));
    });
    // Not by that listener: who waits for the transaction may go on before it is called, and would hand over the same text again.
    this.#all.delete(client);
  }
}

/** The row of a command that sends a text. */
export const textCommand = (key, chat, text, replyTo, time) =>
  ({ key, kind: "text", chat, text, reply_to: replyTo, time_ms: time, state: "waiting" });

/** A command that sends a message, as that is shown until the phone has made one of it. */
export const waiting = ({ key, chat, text, media, time_ms, state, error, reply_to }) =>
  ({ chat, id: null, author: "", text, media, time_ms, state, error, reply_to, client_id: `c${key}` });

const heldMessage = ({ client, chat, text, time_ms, reply_to }) => ({ chat, id: null, author: "", text, time_ms, state: "waiting", held: true, reply_to, client_id: client });

export const byTime = (a, b) => a.time_ms - b.time_ms;
