// Reads stretches of a chat's messages (some messages in a row without a gap) from the database for the page.

import { newest, rangeBefore } from "./held.js";
import { done } from "./pkg/request.js";

/** How many messages a stretch has at most. Even a slow computer draws so many within a frame or two. */
const STRETCH = 25;

export class Stretches {
  #companion;
  #shown;
  #unsent;

  /**
   * `shown(item)` converts a stored message for the page. `unsent(chat, commands)` returns the waiting
   * messages.
   */
  constructor(companion, shown, unsent) {
    this.#companion = companion;
    this.#shown = shown;
    this.#unsent = unsent;
  }

  // Each stretch of a chat's messages is read in one transaction, and its event is emitted in the microtask
  // that ends the transaction. So a message that arrives during the read is emitted after the stretch: it is
  // neither missed nor shown twice.

  /**
   * Returns the newest stored messages and the waiting ones, as an event. `isComing` tells that the chat has
   * messages, but none is stored yet.
   */
  async newest(chat) {
    const txn = this.#companion.store.read("commands", "held", "chats", "messages");
    const [known, commands, ranges] = await Promise.all([
      done(txn.objectStore("chats").get(chat)),
      done(txn.objectStore("commands").index("chat").getAll(chat)),
      rangesOf(txn, chat),
    ]);
    const range = newest(ranges);
    const stored = await this.#stored(txn, chat, range?.low ?? 0, Infinity);
    const messages = [...stored, ...this.#unsent(chat, commands)];
    // Without a known range the phone must be asked for older messages.
    const more = stored.length === STRETCH || (range ? range.low > 0 : stored.length > 0);
    return { event: { event: "page", chat, where: "anew", messages, more }, messages, isComing: messages.length === 0 && known?.last_message > 0 };
  }

  /**
   * Returns the stored messages directly before a given one (0: the newest), as an event; null when they are
   * not stored and the phone must be asked.
   */
  async older(chat, before) {
    const txn = this.#companion.store.read("held", "messages");
    const ranges = await rangesOf(txn, chat);
    const range = before ? rangeBefore(ranges, before) : newest(ranges);
    if (!range) return null;
    const messages = await this.#stored(txn, chat, range.low, before || Infinity);
    if (messages.length === 0 && range.low > 0) return null;
    return { event: "page", chat, where: "older", messages, more: messages.length === STRETCH || range.low > 0 };
  }

  /** Returns the stored messages after a given one, up to the next gap. */
  async newer(chat, after) {
    const txn = this.#companion.store.read("held", "messages");
    const ranges = await rangesOf(txn, chat);
    const range = ranges.find((one) => one.low <= after && after <= one.high);
    // After the newest range come messages that the chat's collection is just bringing, so there is no end.
    const end = range && range !== newest(ranges) ? range.high : Infinity;
    const stored = await done(txn.objectStore("messages").getAll(IDBKeyRange.bound([chat, after], [chat, end], true), STRETCH));
    const messages = stored.map((item) => this.#shown(item));
    return { event: "page", chat, where: "newer", messages, newer: messages.length === STRETCH };
  }

  /** Returns the last messages of those whose ids are at least `low` and below `before`. */
  async #stored(txn, chat, low, before) {
    const items = await backwards(txn.objectStore("messages"), IDBKeyRange.bound([chat, low], [chat, before], false, true), STRETCH);
    return items.map((item) => this.#shown(item));
  }
}

const rangesOf = (txn, chat) => done(txn.objectStore("held").get(chat)).then((held) => held?.ranges ?? []);

/** Returns the last `count` rows of a key range, in ascending order. */
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
