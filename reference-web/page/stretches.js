// Stretches of a chat's messages as the page is told them, from the database: none of them has a gap in it that nobody knows of.

import { newest, rangeBefore } from "./held.js";
import { done } from "./pkg/request.js";

/** Messages that are read and drawn at once, which a slow computer does in a frame or two. */
const STRETCH = 25;

export class Stretches {
  #companion;
  #shown;
  #unsent;

  /** `shown(item)`: a stored message as it is shown; `unsent(chat, commands)`: what waits to be sent. */
  constructor(companion, shown, unsent) {
    this.#companion = companion;
    this.#shown = shown;
    this.#unsent = unsent;
  }

  // Each is read in one transaction, and told in the turn that ends it: what arrives is told behind it, and is neither missing from what was
  // read nor there twice.

  /** The newest messages that are here, and what waits, as an event; `isComing`: there are messages, and none is here. */
  async newest(chat) {
    const txn = this.#companion.database.read("commands", "held", "chats", "messages");
    const [known, commands, ranges] = await Promise.all([
      done(txn.objectStore("chats").get(chat)),
      done(txn.objectStore("commands").index("chat").getAll(chat)),
      rangesOf(txn, chat),
    ]);
    const range = newest(ranges);
    const stored = await this.#stored(txn, chat, range?.low ?? 0, Infinity);
    const messages = [...stored, ...this.#unsent(chat, commands)];
    // Where no range is known, the phone knows what stands before.
    const more = stored.length === STRETCH || (range ? range.low > 0 : stored.length > 0);
    return { event: { event: "page", chat, where: "anew", messages, more }, messages, isComing: messages.length === 0 && known?.last_message > 0 };
  }

  /** What is here right before a message (0: the newest), as an event; null when the phone has to be asked. */
  async older(chat, before) {
    const txn = this.#companion.database.read("held", "messages");
    const ranges = await rangesOf(txn, chat);
    const range = before ? rangeBefore(ranges, before) : newest(ranges);
    if (!range) return null;
    const messages = await this.#stored(txn, chat, range.low, before || Infinity);
    if (messages.length === 0 && range.low > 0) return null;
    return { event: "page", chat, where: "older", messages, more: messages.length === STRETCH || range.low > 0 };
  }

  /** What comes after a message, as far as nothing is missing. */
  async newer(chat, after) {
    const txn = this.#companion.database.read("held", "messages");
    const ranges = await rangesOf(txn, chat);
    const range = ranges.find((one) => one.low <= after && after <= one.high);
    // Behind the newest range come those that the chat's collection is bringing.
    const end = range && range !== newest(ranges) ? range.high : Infinity;
    const stored = await done(txn.objectStore("messages").getAll(IDBKeyRange.bound([chat, after], [chat, end], true), STRETCH));
    const messages = stored.map((item) => this.#shown(item));
    return { event: "page", chat, where: "newer", messages, newer: messages.length === STRETCH };
  }

  /** The last messages from `low` on that stand before another one. */
  async #stored(txn, chat, low, before) {
    const items = await backwards(txn.objectStore("messages"), IDBKeyRange.bound([chat, low], [chat, before], false, true), STRETCH);
    return items.map((item) => this.#shown(item));
  }
}

const rangesOf = (txn, chat) => done(txn.objectStore("held").get(chat)).then((held) => held?.ranges ?? []);

/** The last rows of a range, in order. */
function backwards(store, range, count) {
  return new Promise((resolve, reject) => {
    const rows = [];
    const request = store.openCursor(range, "prev");
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const cursor = request.result;
      if (!cursor || rows.length === count) return resolve(rows.reverse());
      rows.push(cursor.value);
      cursor.continue();
    };
  });
}
