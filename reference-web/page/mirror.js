// Incoming messages, applied in the transaction that makes them durable: the ranges of stored messages,
// changes of older messages, and pages of history. If the phone cannot report all changes, messages older
// than each chat's newest 200 are deleted.

import { WINDOW, belongs, bring, changeHeld, endWindow, extend, hold, lowOf, rangeOfPage, readHeld } from "./held.js";
import { messagesCollection } from "./pkg/chat.js";
import { decodeRow } from "./pkg/index.js";

/**
 * The stores of the two lists (chats and linked devices), by the one byte that names the list's collection.
 */
const LISTS = { 1: "chats", 3: "devices" };

/** Returns the store of a collection that is a list. */
export const listOf = (collection) => (collection.length === 1 ? LISTS[collection[0]] : undefined);

/** Returns whether a collection is the one with changes of older messages. */
export const isChanges = (collection) => collection.length === 1 && collection[0] === 4;

/** Returns the number that the id of a row encodes. */
export const numberOf = (id, at = 0) => Number(new DataView(id.buffer, id.byteOffset, id.byteLength).getBigUint64(at));

export class Mirror {
  #engine;
  #subscriptions;
  #paging = new Set();

  constructor(engine, subscriptions) {
    this.#engine = engine;
    this.#subscriptions = subscriptions;
  }

  /** Returns how many rows a collection has at most; undefined if there is no limit. */
  boundOf(collection) {
    return this.#subscriptions.chatOf(collection) === undefined ? undefined : WINDOW;
  }

  /** Prepares the ranges of stored messages before the rows of a `delta` or `page` are applied. */
  arrives(message, txn, over) {
    const { collection, type } = message;
    if (isChanges(collection)) return type === "page" ? this.#forgetOlder(Number(message.rev), txn, over) : over();
    const chat = this.#subscriptions.chatOf(collection);
    if (chat === undefined) return over();
    const isPage = type === "page";
    if (isPage && message.first) this.#paging.add(chat);
    const isAnew = isPage ? message.first : message.from === 0n;
    if (!isAnew && !isPage) return over();
    if (isAnew) this.#engine.isAnew(chat);
    return changeHeld(txn, chat, (held) => ({
      ranges: isAnew ? endWindow(held.ranges) : held.ranges,
      brought: isPage ? bring(isAnew ? null : held.brought, idsOf(message)) : held.brought,
    }), over);
  }

  /** Updates the ranges of stored messages after the rows of a `delta` or `page` were applied. */
  arrived(message, txn, over) {
    const { collection, type, last } = message;
    if (isChanges(collection)) return type === "page" ? over() : keepCursor(Number(message.to), txn, over);
    const chat = this.#subscriptions.chatOf(collection);
    if (chat === undefined) return over();
    if (type === "delta") return changeHeld(txn, chat, ({ ranges }) => ({ ranges: extend(ranges, Math.max(0, ...idsOf(message))) }), over);
    if (!last) return over();
    this.#paging.delete(chat);
    return changeHeld(txn, chat, ({ ranges, brought }) => {
      if (!brought) return { brought };
      return { ranges: hold(ranges, brought.low, brought.high, true), brought: null };
    }, over);
  }

  /** Returns whether a snapshot of a chat has begun and is not complete. */
  isPaging(chat) {
    return this.#paging.has(chat);
  }

  /**
   * Deletes a message that a snapshot did not bring. Keeps one that is older than all that it brought: the
   * chat may have it still, and newer messages that came up between two pages have moved it out of the chat's
   * collection. `settle` decides.
   */
  gone(chat, id, txn) {
    if (chat === undefined) return;
    readHeld(txn, chat, ({ brought }) => {
      if (!brought || id >= brought.low) this.#engine.removeMessage({ chat, id }, txn);
    });
  }

  /**
   * Records the messages of a chat's collection as a range, because the digest over these rows agrees with
   * the phone's. If they are fewer than the collection has room for, the chat has no others.
   */
  settle(chat, rows, txn, over) {
    const ids = rows.map((id) => numberOf(id));
    if (ids.length === 0) return over();
    const record = () => changeHeld(txn, chat, ({ ranges }) => ({ ranges: hold(ranges, lowOf(ids), ids.at(-1), true) }), over);
    return ids.length < WINDOW ? this.#removeOthers(chat, new Set(ids), ids.at(-1), txn, record) : record();
  }

