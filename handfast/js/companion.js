// A companion of a phone, as an application sees it. `driver.js` does the work.

import { Driver } from "./driver.js";
import { CompanionError, closed } from "./errors.js";
import { Listeners } from "./listeners.js";
import { Status } from "./sources.js";
import { hex } from "./table_store.js";
import { Watches } from "./watches.js";

const encoder = new TextEncoder();
/** The length of a command's key, in bytes. */
const KEY_LEN = 16;

/** The name of a collection as bytes. A text stands for its bytes in UTF-8. */
const bytesOf = (name) => (typeof name === "string" ? encoder.encode(name) : name);

/** Returns a fresh key for a command. */
export const drawKey = () => hex(crypto.getRandomValues(new Uint8Array(KEY_LEN)));

/**
 * A companion. It opens nothing before `start()`, and keeps nothing after `close()`.
 *
 * `application` is what happens to arriving rows and results in the transaction of their commit, `row(row, txn)`, `gone(row, txn)`,
 * `result(result, txn)`, each optional; the types of the package say it all.
 */
export class Companion {
  #driver;
  #store;
  #listeners = new Listeners();
  #status = new Status();
  #watches;
  /** By key, what settles the promise of a command's answer. */
  #answers = new Map();

  constructor(options) {
    const { store, lock, socket, load } = options;
    for (const [name, value] of Object.entries({ store, lock, socket, load })) {
      if (!value) throw new CompanionError("BAD_ARGUMENT", `a companion needs the option \`${name}\` here`);
    }
    this.#store = store;
    const sink = {
      tell: (event) => this.#tell(event),
      arrived: (messages) => this.#arrived(messages),
      loaded: () => this.#watches.loaded(),
    };
    const defaults = { application: {}, origin: globalThis.location?.origin ?? "", grants: 0n, keepsBodies: true };
    this.#driver = new Driver({ ...defaults, ...options }, sink);
    this.#watches = new Watches(this.#driver);
  }

  /**
   * Takes the lock, opens the store, and starts. If another tab or process has the lock, it only emits `taken`. If the companion is closed
   * meanwhile, nothing is started.
   */
  start() {
    return this.#driver.start();
  }

  /** Takes the link over from the tab that has it. */
  takeOver() {
    return this.#driver.takeOver();
  }

  /**
   * Ends everything: the socket, all timers, then, when pending writes are durable, the store and the lock. The link stays stored. Promises
   * that are still open reject with the code `CLOSED`. May be called at any time, and again.
   */
  close() {
    const finished = this.#driver.close();
    this.#watches.close();
    this.#giveUp(closed());
    return finished;
  }

  /** Calls `f(event)` at each event of this type. Returns a function that ends this. */
  on(type, f) {
    return this.#listeners.on(type, f);
  }

  /** Where the companion is: a source of one value. */
  get status() {
    return this.#status;
  }

  /** The rows of a collection: a source, the same one each time. The collection is subscribed to while somebody listens. */
  watch(collection) {
    return this.#watches.of(bytesOf(collection));
  }

  /** The link's terms, `created` and `state`; null if there is none. */
  get known() {
    return this.#driver.known;
  }

  get isLinked() {
    return this.#driver.isLinked;
  }

  /** The store, for reads of the application. */
  get store() {
    return this.#store;
  }

