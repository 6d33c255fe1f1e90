// Rows of the phone's collections, as the sync lane brings them: the newest revision of each, snapshots in pages, and the
// digest that tells whether they are those of the phone (spec, delivery). The store is `rows`, by `[collection, id]`.

import { done } from "./request.js";
import { decodeRow, rowDigest } from "./handfast.js";

export const ROWS_STORE = "rows";

const ofCollection = (collection) => IDBKeyRange.bound([collection], [collection, []]);

/** What waits for its turn in a transaction. */
const turns = new WeakMap();

/**
 * Makes a step in a transaction once the steps before it are over: it calls `over` when its last request was answered. What arrives is
 * applied in the order in which it came, also where one step needs several requests, each made when the one before was answered.
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
 * Takes a `delta` or a `page` into a transaction. `take(row)` is called for each row that is new or newer, and says whether the row stays:
 * false for one that only marks a deletion; `gone(row)` for each that a snapshot did not bring. Of a collection with a `bound` the rows
 * beyond it go without a word, the lowest ids first (spec, SYN-033). Then calls `over`.
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
  // Of a collection that is told from its beginning, what is here is not known to be there.
  const isAnew = isPage ? message.first : message.from === 0n;
  if (isAnew) eachOf(store, collection, (cursor) => cursor.update({ ...cursor.value, stale: true }), all);
  else all();
}

/** Takes the rows of a collection of which none is kept: each is given to `take`. */
export function passRows(message, take) {
  for (const { id, rev, body } of message.items.map(read).filter(Boolean)) take({ collection: message.collection, id, rev, body });
}

/** A collection was found in step: what is stale of it goes. */
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

/** What is no row cannot be applied (spec, SYN-009). */
function read(item) {
  try {
    return decodeRow(item);
  } catch {
    return null;
  }
}

/** Takes rows in their order. All are looked up at once, as each answer takes its time; of one that comes twice the first copy is known. */
function takeAll(store, collection, rows, take, over) {
  if (rows.length === 0) return over();
  const taken = new Map();
  const takeRow = ({ id, rev, body }, stored) => {
    const name = id.join();
    const old = taken.has(name) ? taken.get(name) : stored;
    // The first copy that a snapshot brings counts; else the higher revision (spec, SYN-014).
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

/** The rows of a collection that are stored and not stale; with a `bound`, as many of those of the highest ids. */
export async function rowsOf(txn, collection, bound = Infinity) {
  const rows = await done(txn.objectStore(ROWS_STORE).getAll(ofCollection(collection)));
  const fresh = rows.filter((row) => !row.stale);
  return fresh.slice(Math.max(0, fresh.length - bound));
}

/** The digest of a collection's rows as they are stored. */
export async function digestOf(txn, collection, bound) {
  const rows = await rowsOf(txn, collection, bound);
  return rowDigest(rows.map((row) => row.id), rows.map((row) => row.rev));
}
