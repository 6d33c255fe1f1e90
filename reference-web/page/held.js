// The stored messages of each chat as ranges of ids: pure functions, and the store. A range contains every
// message of its chat from `low` to `high`; between two ranges is a gap, which the phone fills when the user
// scrolls there (spec, messages, *Changes of older messages*). One range may be the window: new messages of
// the chat's own collection continue it.

export const HELD_STORES = { held: { keyPath: "chat" }, mirror: { keyPath: "id" } };

/** How many messages, the newest ones, a chat's collection contains (spec, limits: CHAT_WINDOW). */
export const WINDOW = 200;

const none = (chat) => ({ chat, ranges: [], brought: null });

/** Adds a range, and merges it with the ranges that it touches. */
export function hold(ranges, low, high, isWindow = false) {
  const touches = (one) => one.low <= high + 1 && one.high >= low - 1;
  const touching = ranges.filter(touches);
  const whole = {
    low: Math.min(low, ...touching.map((one) => one.low)),
    high: Math.max(high, ...touching.map((one) => one.high)),
    isWindow: isWindow || touching.some((one) => one.isWindow),
  };
  return [...ranges.filter((one) => !touches(one)), whole].sort((a, b) => a.low - b.low);
}

/** Returns the range that contains messages older than `before`, or ends just before it. */
export const rangeBefore = (ranges, before) => ranges.find((one) => one.low < before && before <= one.high + 1);

/** Returns the newest range: the last one, since ranges are sorted by id. */
export const newest = (ranges) => ranges.at(-1);

/**
 * Makes no range the window any more, because what the chat's collection brings next does not continue it.
 */
export const endWindow = (ranges) => ranges.map((one) => ({ ...one, isWindow: false }));

/** Extends the window by new messages up to `high`. */
export const extend = (ranges, high) => ranges.map((one) => (one.isWindow && one.high < high ? { ...one, high } : one));

/**
 * Returns whether a changed message must be stored although it is missing. It must if it lies in a range, or
 * is newer than all ranges: then the chat's collection is about to bring it, perhaps without the change.
 */
export const belongs = (ranges, id) => ranges.length > 0 && (id > newest(ranges).high || ranges.some((one) => one.low <= id && id <= one.high));

/**
 * Returns the lowest id of the window, from the ascending ids of a chat's messages; 0 if the chat has no
 * older messages.
 */
export const lowOf = (ids) => (ids.length < WINDOW ? 0 : ids.at(-WINDOW));

/** Adds a page's messages to what a snapshot has brought: their number, and the range of their ids. */
export function bring(brought, ids) {
  if (ids.length === 0) return brought;
  const all = brought ?? { count: 0, low: Infinity, high: 0 };
  return { count: all.count + ids.length, low: Math.min(all.low, ...ids), high: Math.max(all.high, ...ids) };
}

/**
 * Returns the range of ids that a page of older messages covers, or null. `before` is the id before which the
 * page was requested (0: the newest).
 */
export function rangeOfPage(ids, before, more) {
  const low = more ? Math.min(...ids) : 0;
  const high = before === 0 ? Math.max(...ids) : before - 1;
  return Number.isFinite(low) && Number.isFinite(high) && low <= high ? { low, high } : null;
}

/** Reads the ranges of a chat, and calls `use` with them. */
export function readHeld(txn, chat, use) {
  txn.objectStore("held").get(chat).onsuccess = ({ target }) => use(target.result ?? none(chat));
}

/** Changes the ranges of a chat, then calls `over`. */
export function changeHeld(txn, chat, change, over) {
  readHeld(txn, chat, (held) => {
    txn.objectStore("held").put({ ...held, ...change(held) });
    over(held);
  });
}
