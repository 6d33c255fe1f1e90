// One IndexedDB database with the rows of the machines and the application's own stores, which change
// together. Transactions have `durability: "strict"`: when `write` resolves, its commits are on disk. Secret
// rows are encrypted.

import { DeviceKey, KEY_STORE } from "./device_key.js";
import { CompanionError, Conflict } from "./errors.js";
import { done, told } from "./request.js";

/** The store of the machines' rows, by `[link, key]`. */
const ROWS = "handfast";
/** The store with the terms and the state of each link, by link. */
const LINKS = "links";

/**
 * The interval of checks whether the browser still answers requests, in milliseconds, and how many checks in
 * a row may find no answer.
 */
const LOOK_EVERY = 5_000;
const LOOKS_MAX = 4;

export class Database {
  #db;
  #stores;
  #key = null;
  #begun = Promise.resolve();
  /** The transaction that will begin next. Commits are added to it until it begins. */
  #waiting = null;
  /**
   * The functions that reject the requests which the browser has not answered, and the number of checks since
   * the browser's last answer.
   */
  #open = new Set();
  #looks = 0;
  #timer = 0;
  #lost;

  constructor(db, stores, lost) {
    this.#db = db;
    this.#stores = [ROWS, LINKS, KEY_STORE, ...stores];
    this.#lost = lost;
  }

  /**
   * Opens the database. `stores` maps the names of the application's stores to their options and indexes.
   * `lost` is called with a reason when the browser closes the database (for example because its data were
   * cleared), or when the browser stops answering. `upgrade(db, txn, from)` migrates the application's stores
   * from an older version, within the transaction of the upgrade; stores that were missing exist by then.
   */
  static async open(name, version, stores, lost, upgrade) {
    const request = indexedDB.open(name, version);
    request.onupgradeneeded = ({ oldVersion }) => {
      const db = request.result;
      const make = (store, options) => (db.objectStoreNames.contains(store) ? request.transaction.objectStore(store) : db.createObjectStore(store, options));
      make(ROWS);
      make(KEY_STORE);
      make(LINKS, { keyPath: "link" });
      for (const [store, { indexes = {}, ...options }] of Object.entries(stores)) {
        const made = make(store, options);
        for (const [index, path] of Object.entries(indexes)) if (!made.indexNames.contains(index)) made.createIndex(index, path);
      }
      upgrade?.(db, request.transaction, oldVersion);
    };
    const db = await done(request);
    const database = new Database(db, Object.keys(stores), lost);
    const closed = () => database.#gone("the browser closed the database");
    db.onversionchange = () => { db.close(); closed(); };
    db.onclose = closed;
    return database;
  }

  /** Rejects all requests that wait, because the browser will not answer any more. */
  #gone(reason) {
    this.#lost(reason);
    for (const giveUp of this.#open) giveUp(new CompanionError("STORE_LOST", reason));
  }

  close() {
    // Nothing waits for the browser's answers from now on.
    this.#open.clear();
    clearTimeout(this.#timer);
    this.#db.close();
  }

  /** Returns a promise for a request. It also rejects when the browser stops answering. */
  #watched(asked) {
    return new Promise((resolve, reject) => {
      this.#open.add(reject);
      if (this.#open.size === 1) this.#answered();
      asked.then(resolve, reject).finally(() => {
        this.#open.delete(reject);
        this.#answered();
      });
    });
  }

  /** Notes an answer of the browser. All requests that still wait get their full time again. */
  #answered() {
    this.#looks = 0;
    clearTimeout(this.#timer);
    if (this.#open.size > 0) this.#look();
  }

  /** Checks are counted instead of time, because a frozen page has made none while it was frozen. */
  #look() {
    this.#timer = setTimeout(() => {
      this.#looks += 1;
      if (this.#looks < LOOKS_MAX) return this.#look();
      this.#gone("the browser's database does not answer");
    }, LOOK_EVERY);
  }

