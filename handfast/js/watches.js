// Collections that an application watches: their rows as sources, kept up to date as long as somebody listens.

import { CompanionError } from "./errors.js";
import { Source } from "./sources.js";
import { hex } from "./table_store.js";

/** How long a collection stays subscribed after its last listener has gone, in milliseconds: a view that is drawn again comes back. */
const LINGER = 1_000;
const LOADING = Object.freeze({ rows: Object.freeze([]), state: "loading", error: null });

/** The rows of one collection. A row stays the same object until it changes. */
class Rows extends Source {
  #driver;
  #collection;
  #isReading = false;
  #isStale = false;
  /** Where the subscription is: `none`, `open`, or `leaving` until the phone has confirmed its end. */
  #subscription = "none";
  #leaving = 0;

  constructor(driver, collection) {
    super(LOADING);
    this.#driver = driver;
    this.#collection = collection;
  }

  begin() {
    clearTimeout(this.#leaving);
    this.read();
    this.connect();
  }

  end() {
    this.#leaving = setTimeout(() => this.leave(), LINGER);
  }

  /** Ends the subscription. */
  leave() {
    clearTimeout(this.#leaving);
    if (this.#subscription !== "open") return;
    this.#subscription = this.#call((link, now) => link.unsubscribe(now, this.#collection)) ? "leaving" : "none";
    this.disconnect();
  }

  /** The phone has ended the subscription, as it was asked to. */
  left() {
    this.#subscription = "none";
    this.connect();
  }

  /** There is a new connection, which has no subscriptions. */
  reconnect() {
    this.#subscription = "none";
    this.connect();
  }

  /** Subscribes, if there is a connection and somebody listens. */
  connect() {
    if (!this.isWatched || this.#subscription !== "none") return;
    if (this.#call((link, now) => link.subscribe(now, this.#collection))) this.#subscription = "open";
  }

  /** Returns whether there is a connection, and the call was taken. */
  #call(verb) {
    if (!this.#driver.isLinked) return false;
    try {
      this.#driver.verb(verb);
      this.#note({ error: null });
      return true;
    } catch (error) {
      // Without a connection nothing is wrong: the next one begins with all subscriptions.
      if (error.code !== "WRONG_STATE") this.#note({ error });
      return false;
    }
  }

  /** The phone cannot be heard. */
  disconnect() {
    this.#note({ state: this.#outOfSync });
  }

  get #outOfSync() {
    return this.getSnapshot().state === "loading" ? "loading" : "stored";
  }

  /** The collection was found equal to the phone's, or not. */
  async settled(isInSync) {
    if (isInSync) await this.#driver.settleRows(this.#collection, (_ids, _txn, over) => over());
    await this.read();
    this.#note({ state: isInSync ? "inSync" : "stored" });
  }

  #note(fields) {
    const snapshot = this.getSnapshot();
    if (Object.entries(fields).some(([name, value]) => snapshot[name] !== value)) this.set({ ...snapshot, ...fields });
  }

  /** Reads the rows again. Changes that come meanwhile are read after that, once. */
  async read() {
    if (!this.isWatched) return;
    if (this.#isReading) return void (this.#isStale = true);
    this.#isReading = true;
    try {
      do {
        this.#isStale = false;
        if (this.#driver.isOpen) this.#show(await this.#driver.rows(this.#collection));
      } while (this.#isStale);
    } catch (error) {
      this.#note({ error: CompanionError.from(error, "STORE") });
    } finally {
      this.#isReading = false;
    }
  }

  #show(stored) {
    const snapshot = this.getSnapshot();
    const old = new Map(snapshot.rows.map((row) => [row.key, row]));
    const rows = stored.map(({ id, rev, body }) => {
      const key = hex(id);
      const was = old.get(key);
      return was?.rev === rev ? was : Object.freeze({ key, id, rev, body: body ?? new Uint8Array() });
    });
    const isSame = rows.length === snapshot.rows.length && rows.every((row, at) => row === snapshot.rows[at]);
    if (isSame && snapshot.state !== "loading") return;
    this.set({ ...snapshot, rows: Object.freeze(rows), state: snapshot.state === "loading" ? "stored" : snapshot.state });
  }
}

/** All watched collections of a companion. */
export class Watches {
  #driver;
  #all = new Map();

  constructor(driver) {
    this.#driver = driver;
  }

  /** Returns the source of a collection, the same one each time. */
  of(collection) {
    const name = hex(collection);
    if (!this.#all.has(name)) this.#all.set(name, new Rows(this.#driver, collection));
    return this.#all.get(name);
  }

  /** Takes note of an event that concerns the collections. */
  take(event) {
    if (event.type === "connected") this.#each((rows) => rows.reconnect());
    else if (event.type === "unsubscribed") this.#all.get(hex(event.collection))?.left();
    else if (event.type === "state" && event.state !== "live") this.#each((rows) => rows.disconnect());
    else if (event.type === "inSync") this.#settled(event.collection, true);
    else if (event.type === "resyncFailed") this.#settled(event.collection, false);
  }

  #settled(collection, isInSync) {
    // A connection or store that has ended meanwhile is told elsewhere.
    this.#all.get(hex(collection))?.settled(isInSync).catch(() => {});
  }

  /** Rows of this collection have arrived. */
  arrived(collection) {
    this.#all.get(hex(collection))?.read();
  }

  /** The stored rows may be others. */
  loaded() {
    this.#each((rows) => rows.read());
  }

  /** Ends all timers. */
  close() {
    this.#each((rows) => rows.leave());
  }

  #each(then) {
    for (const rows of this.#all.values()) then(rows);
  }
}
