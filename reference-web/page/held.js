// Which messages of each chat are here: ranges of their ids, as pure functions, and the store that keeps them. A range holds every message
// of its chat from `low` to `high`; what lies between two is a gap, which the phone fills when somebody gets there (spec, messages,
// *Changes of older messages*). One range may be the window: what the chat's own collection brings goes on behind it.

export const HELD_STORES = { held: { keyPath: "chat" }, mirror: { keyPath: "id" } };

/** Messages of a chat that its collection holds (spec, limits: CHAT_WINDOW). */
export const WINDOW = 200;

const none = (chat) => ({ chat, ranges: [], brought: null });

/** Ranges with another one, which becomes one with those that it touches. */
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

/** The range that holds a message, or that ends just before it: what is older than it stands there. */
export const rangeBefore = (ranges, before) => ranges.find((one) => one.low < before && before <= one.high + 1);

/** The newest range. */
export const newest = (ranges) => ranges.at(-1);

/** What the chat's collection brings does not go on behind what is here. */
export const endWindow = (ranges) => ranges.map((one) => ({ ...one, isWindow: false }));

/** Messages up to `high` came behind the window. */
export const extend = (ranges, high) => ranges.map((one) => (one.isWindow && one.high < high ? { ...one, high } : one));

/**
 * Whether a changed message belongs here though it is not: it lies in a range, or is newer than all of them, so that the chat's collection
 * is about to bring it, and may bring it without the change.
 */
export const belongs = (ranges, id) => ranges.length > 0 && (id > newest(ranges).high || ranges.some((one) => one.low <= id && id <= one.high));

/** The lowest message of a window of these, in the order of their ids; 0 when the chat has no others. */
export const lowOf = (ids) => (ids.length < WINDOW ? 0 : ids.at(-WINDOW));

/** What the pages of a snapshot brought so far, with another page. */
export function bring(brought, ids) {
  if (ids.length === 0) return brought;
  const all = brought ?? { count: 0, low: Infinity, high: 0 };
  return { count: all.count + ids.length, low: Math.min(all.low, ...ids), high: Math.max(all.high, ...ids) };
}

/** The range of a page of history that was asked for before a message (0: the newest); null when it says nothing. */
export function rangeOfPage(ids, before, more) {
  const low = more ? Math.min(...ids) : 0;
  const high = before === 0 ? Math.max(...ids) : before - 1;
  return Number.isFinite(low) && Number.isFinite(high) && low <= high ? { low, high } : null;
}

/** What is known of a chat, for `use`. */
export function readHeld(txn, chat, use) {
  txn.objectStore("held").get(chat).onsuccess = ({ target }) => use(target.result ?? none(chat));
}

/** Changes what is known of a chat, then calls `over`. */
export function changeHeld(txn, chat, change, over) {
  readHeld(txn, chat, (held) => {
    txn.objectStore("held").put({ ...held, ...change(held) });
    over(held);
  });
}