  /** Deletes the messages of a chat up to `high` that are not among `ids`. */
  #removeOthers(chat, ids, high, txn, over) {
    const range = IDBKeyRange.bound([chat, 0], [chat, high]);
    txn.objectStore("messages").getAllKeys(range).onsuccess = ({ target }) => {
      for (const [, id] of target.result) if (!ids.has(id)) this.#engine.removeMessage({ chat, id }, txn);
      over();
    };
  }

  /**
   * Applies a change of an older message (spec, MSG-064). Returns false, because the row of the change is not
   * stored.
   */
  change(id, item, txn) {
    const [chat, message] = id.length === 16 ? [numberOf(id), numberOf(id, 8)] : [];
    if (item.kind === "deleted" && item.chat === chat && item.message === message) this.#engine.removeMessage({ chat, id: message }, txn);
    if (item.kind !== "message" || item.chat !== chat || item.id !== message) return false;
    txn.objectStore("messages").get([chat, message]).onsuccess = ({ target }) => {
      if (target.result) return this.#engine.putMessage(item, txn);
      return readHeld(txn, chat, ({ ranges }) => { if (belongs(ranges, message)) this.#engine.putMessage(item, txn); });
    };
    return false;
  }

  /**
   * Stores a page of older messages, unless the page lacks changes that were already applied. Calls `over`
   * with whether the page was stored.
   */
  takePage({ chat, before }, items, { more, rev }, txn, over) {
    txn.objectStore("mirror").get("changes").onsuccess = ({ target }) => {
      if (rev < (target.result?.to ?? 0)) return over(false);
      const messages = txn.objectStore("messages");
      for (const item of items) addOnce(messages, item);
      const range = rangeOfPage(items.map((item) => item.id), before, more);
      if (!range) return over(true);
      return changeHeld(txn, chat, ({ ranges }) => ({ ranges: hold(ranges, range.low, range.high) }), () => over(true));
    };
  }

  /**
   * Deletes older messages, because the phone reports changes only from `rev` on. The newest messages of
   * subscribed chats stay, because the chats' own collections bring them up to date (spec, MSG-065).
   */
  #forgetOlder(rev, txn, over) {
    this.#engine.forgotOlder(txn);
    txn.objectStore("held").clear();
    const chats = this.#subscriptions.chats.toSorted((a, b) => a - b);
    const next = (at, from) => {
      const messages = txn.objectStore("messages");
      if (at === chats.length) {
        messages.delete(from ? IDBKeyRange.lowerBound(from, true) : IDBKeyRange.lowerBound([]));
        return keepCursor(rev, txn, () => dropThumbnails(txn, over));
      }
      const chat = chats[at];
      const name = messagesCollection(chat);
      return txn.objectStore("rows").getAllKeys(IDBKeyRange.bound([name], [name, []])).onsuccess = ({ target }) => {
        const ids = target.result.map(([, id]) => numberOf(new Uint8Array(id)));
        const low = [chat, ids.length === 0 ? Infinity : lowOf(ids)];
        messages.delete(from ? IDBKeyRange.bound(from, low, true, true) : IDBKeyRange.upperBound(low, true));
        next(at + 1, [chat, Infinity]);
      };
    };
    next(0, null);
  }
}

/** Stores the revision up to which changes of older messages are applied. */
function keepCursor(to, txn, over) {
  txn.objectStore("mirror").put({ id: "changes", to }).onsuccess = () => over();
}

/** Deletes the thumbnails of content to which no message refers any more. */
function dropThumbnails(txn, over) {
  txn.objectStore("thumbnails").openKeyCursor().onsuccess = ({ target }) => {
    const cursor = target.result;
    if (!cursor) return over();
    const content = cursor.primaryKey;
    txn.objectStore("messages").index("content").count(content).onsuccess = ({ target: { result } }) => {
      if (result === 0) txn.objectStore("thumbnails").delete(content);
    };
    return cursor.continue();
  };
}

const idsOf = ({ items }) => items.map(idOf).filter((id) => id !== null);

function idOf(item) {
  try {
    const { id } = decodeRow(item);
    return id.length === 8 ? numberOf(id) : null;
  } catch {
    return null;
  }
}

/** Adds a row. If the store already has one, that is newer and stays. */
function addOnce(store, row) {
  store.add(row).onerror = (event) => {
    event.preventDefault();
    event.stopPropagation();
  };
}
