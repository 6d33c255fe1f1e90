// A store in the browser's IndexedDB: the interface `Store` over `Database`. Its transactions are IDBTransactions.

import { Database, isGone, ofLink } from "./database.js";
import { done } from "./request.js";

/** The store of the mirrored rows, by `[collection, id]`. */
const ROWS_STORE = "rows";

const ofCollection = (collection) => IDBKeyRange.bound([collection], [collection, []]);

/**
 * Returns a store in the database of this name. `stores` maps the names of the application's own object stores to their options and
 * `indexes`; they are cleared with the link. `version`, from 1, is that of `stores`. `upgrade(db, txn, from)` migrates them from an older
 * version.
 */
export const indexedDbStore = (name, options = {}) => new IndexedDbStore(name, options);

class IndexedDbStore {
  #name;
  #options;
  #stores;
  #database = null;

  constructor(name, { version = 1, stores = {}, upgrade }) {
    this.#name = name;
    this.#options = { version, upgrade };
    this.#stores = { ...stores, [ROWS_STORE]: { keyPath: ["collection", "id"] } };
  }

  async open(lost) {
    const { version, upgrade } = this.#options;
    this.#database = await Database.open(this.#name, version, this.#stores, lost, upgrade);
  }

  close() {
    this.#database?.close();
    this.#database = null;
  }

  /** Whether the store is open, so that it can be read. */
  get isOpen() {
    return this.#database !== null;
  }

  /** Returns a transaction over these object stores that only reads. */
  read(...stores) {
    return this.#database.read(...stores);
  }

  /** Returns a value from one of the application's object stores. */
  get(store, key) {
    return this.#database.get(store, key);
  }

  link() {
    return this.#database.link();
  }

  linkRows(link) {
    return this.#database.rows(link);
  }

  rows(collection) {
    return done(this.read(ROWS_STORE).objectStore(ROWS_STORE).getAll(ofCollection(collection)));
  }

  write(commits, effects) {
    return this.#database.write(commits, effects);
  }

  putLink(txn, link) {
    txn.objectStore("links").put(link);
  }

  setState(txn, link, state) {
    const store = txn.objectStore("links");
    store.get(link).onsuccess = ({ target }) => {
      if (target.result) store.put({ ...target.result, state });
    };
  }

  clear(txn) {
    for (const store of ["links", ...Object.keys(this.#stores)]) txn.objectStore(store).clear();
  }

  forget(txn, link) {
    if (link) txn.objectStore("handfast").delete(ofLink(link));
    this.#database.forgetKey(txn);
  }

  rowsIn(txn) {
    return new Rows(txn.objectStore(ROWS_STORE));
  }

  wasRemoved() {
    return isGone(this.#name);
  }
}

/** The mirrored rows in a transaction. */
class Rows {
  #store;

  constructor(store) {
    this.#store = store;
  }

  get(collection, id, then) {
    this.#store.get([collection, id]).onsuccess = ({ target }) => then(target.result);
  }

  put(row) {
    this.#store.put(row);
  }

  delete(collection, id) {
    this.#store.delete([collection, id]);
  }

  count(collection, then) {
    this.#store.count(ofCollection(collection)).onsuccess = ({ target }) => then(target.result);
  }

  each(collection, visit, over) {
    this.#store.openCursor(ofCollection(collection)).onsuccess = ({ target }) => {
      const cursor = target.result;
      if (!cursor) return over();
      visit(cursor.value, { put: (row) => cursor.update(row), delete: () => cursor.delete() });
      cursor.continue();
    };
  }
}
