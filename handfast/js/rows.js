// Rows of the phone's collections, as the sync lane brings them: the newest revision of each, snapshots in pages, and the
// digest that tells whether they are those of the phone (spec, delivery). The store is `rows`, by `[collection, id]`.

import { done } from "./database.js";
import { decodeRow, rowDigest } from "./handfast.js";

export const ROWS_STORE = "rows";

const ofCollection = (collection) => IDBKeyRange.bound([collection], [collection, []]);

/**
 * Takes a `delta` or a `page` into a transaction. `take(row)` is called for each row that is new or newer, and says whether
 * the row stays: false for one that only marks a deletion.
 */
export function takeRows(message, txn, take, gone) {
  const store = txn.objectStore(ROWS_STORE);
  const { collection } = message;
  const isPage = message.type === "page";
  if (isPage && message.first) eachOf(store, collection, (cursor) => cursor.update({ ...cursor.value, stale: true }));
  for (const item of message.items) {
    const row = read(item);
    if (row) takeRow(store, collection, row, isPage, take);
  }
  if (isPage && message.last) {
    eachOf(store, collection, (cursor) => {
      if (!cursor.value.stale) return;
      cursor.delete();
      gone(cursor.value);
    });
  }
}

/** What is no row cannot be applied (spec, SYN-009). */
function read(item) {
  try {
    return decodeRow(item);
  } catch {
    return null;
  }
}

function takeRow(store, collection, { id, rev, body }, isPage, take) {
  store.get([collection, id]).onsuccess = ({ target }) => {
    const old = target.result;
    // The first copy that a snapshot brings counts; else the higher revision (spec, SYN-014).
    if (old && old.rev > rev && !(isPage && old.stale)) return;
    const stays = take({ collection, id, rev, body });
    if (stays) store.put({ collection, id, rev, stale: false });
    else store.delete([collection, id]);
  };
}

function eachOf(store, collection, change) {
  store.openCursor(ofCollection(collection)).onsuccess = ({ target }) => {
    const cursor = target.result;
    if (!cursor) return;
    change(cursor);
    cursor.continue();
  };
}

/** The digest of a collection's rows as they are stored. */
export async function digestOf(txn, collection) {
  const rows = await done(txn.objectStore(ROWS_STORE).getAll(ofCollection(collection)));
  return rowDigest(rows.map((row) => row.id), rows.map((row) => row.rev));
}
