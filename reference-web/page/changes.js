// Edits, deletions and reactions that the phone has not confirmed: the stored commands, and what the page
// shows until the phone confirms them. While the phone is not connected they are held back, like texts
// (outgoing.js). A change that is held back has not left this browser.

import { HandOver } from "./hand_over.js";
import { actTime, drawKey } from "./keys.js";
import { applied, CHANGES, isNothing, isOf, isSettled, ownReaction, replacedBy } from "./overlay.js";
import { deleteMessage, editText, react } from "./pkg/chat.js";
import { done } from "./pkg/request.js";

const BODIES = {
  edit: ({ chat, id }, { text }) => editText(chat, id, text),
  delete: ({ chat, id }) => deleteMessage(chat, id),
  react: ({ chat, id }, { reaction }) => react(chat, id, reaction),
};

export class Changes {
  #companion;
  #emit;
  /** The stored changes by the key of their command, in the order in which they were made. */
  #all = new Map();
  #handOver;

  constructor(companion, emit) {
    this.#companion = companion;
    this.#emit = emit;
    this.#handOver = new HandOver(() => [...this.#all.values()].find((one) => one.held), (held) => this.#give(held));
  }

  /** Loads the changes that were stored when the page was last closed. */
  async load() {
    const rows = await done(this.#companion.store.read("commands").objectStore("commands").getAll());
    const changes = rows.filter(({ kind }) => CHANGES.has(kind)).sort((a, b) => a.time_ms - b.time_ms);
    this.#all = new Map(changes.map((change) => [change.key, change]));
    this.#tell();
    this.#handOver.run();
  }

  onState(state) {
    this.#handOver.onState(state);
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

  /**
   * Makes a change of a message. It replaces a refused change of the same kind, and one that is held back.
   */
  async #make(message, wanted) {
    const all = [...this.#all.values()];
    const held = replacedBy(all.filter((one) => one.key !== this.#handOver.leaving?.key), message, wanted.kind);
    const change = { ...wanted, key: drawKey(), time_ms: actTime(), chat: message.chat, message: message.id, state: "waiting" };
    if (held) change.was = held.was;
    const gone = all.filter((one) => one === held || (isOf(one, message) && one.kind === wanted.kind && one.state === "failed"));
    const drop = (txn) => gone.forEach((one) => txn.objectStore("commands").delete(one.key));
    // The change restores what the message was before the change that is held back, so no command is needed.
    if (held && isNothing(change)) return this.#replace(gone, null, drop);
    if (!this.#handOver.isLive || all.some((one) => one.held)) return this.#replace(gone, { ...change, held: true }, drop);
    const effect = (txn) => {
      txn.objectStore("commands").put(change);
      drop(txn);
    };
    await this.#companion.send(BODIES[change.kind](message, change), { key: change.key, effect });
    for (const one of gone) this.#all.delete(one.key);
    this.#all.set(change.key, change);
    this.#tell();
  }

  /**
   * Stores a change that is held back, in place of others. Memory is changed before the database, so that if
   * a command is sent during the write, it already has the user's last choice.
   */
  async #replace(gone, held, drop) {
    const before = this.#all;
    this.#all = new Map([...before].filter(([, one]) => !gone.includes(one)));
    if (held) this.#all.set(held.key, held);
    try {
      await this.#companion.change((txn) => {
        if (held) txn.objectStore("commands").put(held);
        drop(txn);
      });
    } catch (error) {
      for (const one of gone) this.#all.set(one.key, one);
      if (held) this.#all.delete(held.key);
      this.#all = new Map([...this.#all].sort(([, one], [, other]) => one.time_ms - other.time_ms));
      throw error;
    } finally {
      this.#tell();
    }
    this.#handOver.run();
  }

  /** Cancels a change that is held back, because the user asks for it. The newest is cancelled first. */
  async undo({ undo: { key } }) {
    const held = this.#all.get(key);
    if (!held?.held || this.#handOver.leaving?.key === key) throw new Error("the change is on its way to your phone already");
    await this.#replace([held], null, (txn) => txn.objectStore("commands").delete(key));
  }

  /**
   * Sends a change that was held back. It stops being held back in the transaction that stores its command.
   */
  async #give(held) {
    const { held: _, ...change } = held;
    await this.#companion.send(BODIES[change.kind]({ chat: change.chat, id: change.message }, change), { key: change.key, effect: (txn) => txn.objectStore("commands").put(change) });
    // While the change was being sent, a new row of its message may have settled and removed it.
    if (this.#all.get(change.key) === held) this.#all.set(change.key, change);
    this.#tell();
  }

  /** Makes a change that the phone refused once more. */
  again(message) {
    const { kind, text, reaction } = message.refused;
    return this[kind](message, text ?? reaction);
  }

  /**
   * Removes a refused change because the user asks for it, so that the message is shown as the phone has it.
   */
  async leave({ refused }) {
    await this.#companion.change((txn) => txn.objectStore("commands").delete(refused.key));
    this.#all.delete(refused.key);
    this.#tell();
  }

  /**
   * A message's new row arrived: ends its waiting changes, oldest first, as far as the row contains their
   * result.
   */
  row(row, txn) {
    if (this.#all.size === 0) return;
    const waiting = [...this.#all.values()].filter((one) => isOf(one, row) && one.state === "waiting");
    const open = waiting.findIndex((one) => !isSettled(one, row));
    this.#drop(open < 0 ? waiting : waiting.slice(0, open), txn);
  }

  /** Ends all changes of a message that was deleted. */
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

  /** Applies the phone's answer to a change. The functions `remove` and `put` change the stored message. */
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
