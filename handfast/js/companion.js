// A companion in a web page: shows codes until a phone is linked, then keeps the link running. It connects
// the machines of the WebAssembly module to a socket, a database, a lock and a clock; what messages mean is
// left to the application.
//
//   import init, { Companion } from "handfast";
//   const companion = await Companion.open({ database: "my-app", relay: "relay.example", label: "My page", grants: 3n, application });
//   await companion.start();
//
// `application` has `stores` (its own stores, see database.js); `row(row, txn)`, `gone(row, txn)` and
// `result(result, txn)`, which write the effect of an arrived row or result in the transaction of its commit;
// and `event(event)`.
// Optional: `arrives(message, txn, over)` and `arrived(message, txn, over)`, called before and after the rows
// of a `delta` or `page`, which must call `over` when their last request was answered (a `result` function
// uses `inTurn` for the same purpose); `keeps(collection)`, false for a collection whose rows are not kept;
// `bound(collection)`, the most rows that it has; and `upgrade(db, txn, from)`, which migrates its stores
// from an older version.
// Events of a link reach the application as the machine returns them. Besides these events there are `code`,
// `checkCode`, `numberWanted`, `codeBurnt` (with `asks`, no other code is shown before `newCode()`),
// `relayLost`, `unconfirmed` (the phone may have made the link but has not confirmed it; this is awaited
// until `until`, or until `newCode()`), `linked`, `unlinked`, `taken` (another tab has the link), `failed`,
// `full` (the browser has no space for what arrives, so nothing is accepted) and `room` (it has space again),
// and `cleared` (the user made the browser delete its data, and the link with it). With the option `pairs:
// false` no code is ever shown: `notPaired` comes instead.

import { Conflict, Database, isGone, ofLink } from "./database.js";
import init, { ShownCodes, WebLink, WebPairing, relayUrl } from "./handfast.js";
import { watchWakeEvents } from "./wake_events.js";
import { ROWS_STORE, digestOf, dropStale, inTurn, passRows, rowsOf, takeRows } from "./rows.js";
import { Full } from "./request.js";
import { Socket } from "./sockets.js";
import { TabLock } from "./tab_lock.js";

export { Conflict, Full, inTurn };
export * from "./handfast.js";
export default init;

/** How long a code is shown, in milliseconds, and how many codes are valid at once. */
const CODE_SHOWN = 30_000;
const CODES_MAX = 2;
/** How long a link that the phone never confirmed stays stored, in milliseconds. */
const PENDING_KEPT = 24 * 3_600_000;
/** The number of failed transactions in a row after which the tab gives up. */
const FAILURES_MAX = 3;
/**
 * The first wait after the database had no space, and the longest, in milliseconds. Each wait is twice as
 * long as the one before.
 */
const REST = 1_000;
const REST_MAX = 60_000;
/** The longest delay that the browser's timers accept, in milliseconds. */
const TIMER_MAX = 2 ** 31 - 1;

/**
 * A running machine with its socket, the deadline `at`, and `over`: the event with which the machine has
 * ended.
 */
class Task {
  socket = null;
  at = null;
  over = null;
  terms = null;

  constructor(kind, machine) {
    this.kind = kind;
    this.machine = machine;
  }
}

export class Companion {
  #options;
  #application;
  #stores;
  #lock;
  #database = null;
  #link = null;
  #known = null;
  #codes = [];
  /** A flag that all codes share, so that only one of them answers a phone. */
  #shownCodes = null;
  #nextCode = null;
  #timer = 0;
  #writing = Promise.resolve();
  #failures = 0;
  #rests = 0;
  #stopWatching = null;
  #generation = 0;
  #told = null;

  /** Creates a companion. It opens nothing yet but the channel of its lock. */
  static async open(options) {
    const companion = new Companion();
    companion.#options = { version: 1, origin: location.origin, ...options };
    companion.#application = options.application;
    companion.#stores = { ...options.application.stores, [ROWS_STORE]: { keyPath: ["collection", "id"] } };
    companion.#lock = new TabLock(options.database, () => companion.#stop({ type: "taken" }));
    return companion;
  }

