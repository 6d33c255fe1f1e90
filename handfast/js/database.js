// One IndexedDB database: the rows of the machines, and the application's own stores, changed together. Each commit is
// one transaction with `durability: "strict"`: when `write` is done, it is on the disk. Secret rows are wrapped.

import { DeviceKey, KEY_STORE } from "./device_key.js";
import { done, told } from "./request.js";

/** The machines' store, by `[link, key]`. */
const ROWS = "handfast";
/** What is known of each link, by link. */
const LINKS = "links";

/** How often it is looked whether the browser still answers, in milliseconds, and how many looks in a row may find no answer. */
const LOOK_EVERY = 5_000;
const LOOKS_MAX = 4;

/** Somebody else wrote to the database: another tab or process. Drop everything, and open it again. */
export class Conflict extends Error {
  constructor() {
    super("the database was changed by something else");
    this.name = "Conflict";
  }
}

export class Database {
  #db;
  #stores;
  #key = null;
  #begun = Promise.resolve();
  /** A transaction whose turn has not come yet. */
  #waiting = null;
  /** How to give up what the browser has not answered yet, and the looks since its last answer. */
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
   * Opens the database. `stores`: the application's stores, a name and the options and indexes of each. `lost` is called with a reason
   * when the browser closes it, because its data were cleared for instance, or does not answer any more. `upgrade(db, txn, from)` brings
   * the application's stores up from an older version, in the transaction that does so; missing stores are there then.
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

  /** Nothing that was asked for will be answered. */
  #gone(reason) {
    this.#lost(reason);
    for (const giveUp of this.#open) giveUp(new Error(reason));
  }

  close() {
    // Whatever is answered from now on, nobody waits for it.
    this.#open.clear();
    clearTimeout(this.#timer);
    this.#db.close();
  }

  /** What the browser was asked for. It fails when the browser does not answer any more. */
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

  /** The browser answered: for what is still open it has its time again. */
  #answered() {
    this.#looks = 0;
    clearTimeout(this.#timer);
    if (this.#open.size > 0) this.#look();
  }

  /** Looks are counted rather than time: a page that was frozen has not looked meanwhile. */
  #look() {
    this.#timer = setTimeout(() => {
      this.#looks += 1;
      if (this.#looks < LOOKS_MAX) return this.#look();
      this.#gone("the browser's database does not answer");
    }, LOOK_EVERY);
  }

  /** The key of the secrets, made when the first of them is stored. */
  #deviceKey() {
    return (this.#key ??= this.#watched(DeviceKey.of(this.#db)).catch((error) => {
      this.#key = null;
      throw error;
    }));
  }

  /** Forgets the key with an effect: what is left of the secrets on the disk, wherever that is, is of no use any more. */
  forgetKey(txn) {
    txn.objectStore(KEY_STORE).clear();
    this.#key = null;
  }

  /** A link's rows, as `WebLink.load` takes them. */
  async rows(link) {
    const store = this.read(ROWS).objectStore(ROWS);
    const range = ofLink(link);
    const [keys, values] = await Promise.all([done(store.getAllKeys(range)), done(store.getAll(range))]);
    return Promise.all(keys.map(async ([, key], index) => {
      const value = values[index];
      return [new Uint8Array(key), value instanceof Uint8Array ? value : await (await this.#deviceKey()).unwrap(link, key, value)];
    }));
  }

  /** The newest link, if there is one. */
  async link() {
    const all = await done(this.read(LINKS).objectStore(LINKS).getAll());
    return all.sort((a, b) => b.created - a.created)[0];
  }

  /** One value of one of the application's stores. */
  get(store, key) {
    return done(this.read(store).objectStore(store).get(key));
  }

  /** A transaction that only reads. */
  read(...stores) {
    const txn = this.#db.transaction(stores);
    this.#watched(new Promise((over) => { txn.oncomplete = txn.onabort = over; })).catch(() => {});
    return txn;
  }

  /**
   * Applies commits and effects in one transaction. An effect is a function that is given the transaction and must use it
   * at once. Fails with `Conflict` when the store is not at the version that the first commit of a link expects, and with
   * `Full` when there is no room.
   * All begin in the order in which they are asked for, each when its secrets are wrapped; what comes while another transaction is under
   * way shares the next one.
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
        reject(reason ?? told(txn.error) ?? new Error("the database gave a transaction up"));
      };
      // Its first request is answered when those before it are over.
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
 * Compares versions and writes. The requests of a transaction run in order, so a failed comparison undoes what follows it. Of several
 * writes of one key only the last is made: every commit writes the version.
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
      // The browser takes no range that is empty.
      else if (indexedDB.cmp(from, to) < 0) store.delete(IDBKeyRange.bound([commit.link, from], [commit.link, to], false, true));
    }
  }
}

/** Every key of a link: an array is behind every binary key. */
export const ofLink = (link) => IDBKeyRange.bound([link], [link, []]);

function same(a, b) {
  if (!a || !b) return !a && !b;
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/**
 * How often the browser may say that a database is there which it closed, since it closes it before it removes it; how far apart it is
 * asked, in milliseconds; and how often at most.
 */
const GONE_LOOKS = 5;
const GONE_EVERY = 200;
const GONE_ASKED_MAX = 50;

/** Whether a database that was there is not any more: the user had the browser clear it. */
export function isGone(name) {
  return new Promise((resolve) => {
    let [asked, there] = [0, 0];
    const answered = (all) => {
      if (!all.some((one) => one.name === name)) return resolve(true);
      there += 1;
      return there === GONE_LOOKS && resolve(false);
    };
    // Chromium never answers what it is asked in the moment in which it closes databases: no question waits for the answer to another.
    const ask = () => {
      if (asked === GONE_ASKED_MAX) return resolve(false);
      asked += 1;
      indexedDB.databases().then(answered, () => {});
      return there < GONE_LOOKS && setTimeout(ask, GONE_EVERY);
    };
    ask();
  });
}