  /**
   * Sends a command. Resolves when command and `effect(txn)` are durable; from then on the phone runs the command exactly once, whatever
   * happens. `key` identifies it: 16 random bytes as hex, drawn when the user acts and used for no other command; it is drawn here if none is
   * given. The result has the key, and a promise of the phone's `answer`, for as long as this companion runs; after a restart the answer
   * reaches `application.result` alone.
   */
  async send(body, { key = drawKey(), effect } = {}) {
    // A link that is never confirmed is deleted, and a command sent over it would be lost.
    if (this.#driver.isClosed) throw closed();
    if (this.#driver.isPending) throw new CompanionError("UNCONFIRMED", "the phone has not confirmed this link yet");
    const known = this.#answers.get(key);
    const awaited = known ?? this.#await(key);
    try {
      await this.#driver.commit((machine, now) => machine.send(now, key, body), effect);
    } catch (error) {
      if (!known) this.#answers.delete(key);
      throw CompanionError.from(error);
    }
    return { key, answer: awaited.answer };
  }

  #await(key) {
    const awaited = {};
    awaited.answer = new Promise((resolve, reject) => Object.assign(awaited, { resolve, reject }));
    // An application that does not ask for the answer need not handle its failure.
    awaited.answer.catch(() => {});
    this.#answers.set(key, awaited);
    return awaited;
  }

  /** Subscribes to a collection, for this connection: call it at each `connected`. */
  subscribe(collection) {
    this.#driver.verb((link, now) => link.subscribe(now, bytesOf(collection)));
  }

  /** Subscribes to a collection whose rows are not stored: from the stored cursor, or else from now on. */
  subscribeFromNow(collection) {
    this.#driver.verb((link, now) => link.subscribeFromNow(now, bytesOf(collection)));
  }

  unsubscribe(collection) {
    this.#driver.verb((link, now) => link.unsubscribe(now, bytesOf(collection)));
  }

  /**
   * Passes the ids of a collection that was found equal to the phone's to `use(ids, txn, over)`. The
   * transaction for this first drops the collection's stale rows, and calls `gone` for each.
   */
  settleRows(collection, use) {
    return this.#driver.settleRows(bytesOf(collection), use);
  }

  /** Ends the connection with this error code, because the application cannot accept what the phone sent. */
  refuse(code) {
    this.#driver.verb((link, now) => link.refuse(now, code));
  }

  setEphemeral(slot, body) {
    this.#driver.verb((link, now) => link.setEphemeral(now, slot, body));
  }

  /**
   * The ids of the open streams. Any other stream that the application still wants must be opened again,
   * unless its end was reported.
   */
  get streams() {
    return new Set(this.#driver.streams);
  }

  /**
   * Opens a stream that fetches content of which the first `stored` bytes are stored and checked. `effect(txn,
   * { id })` becomes part of its transaction. The stream's events are `streamWrite`, `streamSync` and
   * `streamEnded`.
   */
  async streamGet(content, stored, effect) {
    await this.#driver.commit((machine, now) => machine.streamGet(now, content, stored), effect);
  }

  /**
   * Opens a stream that sends the content of this chunk list. `effect(txn, { id })` becomes part of its
   * transaction. The stream's events are `streamRead`, `streamProgress` and `streamEnded`.
   */
  async streamPut(list, effect) {
    await this.#driver.commit((machine, now) => machine.streamPut(now, list), effect);
  }

  /**
   * Continues a stream from before the start, whose events are held back until then. `list` is its chunk list
   * if that is stored. Returns false if the stream is not open any more, and its end will not be reported.
   */
  streamContinue(id, list) {
    return this.#driver.verb((link) => link.streamContinue(id, list)) ?? false;
  }

  /** Hands back the buffer of a `streamWrite` whose bytes were written, to be used for another. */
  streamReuse(buffer) {
    this.#driver.reuse(buffer);
  }

  /**
   * Reports that all content of a stream which was written before its `streamSync` is durable. `effect(txn)`
   * becomes part of the transaction that records this. Returns whether it was recorded: it is not if the
   * stream has ended or continued over a new connection meanwhile; then another `streamSync` comes.
   */
  async streamDurable(id, effect) {
    return (await this.#driver.commit((machine, now) => machine.streamDurable(now, id), effect)) !== undefined;
  }

  /** Supplies the content that `streamRead` asked for, or the beginning of it. */
  streamSupply(id, bytes) {
    this.#driver.verb((link) => link.streamSupply(id, bytes));
  }

  /** Pauses a stream that sends, or continues it. */
  streamPause(id, isPaused) {
    this.#driver.verb((link) => link.streamPause(id, isPaused));
  }

  /** Stops a stream for both sides: `CANCELLED`, or `IO` or `GONE` if its content cannot be stored or read. */
  streamStop(id, code) {
    this.#driver.verb((link) => link.streamStop(id, code));
  }

  /** Changes the application's own stores, after all writes that were requested before. */
  change(effect) {
    return this.#driver.change(effect);
  }

  /** Takes back the seat at the relay that another browser took. Called when the user asks for it. */
  takeBack() {
    this.#driver.verb((link, now) => link.takeBack(now));
  }

  /** Passes the two digits that the user read on the phone to the pairing attempt. There is no second try. */
  enterNumber(digits) {
    this.#driver.answer((machine, now) => machine.enterNumber(now, digits));
  }

  /**
   * Ends the pairing attempt, because the phone asks for no digits or shows none, or because the user wishes
   * so.
   */
  stopPairing() {
    this.#driver.answer((machine, now) => machine.stop(now));
  }

  /**
   * Shows a new code because the user asks for one, after an attempt that ended without a link. A link that
   * the phone has not confirmed is dropped. Has no effect while a code is shown.
   */
  newCode() {
    return this.#driver.newCode();
  }

  /** Deletes the link and all that came over it, durably, and shows codes again. */
  logOut() {
    return this.#driver.logOut();
  }

  #tell(event) {
    if (this.#driver.isClosed) return;
    if (event.type === "unlinked") this.#giveUp(new CompanionError("NOT_LINKED", "the link was deleted"));
    if (event.type === "taken") this.#giveUp(new CompanionError("TAKEN", "another tab has taken the link"));
    if (event.type === "stopped") this.#giveUp(event.error);
    this.#status.take(event);
    this.#watches.take(event);
    this.#listeners.tell(event.type, event);
  }

  #arrived(messages) {
    const collections = new Map();
    for (const { type, key, body, collection } of messages) {
      if (type === "result") this.#answers.get(key)?.resolve(body);
      if (type === "result") this.#answers.delete(key);
      if (collection) collections.set(hex(collection), collection);
    }
    for (const collection of collections.values()) this.#watches.arrived(collection);
  }

  /** Answers that have not come will not be told here any more. */
  #giveUp(error) {
    for (const { reject } of this.#answers.values()) reject(error);
    this.#answers.clear();
  }
}
