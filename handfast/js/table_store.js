// A store of tables that are held in memory. A backend makes their changes durable; without one they last as
// long as the program.

import { CompanionError, Conflict } from "./errors.js";

/** The names of tables: the rows of a link's machine, the links, the mirrored rows of a collection, a table of the application. */
const LINKS = "links";
const linkTable = (link) => `link ${link}`;
const rowTable = (collection) => `rows ${hex(collection)}`;
const ownTable = (name) => `own ${name}`;
/** Of which tables the names begin so, all go when a link goes. */
const WITH_LINK = ["links", "rows ", "own "];

/** Returns bytes as hexadecimal, whose order is that of the bytes. */
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text) => Uint8Array.from(text.match(/../gu) ?? [], (pair) => Number.parseInt(pair, 16));
const byKey = ([a], [b]) => (a < b ? -1 : 1);

/** Returns a store that lasts as long as the program. A link that is in it is lost with it. */
export const memoryStore = () => new TableStore(null);

/** Returns a store whose changes `backend` makes durable. */
export const tableStore = (backend) => new TableStore(backend);

export class TableStore {
  #backend;
  /** By table and key, `{ value, secret }`. Null while the store is closed. */
  #tables = null;
  /** The transaction that will begin next: `commits`, `effects` and the promise `durable`. */
  #waiting = null;
  /** Resolves when all transactions that were requested so far have ended. */
  #ended = Promise.resolve();
  #kept = new Map();

  constructor(backend) {
    this.#backend = backend;
  }

