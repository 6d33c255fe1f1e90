// Edits, deletions and reactions under way: commands that wait in the database, and what the page shows of them meanwhile.

import { actTime, drawKey } from "./keys.js";
import { applied, CHANGES, isOf, isSettled, ownReaction } from "./overlay.js";
import { deleteMessage, editText, react } from "./pkg/companion.js";
import { done } from "./pkg/database.js";

const BODIES = {
  edit: ({ chat, id }, { text }) => editText(chat, id, text),
  delete: ({ chat, id }) => deleteMessage(chat, id),
  react: ({ chat, id }, { reaction }) => react(chat, id, reaction),
};

export class Changes {
  #companion;
  #emit;
  /** Those that are stored, by command, in their order. */
  #all = new Map();

  constructor(companion, emit) {
    this.#companion = companion;
    this.#emit = emit;
  }

  /** What waited when the page was loaded. */
  async load() {
    const rows = await done(this.#companion.database.read("commands").objectStore("commands").getAll());
    const changes = rows.filter(({ kind }) => CHANGES.has(kind)).sort((a, b) => a.time_ms - b.time_ms);
    this.#all = new Map(changes.map((change) => [change.key, change]));
    this.#tell();
  }

  #tell() {
    this.#emit({ event: "changes", changes: [...this.#all.values()] });
  }

  edit(message, text) {
    return this.#make(message, { kind: "edit", text, was: message.text });
  }

  delete(message) {
    return this.#make(message, { kind: "delete" });
  }

  react(message, reaction) {
    return this.#make(message, { kind: "react", reaction, was: ownReaction(message) });
  }

  /** Asks for a change. One of the same kind that was refused is forgotten. */
  async #make(message, wanted) {
    const refused = [...this.#all.values()].filter((one) => isOf(one, message) && one.kind === wanted.kind && one.state === "failed");
    const body = BODIES[wanted.kind](message, wanted);
    const change = { ...wanted, key: drawKey(), time_ms: actTime(), chat: message.chat, message: message.id, state: "waiting" };
    await this.#companion.send(change.key, body, (txn) => {
      txn.objectStore("commands").put(change);
      for (const one of refused) txn.objectStore("commands").delete(one.key);
    });
    for (const one of refused) this.#all.delete(one.key);
    this.#all.set(change.key, change);
    this.#tell();
  }

  /** Asks again for what was refused. */
  again(message) {
    const { kind, text, reaction } = message.refused;
    return this[kind](message, text ?? reaction);
  }

  /** The user leaves it at what the phone has. */
  async leave({ refused }) {
    await this.#companion.change((txn) => txn.objectStore("commands").delete(refused.key));
    this.#all.delete(refused.key);
    this.#tell();
  }

  /** A row of a message came: what it says need not be shown over it any more, the oldest first. */
  row(row, txn) {
    if (this.#all.size === 0) return;
    const waiting = [...this.#all.values()].filter((one) => isOf(one, row) && one.state === "waiting");
    const open = waiting.findIndex((one) => !isSettled(one, row));
    this.#drop(open < 0 ? waiting : waiting.slice(0, open), txn);
  }

  /** A message is gone, and what was wanted of it. */
  removed(message, txn) {
    this.#drop([...this.#all.values()].filter((one) => isOf(one, message)), txn);
  }

  #drop(changes, txn) {
    if (changes.length === 0) return;
    for (const one of changes) txn.objectStore("commands").delete(one.key);
    txn.addEventListener("complete", () => {
      for (const one of changes) this.#all.delete(one.key);
      this.#tell();
    });
  }

  /** The phone's answer. `remove` and `put` change the stored message. */
  result(change, result, txn, { put, remove }) {
    txn.objectStore("messages").get([change.chat, change.message]).onsuccess = ({ target }) => {
      const row = target.result;
      if (result.kind === "failed" && row) {
        const failed = { ...change, state: "failed", code: result.code };
        txn.objectStore("commands").put(failed);
        txn.addEventListener("complete", () => {
          this.#all.set(failed.key, failed);
          this.#tell();
        });
        return;
      }
      this.#drop([change], txn);
      if (!row || result.kind === "failed") return;
      const now = applied(change, row);
      if (now === null) remove(row);
      else if (now !== row) put(now);
    };
  }
}
