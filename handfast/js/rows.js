// The rows of the phone's collections, as the sync lane delivers them: the newest revision of each row,
// snapshots in pages, and the digest that shows whether the rows equal the phone's (spec, delivery). `rows`
// is what a store's `rowsIn` returns: the mirrored rows in a transaction.

import { decodeRow, rowDigest } from "./handfast.js";

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
 * call, lowest ids first (spec, SYN-033). With `keepsBodies` the bodies are stored, too.
 */
export function takeRows(message, rows, { take, gone, bound, keepsBodies }, over) {
  const { collection } = message;
  const isPage = message.type === "page";
  const arrived = message.items.map(read).filter(Boolean);
  const finish = () => {
    if (isPage && message.last) dropStale(rows, collection, gone, over);
    else if (!isPage && bound) dropBeyond(rows, collection, bound, over);
    else over();
  };
  const all = () => takeAll(rows, collection, arrived, { take, keepsBodies }, finish);
  // When a collection is sent again from its beginning, rows that are stored here may be missing. So all
  // stored rows are marked as stale first.
  const isAnew = isPage ? message.first : message.from === 0n;
  if (isAnew) rows.each(collection, (row, stored) => stored.put({ ...row, stale: true }), all);
  else all();
}

/** Calls `take` with each row of a collection of which no rows are stored. */
export function passRows(message, take) {
  for (const { id, rev, body } of message.items.map(read).filter(Boolean)) take({ collection: message.collection, id, rev, body });
}

/** Deletes the stale rows of a collection whose digest equals the phone's. Calls `gone` for each. */
export function dropStale(rows, collection, gone, over) {
  rows.each(collection, (row, stored) => {
    if (!row.stale) return;
    stored.delete();
    gone(row);
  }, over);
}

function dropBeyond(rows, collection, bound, over) {
  rows.count(collection, (count) => {
    let beyond = count - bound;
    if (beyond <= 0) return over();
    rows.each(collection, (_, stored) => {
      beyond -= 1;
      if (beyond >= 0) stored.delete();
    }, over);
  });
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
function takeAll(rows, collection, arrived, { take, keepsBodies }, over) {
  if (arrived.length === 0) return over();
  const taken = new Map();
  const takeRow = ({ id, rev, body }, stored) => {
    const name = id.join();
    const old = taken.has(name) ? taken.get(name) : stored;
    // In a snapshot the first copy of a row counts, otherwise the copy with the higher revision (spec,
    // SYN-014).
    if (old && old.rev > rev && !old.stale) return;
    const stays = take({ collection, id, rev, body });
    const row = { collection, id, rev, stale: false, ...keepsBodies && { body } };
    if (stays) {
      rows.put(row);
      taken.set(name, row);
    } else {
      rows.delete(collection, id);
      taken.set(name, null);
    }
  };
  return arrived.forEach((row, at) => {
    rows.get(collection, row.id, (stored) => {
      takeRow(row, stored);
      if (at === arrived.length - 1) over();
    });
  });
}

/**
 * Returns the stored rows of a collection that are not stale. With a `bound` it returns at most that many,
 * those with the highest ids.
 */
export async function rowsOf(store, collection, bound = Infinity) {
  const fresh = (await store.rows(collection)).filter((row) => !row.stale);
  return fresh.slice(Math.max(0, fresh.length - bound));
}

/** Returns the digest of a collection's stored rows. */
export async function digestOf(store, collection, bound) {
  const rows = await rowsOf(store, collection, bound);
  return rowDigest(rows.map((row) => row.id), rows.map((row) => row.rev));
}