  async open(lost) {
    if (this.#tables) throw new CompanionError("TAKEN", "the store is in use");
    const tables = this.#backend ? new Map() : this.#kept;
    this.#tables = tables;
    try {
      const stored = (await this.#backend?.load(lost)) ?? [];
      for (const { table, key, value, secret } of stored) tableOf(tables, table).set(key, { value, secret });
    } catch (error) {
      await this.close();
      throw CompanionError.from(error, "STORE");
    }
  }

  /** Closes the store, after the transactions that were requested. */
  async close() {
    await this.#ended;
    this.#tables = null;
    await this.#backend?.close();
  }

  /** Whether the store is open, so that it can be read. */
  get isOpen() {
    return this.#tables !== null;
  }

  /** Returns a value of one of the application's tables, or undefined. */
  async get(table, key) {
    return (await this.#read(ownTable(table))).get(key)?.value;
  }

  /** Returns the keys and values of one of the application's tables, in the order of the keys. */
  async entries(table) {
    return [...await this.#read(ownTable(table))].map(([key, { value }]) => [key, value]).sort(byKey);
  }

  async link() {
    const all = [...(await this.#read(LINKS)).values()].map(({ value }) => value);
    return all.sort((a, b) => b.created - a.created)[0];
  }

  async linkRows(link) {
    return [...await this.#read(linkTable(link))].sort(byKey).map(([key, { value }]) => [unhex(key), value]);
  }

  async rows(collection) {
    return [...await this.#read(rowTable(collection))].sort(byKey).map(([, { value }]) => value);
  }

  /** What is read is durable: transactions that are under way end first. */
  async #read(table) {
    await this.#ended;
    if (!this.#tables) throw new CompanionError("CLOSED", "the store is closed");
    return this.#tables.get(table) ?? new Map();
  }

  /** Applies commits and effects in one transaction. Calls that are made while one is written share the next. */
  write(commits, effects) {
    if (!this.#waiting) {
      const waiting = { commits: [], effects: [] };
      this.#waiting = waiting;
      waiting.durable = this.#ended.then(() => {
        this.#waiting = null;
        return this.#apply(waiting);
      });
      this.#ended = waiting.durable.catch(() => {});
    }
    this.#waiting.commits.push(...commits);
    this.#waiting.effects.push(...effects);
    return this.#waiting.durable;
  }

  async #apply({ commits, effects }) {
    if (!this.#tables) throw new CompanionError("CLOSED", "the store is closed");
    const changes = new Changes(this.#tables);
    const txn = new TableTxn(changes);
    try {
      applyAll(changes, commits);
      for (const effect of effects) effect(txn);
      await this.#backend?.save(changes.list(), () => all(this.#tables));
    } catch (error) {
      changes.undo();
      throw CompanionError.from(error, "STORE");
    }
    txn.onDurable.splice(0).forEach((f) => f());
  }

  putLink(txn, link) {
    TableTxn.changes(txn).put(LINKS, link.link, link);
  }

  setState(txn, link, state) {
    const stored = TableTxn.changes(txn).get(LINKS, link);
    if (stored) this.putLink(txn, { ...stored, state });
  }

  clear(txn) {
    const changes = TableTxn.changes(txn);
    for (const table of changes.tables()) if (WITH_LINK.some((start) => table.startsWith(start))) changes.clear(table);
  }

  forget(txn, link) {
    if (link) TableTxn.changes(txn).clear(linkTable(link));
  }

  rowsIn(txn) {
    const changes = TableTxn.changes(txn);
    return {
      get: (collection, id, then) => then(changes.get(rowTable(collection), hex(id))),
      put: (row) => changes.put(rowTable(row.collection), hex(row.id), row),
      delete: (collection, id) => changes.delete(rowTable(collection), hex(id)),
      count: (collection, then) => then(changes.entries(rowTable(collection)).length),
      each(collection, visit, over) {
        const table = rowTable(collection);
        for (const [key, row] of changes.entries(table)) {
          visit(row, { put: (changed) => changes.put(table, key, changed), delete: () => changes.delete(table, key) });
        }
        over();
      },
    };
  }
}

/** The application's view of a transaction. It is used at once: when the effect has returned, nothing more is taken. */
class TableTxn {
  #changes;
  onDurable = [];

  constructor(changes) {
    this.#changes = changes;
  }

  static changes(txn) {
    return txn.#changes;
  }

  get(table, key) {
    return this.#changes.get(ownTable(table), key);
  }

  entries(table) {
    return this.#changes.entries(ownTable(table));
  }

  put(table, key, value) {
    this.#changes.put(ownTable(table), key, structuredClone(value));
  }

  delete(table, key) {
    this.#changes.delete(ownTable(table), key);
  }

  /** Calls `f` when the transaction is durable. */
  whenDurable(f) {
    this.onDurable.push(f);
  }
}

/** The changes of one transaction, made in the tables at once, with what undoes them. */
class Changes {
  #tables;
  /** By table and key, what was there before the transaction. */
  #before = new Map();

  constructor(tables) {
    this.#tables = tables;
  }

  tables() {
    return [...this.#tables.keys()];
  }

  get(table, key) {
    return this.#tables.get(table)?.get(key)?.value;
  }

  entries(table) {
    return [...this.#tables.get(table) ?? []].map(([key, { value }]) => [key, value]).sort(byKey);
  }

  put(table, key, value, secret = false) {
    this.#note(table, key).set(key, { value, secret });
  }

  delete(table, key) {
    this.#note(table, key).delete(key);
  }

  clear(table) {
    for (const key of [...tableOf(this.#tables, table).keys()]) this.delete(table, key);
  }

  #note(table, key) {
    const entries = tableOf(this.#tables, table);
    const before = tableOf(this.#before, table);
    if (!before.has(key)) before.set(key, entries.get(key));
    return entries;
  }

  undo() {
    for (const [table, before] of this.#before) {
      const entries = tableOf(this.#tables, table);
      for (const [key, entry] of before) entry ? entries.set(key, entry) : entries.delete(key);
    }
  }

  /** What a backend must store: for each key its last value, or none. */
  list() {
    return [...this.#before].flatMap(([table, before]) => [...before].map(([key, was]) => {
      const entry = this.#tables.get(table).get(key);
      return { table, key, ...entry, wasSecret: was?.secret ?? false };
    }));
  }
}

function tableOf(tables, name) {
  const table = tables.get(name) ?? new Map();
  tables.set(name, table);
  return table;
}

function* all(tables) {
  for (const [table, entries] of tables) for (const [key, entry] of entries) yield { table, key, ...entry };
}

/** Compares the version of each link with the one that its first commit expects, then writes. */
function applyAll(changes, commits) {
  const compared = new Set();
  for (const { link, versionKey, expects, writes } of commits) {
    const table = linkTable(link);
    const stored = changes.get(table, hex(versionKey));
    if (!compared.has(link) && hex(stored ?? []) !== hex(expects ?? [])) throw new Conflict();
    compared.add(link);
    for (const { key, value, secret, from, to } of writes) {
      if (value) changes.put(table, hex(key), value, secret ?? false);
      else if (key) changes.delete(table, hex(key));
      else for (const [stored] of changes.entries(table)) if (stored >= hex(from) && stored < hex(to)) changes.delete(table, stored);
    }
  }
}