  /** Takes the lock and starts. If another tab has the lock, it only emits `taken`. */
  async start() {
    if (await this.#lock.take()) await this.#begin();
    else this.#tell({ type: "taken" });
  }

  /** Takes the link over from the tab that has it. */
  async takeOver() {
    if (await this.#lock.takeOver()) await this.#begin();
  }

  /** The link's terms, `created` and `state`; null if there is none. */
  get known() {
    return this.#known;
  }

  get isLinked() {
    return this.#link !== null;
  }

  /** Whether the stored link has not been confirmed by the phone yet. */
  get #isPending() {
    return this.#known?.state === "pending";
  }

  /** The open database, for reads of the application. */
  get database() {
    return this.#database;
  }

  /**
   * Sends a command. `key` identifies it: 16 random bytes as hex, drawn when the user acts, and used for no
   * other command. `effect(txn)` becomes part of its transaction. The promise resolves when command and
   * effect are durable.
   */
  async send(key, body, effect) {
    // A link that is never confirmed is deleted, and a command sent over it would be lost.
    if (this.#isPending) throw new Error("your phone has not confirmed this link yet");
    await this.#commit((machine, now) => machine.send(now, key, body), (txn) => effect?.(txn));
  }

  subscribe(collection) {
    this.#verb((link, now) => link.subscribe(now, collection));
  }

  /** Subscribes to a collection whose rows are not stored: from the stored cursor, or else from now on. */
  subscribeFromNow(collection) {
    this.#verb((link, now) => link.subscribeFromNow(now, collection));
  }

  unsubscribe(collection) {
    this.#verb((link, now) => link.unsubscribe(now, collection));
  }

  /** Ends the connection with this error code, because the page cannot accept what the phone sent. */
  refuse(code) {
    this.#verb((link, now) => link.refuse(now, code));
  }

  setEphemeral(slot, body) {
    this.#verb((link, now) => link.setEphemeral(now, slot, body));
  }

  /**
   * The ids of the open streams. Any other stream that the application still wants must be opened again,
   * unless its end was reported.
   */
  get streams() {
    return new Set(this.#link?.machine.streams() ?? []);
  }

  /**
   * Opens a stream that fetches content of which the first `stored` bytes are stored and checked. `effect(txn,
   * { id })` becomes part of its transaction. The stream's events are `streamWrite`, `streamSync` and
   * `streamEnded`.
   */
  async streamGet(content, stored, effect) {
    await this.#commit((machine, now) => machine.streamGet(now, content, stored), effect);
  }

  /**
   * Opens a stream that sends the content of this chunk list. `effect(txn, { id })` becomes part of its
   * transaction. The stream's events are `streamRead`, `streamProgress` and `streamEnded`.
   */
  async streamPut(list, effect) {
    await this.#commit((machine, now) => machine.streamPut(now, list), effect);
  }

  /**
   * Continues a stream from before the page was loaded, whose events are held back until then. `list` is its
   * chunk list if that is stored. Returns false if the stream is not open any more, and its end will not be
   * reported.
   */
  streamContinue(id, list) {
    return this.#verb((link) => link.streamContinue(id, list)) ?? false;
  }

  /** Hands back the buffer of a `streamWrite` whose bytes were written, to be used for another. */
  streamReuse(buffer) {
    this.#link?.machine.streamReuse(buffer);
  }

  /**
   * Reports that all content of a stream which was written before its `streamSync` is durable. `effect(txn)`
   * becomes part of the transaction that records this. Returns whether it was recorded: it is not if the
   * stream has ended or continued over a new connection meanwhile; then another `streamSync` comes.
   */
  async streamDurable(id, effect) {
    return (await this.#commit((machine, now) => machine.streamDurable(now, id), effect)) !== undefined;
  }

  /** Supplies the content that `streamRead` asked for, or the beginning of it. */
  streamSupply(id, bytes) {
    this.#verb((link) => link.streamSupply(id, bytes));
  }

  /** Pauses a stream that sends, or continues it. */
  streamPause(id, isPaused) {
    this.#verb((link) => link.streamPause(id, isPaused));
  }

  /** Stops a stream for both sides: `CANCELLED`, or `IO` or `GONE` if its content cannot be stored or read. */
  streamStop(id, code) {
    this.#verb((link) => link.streamStop(id, code));
  }

  /** Changes the application's own stores, after all writes that were requested before. */
  async change(effect) {
    // A write that becomes ready only after the link was deleted must not leave data behind.
    if (!this.#known) throw new Error("this page is not linked");
    await this.#write([], [effect]);
  }

  /** Takes back the seat at the relay that another browser took. Called when the user asks for it. */
  takeBack() {
    this.#verb((link, now) => link.takeBack(now));
  }

  /** Passes the two digits that the user read on the phone to the pairing attempt. There is no second try. */
  enterNumber(digits) {
    this.#answer((machine, now) => machine.enterNumber(now, digits));
  }

  /**
   * Ends the pairing attempt, because the phone asks for no digits or shows none, or because the user wishes
   * so.
   */
  stopPairing() {
    this.#answer((machine, now) => machine.stop(now));
  }

  #answer(verb) {
    for (const code of this.#codes) {
      try {
        verb(code.machine, performance.now());
      } catch {
        // The attempt of this code asked for nothing; that of another code did.
      }
    }
    this.#run();
  }

  /**
   * Shows a new code because the user asks for one, after an attempt that ended without a link. A link that
   * the phone has not confirmed is dropped. Has no effect while a code is shown.
   */
  newCode() {
    // req: HSK-166
    if (this.#isPending) return this.logOut();
    if (this.#link || this.#codes.length > 0 || !this.#database) return;
    this.#shownCodes = new ShownCodes();
    this.#showCodes();
  }

  /** Deletes the link and all that came over it, durably, and shows codes again. */
  async logOut() {
    await this.#forget();
    this.#shownCodes = null;
    this.#showCodes();
  }

  /**
   * Calls the machine, and returns its answer. If it refuses because too many commits are open, calls it
   * again once they are durable.
   */
  #verb(verb) {
    const link = this.#link;
    if (!link) return undefined;
    let answer;
    try {
      answer = verb(link.machine, performance.now());
    } catch (error) {
      if (!isBusy(error)) throw error;
      this.#written().then(() => { if (this.#link === link) this.#verb(verb); }).catch(() => {});
      return undefined;
    }
    this.#run();
    return answer;
  }

  /**
   * Calls `verb`, which makes the machine create a commit, and writes that commit before anything else can
   * happen. If too many commits are open, calls it again later. Returns the result of `verb` once the commit
   * is durable, or at once if the machine had nothing to commit. `effect` becomes part of the transaction.
   */
  async #commit(verb, effect) {
    for (;;) {
      const link = this.#link;
      if (!link) throw this.#rests > 0 ? new Full() : new Error("this page is not linked");
      let made;
      try {
        made = verb(link.machine, performance.now());
      } catch (error) {
        if (!isBusy(error)) throw error;
        await this.#written();
        continue;
      }
      if (made) await this.#write([[link, made.commit ?? made]], [(txn) => effect?.(txn, made)]);
      else this.#run();
      return made;
    }
  }

  /**
   * Waits until all pending writes are durable, or until the machines were dropped because one of the writes
   * failed.
   */
  #written() {
    return this.#writing.catch(() => {});
  }

  #tell(event) {
    if (this.#told) this.#told.push(event);
    else this.#application.event(event);
  }

  async #begin() {
    const { database, version } = this.#options;
    this.#generation += 1;
    const lost = (reason) => this.#stop({ type: "failed", reason });
    this.#database = await Database.open(database, version, this.#stores, lost, this.#application.upgrade);
    this.#stopWatching = watchWakeEvents(({ hidden }) => this.#onWake(hidden));
    await this.#load();
    if (!this.#link) this.#showCodes();
  }

  #onWake(hidden) {
    const now = performance.now();
    this.#link?.machine.setHidden(now, hidden);
    for (const task of this.#tasks) task.machine.probe(now);
    this.#run();
  }

  /** Ends all work of this tab, and reports why. Writes that are pending are still made. */
  async #stop(event) {
    clearTimeout(this.#timer);
    this.#stopWatching?.();
    this.#dropMachines();
    await this.#written();
    this.#database?.close();
    this.#database = null;
    const isLost = event.type === "failed" && this.#known && await isGone(this.#options.database);
    this.#tell(isLost ? { type: "cleared" } : event);
  }

  /** Drops all machines. The results of their pending writes are ignored from now on. */
  #dropMachines() {
    this.#generation += 1;
    for (const task of this.#tasks) {
      task.socket?.close();
      task.machine.free();
    }
    this.#codes = [];
    this.#link = null;
    this.#nextCode = null;
  }

  /** Loads the stored link, if there is one. */
  async #load() {
    const known = await this.#database.link();
    if (known?.state === "pending" && Date.now() - known.created > PENDING_KEPT) return this.#forget();
    this.#known = known ?? null;
    if (!known) return;
    const rows = await this.#database.rows(known.link);
    this.#link = new Task("link", WebLink.load(rows, performance.now()));
    if (this.#isPending) this.#link.machine.waited(performance.now(), Math.max(0, Date.now() - known.created));
    if (document.hidden) this.#link.machine.setHidden(performance.now(), true);
    // req: HSK-165
    this.#tell(this.#isPending ? { type: "unconfirmed", known, until: known.created + PENDING_KEPT } : { type: "linked", known });
    this.#run();
  }

  async #forget() {
    const known = this.#known;
    this.#dropMachines();
    this.#known = null;
    const stores = Object.keys(this.#stores);
    await this.#database.write([], [(txn) => {
      if (known) {
        txn.objectStore("handfast").delete(ofLink(known.link));
        txn.objectStore("links").delete(known.link);
      }
      for (const store of stores) txn.objectStore(store).clear();
      this.#database.forgetKey(txn);
    }]);
    this.#tell({ type: "unlinked" });
  }

  #showCodes() {
    if (this.#options.pairs === false) return this.#tell({ type: "notPaired" });
    this.#shownCodes ??= new ShownCodes();
    // A code has answered a phone, so the next code is shown only when the user asks for it.
    if (this.#shownCodes.isAnswered()) return;
    this.#nextCode = performance.now();
    this.#run();
  }

  /**
   * Returns when the next code is due. Returns null while a phone has scanned a code, or while the page is
   * hidden.
   */
  #rotationDue() {
    return document.hidden || this.#codes.some((code) => code.machine.isFrozen()) ? null : this.#nextCode;
  }

  #rotate(now) {
    const due = this.#rotationDue();
    if (due === null || now < due) return;
    this.#nextCode = now + CODE_SHOWN;
    while (this.#codes.length >= CODES_MAX) this.#drop(this.#codes[0]);
    const { relay, label, origin, grants } = this.#options;
    // Codes are shown only while there is no link, so no keys are in use.
    const code = new Task("code", new WebPairing(relay, label, origin, grants, this.#shownCodes, [], now));
    this.#codes.push(code);
    this.#tell({ type: "code", text: code.machine.offerText(), shownFor: CODE_SHOWN });
  }

  #drop(code) {
    this.#codes = this.#codes.filter((other) => other !== code);
    code.socket?.close();
    code.machine.free();
  }

  /**
   * Handles all outputs of the machines, and sets the timer. Events reach the application last, so that
   * commits caused by them come after the commits of this run.
   */
  #run() {
    if (!this.#database) return;
    const told = this.#told = [];
    try {
      this.#advance(performance.now());
    } finally {
      this.#told = null;
    }
    for (const event of told) this.#tell(event);
  }

  #advance(now) {
    this.#rotate(now);
    const commits = [];
    const effects = [];
    for (const task of this.#tasks) {
      if (this.#isAtWork(task)) this.#drain(task, now, commits, effects);
    }
    if (commits.length + effects.length > 0) this.#write(commits, effects).catch(() => {});
    this.#endCodes();
    clearTimeout(this.#timer);
    const due = [...this.#codes.map((code) => code.at), this.#link?.at, this.#rotationDue()].filter((at) => at !== null && at !== undefined);
    if (due.length > 0) {
      const wait = Math.min(TIMER_MAX, Math.max(0, Math.min(...due) - performance.now()));
      this.#timer = setTimeout(() => this.#onTime(), wait);
    }
  }

  /** The running machines. */
  get #tasks() {
    return [...this.#codes, this.#link].filter(Boolean);
  }

  #isAtWork(task) {
    return task === this.#link || this.#codes.includes(task);
  }

  #onTime() {
    const now = performance.now();
    for (const task of this.#tasks) if (task.at !== null && task.at <= now) task.machine.handleTimeout(now);
    this.#run();
  }

  #drain(task, now, commits, effects) {
    for (;;) {
      const output = task.machine.pollOutput(now);
      if (output.type === "wait") {
        task.at = output.at ?? null;
        return;
      }
      if (output.type === "transmit") task.socket?.send(output.bytes);
      else if (output.type === "event") this.#onEvent(task, output.event, effects);
      else {
        commits.push([task, output.commit]);
        if (output.type === "deliver") effects.push((txn) => this.#deliver(output.message, txn));
        else if (task.kind === "code" && !task.terms) this.#keepTerms(task, effects);
      }
    }
  }

  /** Applies the effect of an arrived message, in the transaction of the message's commit. */
  #deliver(message, txn) {
    const application = this.#application;
    if (message.type === "result") application.result(message, txn);
    if (message.type !== "delta" && message.type !== "page") return;
    if (application.arrives) inTurn(txn, (over) => application.arrives(message, txn, over));
    inTurn(txn, (over) => {
      const take = (row) => application.row(row, txn);
      if (application.keeps?.(message.collection) ?? true) {
        const bound = application.bound?.(message.collection);
        takeRows(message, txn, { take, bound, gone: (row) => application.gone(row, txn) }, over);
      } else {
        passRows(message, take);
        over();
      }
    });
    if (application.arrived) inTurn(txn, (over) => application.arrived(message, txn, over));
  }

  /**
   * Passes the ids of a collection that was found equal to the phone's to `use(ids, txn, over)`. The
   * transaction for this first drops the collection's stale rows, and calls `gone` for each.
   */
  async settleRows(collection, use) {
    const bound = this.#application.bound?.(collection);
    await this.#written();
    if (!this.#database) return;
    const ids = (await rowsOf(this.#database.read(ROWS_STORE), collection, bound)).map(({ id }) => id);
    await this.change((txn) => inTurn(txn, (over) => {
      dropStale(txn.objectStore(ROWS_STORE), collection, (row) => this.#application.gone(row, txn), () => use(ids, txn, over));
    }));
  }

  /**
   * Answers the request for a collection's digest. The digest is computed over the stored rows, after all
   * writes that were requested before.
   */
  async #answerDigest(task, collection) {
    await this.#written();
    if (!this.#isAtWork(task)) return;
    const digest = await digestOf(this.#database.read(ROWS_STORE), collection, this.#application.bound?.(collection));
    if (this.#isAtWork(task)) this.#verb((link, now) => link.digest(now, collection, digest));
  }

  /**
   * Stores the row of a new link with the first commit of its pairing. All other links and the application's
   * rows are deleted.
   */
  #keepTerms(task, effects) {
    task.terms = task.machine.terms();
    const row = { ...task.terms, created: Date.now(), state: "pending" };
    effects.push((txn) => {
      for (const store of ["links", ...Object.keys(this.#stores)]) txn.objectStore(store).clear();
      txn.objectStore("links").put(row);
    });
  }

  /**
   * Applies commits, those of each machine in the order in which it made them. Once they are durable, their
   * machines are told and continue.
   */
  #write(commits, effects) {
    const generation = this.#generation;
    const written = this.#database.write(commits.map(([, commit]) => commit), effects);
    // It suffices to await this write: the browser ends transactions over the same stores in the order in
    // which they began.
    this.#writing = written.then(() => {
      if (generation !== this.#generation) return;
      this.#failures = 0;
      this.#hasRoom();
      for (const [task] of commits) if (this.#isAtWork(task)) task.machine.committed(performance.now());
      this.#run();
    }, (error) => {
      if (generation === this.#generation) this.#startOver(error);
      throw error;
    });
    return this.#writing;
  }

  /** Handles a failed transaction: drops everything in memory, and loads the link again or gives up. */
  async #startOver(error) {
    if (error instanceof Full) return this.#rest();
    this.#failures += 1;
    if (error instanceof Conflict || this.#failures >= FAILURES_MAX) return this.#stop({ type: "failed", reason: error.message });
    return this.#again();
  }

  /** Waits for the browser to have space, twice as long each time. Then starts again from the store. */
  #rest() {
    const wait = Math.min(REST_MAX, REST * 2 ** this.#rests);
    this.#rests += 1;
    const showed = this.#reset();
    const generation = this.#generation;
    this.#tell({ type: "full" });
    setTimeout(() => { if (generation === this.#generation) this.#again(showed); }, wait);
  }

  #hasRoom() {
    if (this.#rests === 0) return;
    this.#rests = 0;
    this.#tell({ type: "room" });
  }

  /** Drops everything in memory. Returns whether codes were shown until now. */
  #reset() {
    const showed = this.#nextCode !== null;
    this.#dropMachines();
    return showed;
  }

  /** Drops all machines, and loads the link from the store again. */
  async #again(showed = this.#reset()) {
    try {
      await this.#load();
    } catch (reason) {
      return this.#stop({ type: "failed", reason: reason.message });
    }
    if (!this.#link && showed) this.#showCodes();
  }

  #onEvent(task, event, effects) {
    switch (event.type) {
      case "connect":
        this.#connect(task);
        return;
      case "disconnect":
        task.socket?.close();
        task.socket = null;
        return;
      case "checkCode":
        // Only one code may answer a phone, so the other code is dropped.
        for (const other of this.#codes.filter((code) => code !== task)) this.#drop(other);
        break;
      case "ended":
        task.over = event;
        return;
      case "linked":
        task.over = event;
        effects.push((txn) => setState(txn, event.link, "active"));
        return;
      case "connected":
        this.#confirmed(effects);
        break;
      case "diverged":
      case "suspended":
        this.#note(event.type, effects);
        break;
      case "digestWanted":
        queueMicrotask(() => this.#answerDigest(task, event.collection).catch(() => {}));
        return;
      case "revoked":
        task.over = event;
        queueMicrotask(() => this.#onRevoked());
        return;
      case "lapsed":
        // The phone did not confirm the link within a day, so the link is dropped and codes are shown again.
        task.over = event;
        queueMicrotask(() => this.#written().then(() => this.logOut()).catch(() => {}));
        return;
      default:
    }
    this.#tell(event);
  }

  /**
   * Records that a connection is proven, so the link is active. If the link was pending, it is reported as
   * linked.
   */
  #confirmed(effects) {
    const wasPending = this.#isPending;
    if (this.#known?.state !== "active") this.#note("active", effects);
    // req: HSK-135
    if (wasPending) this.#tell({ type: "linked", known: this.#known });
  }

  #note(state, effects) {
    this.#known = { ...this.#known, state };
    const { link } = this.#known;
    effects.push((txn) => setState(txn, link, state));
  }

  async #onRevoked() {
    await this.#written();
    await this.#forget();
    this.#tell({ type: "revoked" });
  }

  #connect(task) {
    const relay = task.kind === "link" ? task.machine.relay() : this.#options.relay;
    const input = (call) => (...values) => {
      if (!this.#isAtWork(task)) return;
      call(performance.now(), ...values);
      this.#run();
    };
    task.socket = new Socket(relayUrl(relay), {
      opened: input((now) => task.machine.handleOpened(now)),
      message: input((now, bytes) => task.machine.handleBytes(now, bytes)),
      written: input((now, bytes) => task.machine.transmitted?.(now, bytes)),
      closed: input((now, reason) => {
        task.socket = null;
        task.machine.handleClosed(now);
        if (task.kind === "code") this.#tell({ type: "relayLost", reason });
      }),
    });
  }

  /**
   * Handles an attempt that is over. Once all the attempt's writes are durable, its link is loaded, or
   * another code is shown.
   */
  #endCodes() {
    const over = this.#codes.find((code) => code.over);
    if (!over) return;
    const { terms } = over;
    const ended = over.over;
    this.#codes = this.#codes.filter((code) => code !== over);
    this.#finish(over, terms, ended);
  }

  async #finish(code, terms, ended) {
    await this.#written();
    code.socket?.close();
    code.machine.free();
    const asks = this.#shownCodes.isAnswered();
    // A link that is stored as pending becomes active by itself if the phone has accepted it. A link that the
    // phone refused is deleted.
    if (terms) await this.#load();
    if (ended.type === "ended") this.#tell({ type: "codeBurnt", code: ended.code, asks: asks && !this.#link });
    if (asks || this.#link) this.#nextCode = null;
    else this.#showCodes();
  }
}

/**
 * Returns whether a machine refused a call, and changed nothing, because too many of its commits are not
 * durable yet.
 */
const isBusy = (error) => error.message.startsWith("too many commits are open");

function setState(txn, link, state) {
  const store = txn.objectStore("links");
  store.get(link).onsuccess = ({ target }) => {
    if (target.result) store.put({ ...target.result, state });
  };
}
