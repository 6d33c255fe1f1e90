// The rows of the phone's collections, as the sync lane delivers them: the newest revision of each row,
// snapshots in pages, and the digest that shows whether the rows equal the phone's (spec, delivery). The
// store is `rows`, by `[collection, id]`.

import { done } from "./request.js";
import { decodeRow, rowDigest } from "./handfast.js";

export const ROWS_STORE = "rows";

const ofCollection = (collection) => IDBKeyRange.bound([collection], [collection, []]);

/** By transaction, the steps that wait until earlier steps are over. */
const turns = new WeakMap();

/**
 * Runs a step in a transaction after the steps before it. A step must call `over` when its last request was
 * answered. So arrivals are applied in their order, even if a step makes several requests one after the
 * other.
 */
export function inTurn(txn, step) {
  const waiting = turns.get(txn);
  if (waiting) return void waiting.push(step);
  const all = [step];
  turns.set(txn, all);
  const next = () => {
    if (all.length === 0) turns.delete(txn);
    else all[0](() => { all.shift(); next(); });
  };
  next();
}

/**
 * Applies a `delta` or `page` in a transaction, then calls `over`. `take(row)` is called for each row that is
 * new or newer, and returns false if the row only marks a deletion; `gone(row)` is called for each row that a
 * snapshot did not contain. In a collection with a `bound`, rows beyond that number are dropped without a
 * call, lowest ids first (spec, SYN-033).
 */
export function takeRows(message, txn, { take, gone, bound }, over) {
  const store = txn.objectStore(ROWS_STORE);
  const { collection } = message;
  const isPage = message.type === "page";
  const rows = message.items.map(read).filter(Boolean);
  const finish = () => {
    if (isPage && message.last) dropStale(store, collection, gone, over);
    else if (!isPage && bound) dropBeyond(store, collection, bound, over);
    else over();
  };
  const all = () => takeAll(store, collection, rows, take, finish);
  // When a collection is sent again from its beginning, rows that are stored here may be missing. So all
  // stored rows are marked as stale first.
  const isAnew = isPage ? message.first : message.from === 0n;
  if (isAnew) eachOf(store, collection, (cursor) => cursor.update({ ...cursor.value, stale: true }), all);
  else all();
}

/** Calls `take` with each row of a collection of which no rows are stored. */
export function passRows(message, take) {
  for (const { id, rev, body } of message.items.map(read).filter(Boolean)) take({ collection: message.collection, id, rev, body });
}

/** Deletes the stale rows of a collection whose digest equals the phone's. Calls `gone` for each. */
export function dropStale(store, collection, gone, over) {
  eachOf(store, collection, (cursor) => {
    if (!cursor.value.stale) return;
    cursor.delete();
    gone(cursor.value);
  }, over);
}

function dropBeyond(store, collection, bound, over) {
  store.count(ofCollection(collection)).onsuccess = ({ target }) => {
    let beyond = target.result - bound;
    if (beyond <= 0) return over();
    eachOf(store, collection, (cursor) => {
      beyond -= 1;
      if (beyond >= 0) cursor.delete();
    }, over);
  };
}

/**
 * Decodes an item into a row. Returns null for an item that is not a row, which cannot be applied (spec,
 * SYN-009).
 */
function read(item) {
  try {
    return decodeRow(item);
  } catch {
    return null;
  }
}

/**
 * Applies rows in order. All stored rows are looked up at once, because each answer takes time. If a row
 * comes twice, its first copy counts as stored.
 */
function takeAll(store, collection, rows, take, over) {
  if (rows.length === 0) return over();
  const taken = new Map();
  const takeRow = ({ id, rev, body }, stored) => {
    const name = id.join();
    const old = taken.has(name) ? taken.get(name) : stored;
    // In a snapshot the first copy of a row counts, otherwise the copy with the higher revision (spec,
    // SYN-014).
    if (old && old.rev > rev && !old.stale) return;
    const stays = take({ collection, id, rev, body });
    const row = { collection, id, rev, stale: false };
    if (stays) {
      store.put(row);
      taken.set(name, row);
    } else {
      store.delete([collection, id]);
      taken.set(name, null);
    }
  };
  return rows.forEach((row, at) => {
    store.get([collection, row.id]).onsuccess = ({ target }) => {
      takeRow(row, target.result);
      if (at === rows.length - 1) over();
    };
  });
}

function eachOf(store, collection, change, over) {
  store.openCursor(ofCollection(collection)).onsuccess = ({ target }) => {
    const cursor = target.result;
    if (!cursor) return over();
    change(cursor);
    cursor.continue();
  };
}

/**
 * Returns the stored rows of a collection that are not stale. With a `bound` it returns at most that many,
 * those with the highest ids.
 */
export async function rowsOf(txn, collection, bound = Infinity) {
  const rows = await done(txn.objectStore(ROWS_STORE).getAll(ofCollection(collection)));
  const fresh = rows.filter((row) => !row.stale);
  return fresh.slice(Math.max(0, fresh.length - bound));
}

/** Returns the digest of a collection's stored rows. */
export async function digestOf(txn, collection, bound) {
  const rows = await rowsOf(txn, collection, bound);
  return rowDigest(rows.map((row) => row.id), rows.map((row) => row.rev));
}