  /** The key that encrypts secrets. It is created when the first secret is stored. */
  #deviceKey() {
    return (this.#key ??= this.#watched(DeviceKey.of(this.#db)).catch((error) => {
      this.#key = null;
      throw error;
    }));
  }

  /**
   * Deletes the key in a transaction. Copies of encrypted secrets anywhere on the disk are useless after
   * that.
   */
  forgetKey(txn) {
    txn.objectStore(KEY_STORE).clear();
    this.#key = null;
  }

  /** Returns a link's rows, as `WebLink.load` takes them. */
  async rows(link) {
    const store = this.read(ROWS).objectStore(ROWS);
    const range = ofLink(link);
    const [keys, values] = await Promise.all([done(store.getAllKeys(range)), done(store.getAll(range))]);
    return Promise.all(keys.map(async ([, key], index) => {
      const value = values[index];
      return [new Uint8Array(key), value instanceof Uint8Array ? value : await (await this.#deviceKey()).unwrap(link, key, value)];
    }));
  }

  /** Returns the row of the newest link, if there is a link. */
  async link() {
    const all = await done(this.read(LINKS).objectStore(LINKS).getAll());
    return all.sort((a, b) => b.created - a.created)[0];
  }

  /** Returns a value from one of the application's stores. */
  get(store, key) {
    return done(this.read(store).objectStore(store).get(key));
  }

  /** Returns a transaction that only reads. */
  read(...stores) {
    const txn = this.#db.transaction(stores);
    this.#watched(new Promise((over) => { txn.oncomplete = txn.onabort = over; })).catch(() => {});
    return txn;
  }

  /**
   * Applies commits and effects in one transaction. An effect is a function that gets the transaction and
   * must use it at once. The promise rejects with `Conflict` when the store is not at the version that the
   * first commit of a link expects, and with `Full` when there is no space.
   *
   * Transactions begin in the order of the calls, each once its secrets are encrypted. Calls that are made
   * while a transaction runs share the next one.
   */
  write(commits, effects) {
    const wrapped = this.#wrap(commits);
    const begun = this.#begun.then(() => wrapped);
    this.#begun = begun.catch(() => {});
    return begun.then((ready) => this.#join(ready, effects));
  }

  #wrap(commits) {
    return Promise.all(commits.map(async (commit) => {
      const writes = commit.writes.map(async (write) =>
        (write.secret ? { ...write, value: await (await this.#deviceKey()).wrap(commit.link, write.key, write.value) } : write));
      return { ...commit, writes: await Promise.all(writes) };
    }));
  }

  #join(commits, effects) {
    const waiting = (this.#waiting ??= this.#begin());
    waiting.commits.push(...commits);
    waiting.effects.push(...effects);
    return waiting.durable;
  }

  #begin() {
    const txn = this.#db.transaction(this.#stores, "readwrite", { durability: "strict" });
    const waiting = { commits: [], effects: [] };
    const isOver = () => { if (this.#waiting === waiting) this.#waiting = null; };
    let reason = null;
    const fail = (error) => {
      reason ??= error;
      try { txn.abort(); } catch { /* It is over already. */ }
    };
    const over = new Promise((resolve, reject) => {
      txn.oncomplete = () => resolve();
      txn.onabort = () => {
        isOver();
        reject(reason ?? told(txn.error) ?? new CompanionError("STORE", "the database gave a transaction up"));
      };
      // The first request of a transaction is answered when all transactions before it have ended.
      txn.objectStore(KEY_STORE).count().onsuccess = () => {
        this.#answered();
        isOver();
        try {
          applyAll(txn.objectStore(ROWS), waiting.commits, fail);
          for (const effect of waiting.effects) effect(txn);
        } catch (error) {
          fail(error);
        }
      };
    });
    waiting.durable = this.#watched(over);
    waiting.durable.catch(fail);
    return waiting;
  }
}

/**
 * Compares versions, then writes. Requests of a transaction run in order, so a failed comparison undoes the
 * writes after it. If several writes have the same key only the last is made, which saves writes of the
 * version, since every commit has one.
 */
function applyAll(store, commits, fail) {
  const compared = new Set();
  const last = new Map();
  for (const { link, writes } of commits) for (const write of writes) if (write.key) last.set(`${link} ${write.key}`, write);
  for (const commit of commits) {
    if (!compared.has(commit.link)) {
      compared.add(commit.link);
      store.get([commit.link, commit.versionKey]).onsuccess = ({ target }) => {
        if (!same(target.result, commit.expects)) fail(new Conflict());
      };
    }
    for (const write of commit.writes) {
      const { key, value, from, to } = write;
      if (key && last.get(`${commit.link} ${key}`) !== write) continue;
      if (value) store.put(value, [commit.link, key]);
      else if (key) store.delete([commit.link, key]);
      // The browser rejects a range that is empty.
      else if (indexedDB.cmp(from, to) < 0) store.delete(IDBKeyRange.bound([commit.link, from], [commit.link, to], false, true));
    }
  }
}

/** Returns the range of all keys of a link: IndexedDB sorts arrays after all binary keys. */
export const ofLink = (link) => IDBKeyRange.bound([link], [link, []]);

function same(a, b) {
  if (!a || !b) return !a && !b;
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/**
 * How often the browser may list a database after closing it (a browser closes a database before it removes
 * it), the interval of the queries in milliseconds, and the most queries.
 */
const GONE_LOOKS = 5;
const GONE_EVERY = 200;
const GONE_ASKED_MAX = 50;

/** Returns whether a database that existed was removed, because the user made the browser clear its data. */
export function isGone(name) {
  return new Promise((resolve) => {
    let [asked, there] = [0, 0];
    const answered = (all) => {
      if (!all.some((one) => one.name === name)) return resolve(true);
      there += 1;
      return there === GONE_LOOKS && resolve(false);
    };
    // Chromium never answers a query made at the moment when it closes databases, so no query waits for the
    // answer of another.
    const ask = () => {
      if (asked === GONE_ASKED_MAX) return resolve(false);
      asked += 1;
      indexedDB.databases().then(answered, () => {});
      return there < GONE_LOOKS && setTimeout(ask, GONE_EVERY);
    };
    ask();
  });
}
