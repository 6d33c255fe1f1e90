// A companion in a page: shows codes until a phone is linked, then keeps the link. It joins the machines of the module
// with a socket, a database, a lock and a clock; what the messages mean is the application's affair.
//
//   import init, { Companion } from "handfast";
//   const companion = await Companion.open({ database: "my-app", relay: "relay.example", label: "My page", grants: 3n, application });
//   await companion.start();
//
// `application`: `stores` (its own stores, see database.js); `row(row, txn)`, `gone(row, txn)` and `result(result, txn)`, which put the
// effect of what arrived into the transaction of its commit; and `event(event)`.
// It may have `arrives(message, txn, over)` and `arrived(message, txn, over)`, called before and after the rows of a `delta` or `page`, which
// call `over` when their last request was answered (`inTurn` does the same for a result); `keeps(collection)`, false for one of which no row
// is kept; `bound(collection)`, how many rows it has at most; and `upgrade(db, txn, from)`, which brings its stores up from an older version.
// Events of a link come as the machine says them; besides them there are `code`, `checkCode`, `numberWanted`, `codeBurnt` (`asks`: no other
// code is shown before `newCode()`), `relayLost`, `unconfirmed` (the phone may have made the link that it has not confirmed: its word is
// waited for, `until` then or until `newCode()`), `linked`, `unlinked`, `taken` (another tab has the link), `failed`, and `full` and `room`:
// the browser has no room for what comes, so that nothing is taken until it has again; `cleared`: the user had the browser clear what it
// stored, and the link is lost with it. With the option `pairs: false` no code is ever shown: `notPaired` comes in its place.

import { Conflict, Database, isGone, ofLink } from "./database.js";
import init, { ShownCodes, WebLink, WebPairing, relayUrl } from "./handfast.js";
import { watchMoments } from "./moments.js";
import { ROWS_STORE, digestOf, dropStale, inTurn, passRows, rowsOf, takeRows } from "./rows.js";
import { Full } from "./request.js";
import { Socket, release } from "./sockets.js";
import { TabLock } from "./tab_lock.js";

export { Conflict, Full, inTurn };
export * from "./handfast.js";
export default init;

/** How long a code is shown, and how many are valid at once. */
const CODE_SHOWN = 30_000;
const CODES_MAX = 2;
/** How long a link is kept that the phone never confirmed, in milliseconds. */
const PENDING_KEPT = 24 * 3_600_000;
/** Rounds in a row that the database may fail before the page gives up. */
const FAILURES_MAX = 3;
/** How long the first rest is when the database has no room, each later one twice as long, and the longest, in milliseconds. */
const REST = 1_000;
const REST_MAX = 60_000;
/** The longest that a timer of the browser takes. */
const TIMER_MAX = 2 ** 31 - 1;

/** A machine at work: `machine`, its `socket`, its deadline `at`, and whether it is `over`. */
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
  /** What the codes share that are shown until one of them has answered a phone. */
  #shownCodes = null;
  #nextCode = null;
  #timer = 0;
  #writing = Promise.resolve();
  #failures = 0;
  #rests = 0;
  #stopWatching = null;
  #generation = 0;
  #told = null;

  /** Opens nothing yet but the lock's channel. */
  static async open(options) {
    const companion = new Companion();
    companion.#options = { version: 1, origin: location.origin, ...options };
    companion.#application = options.application;
    companion.#stores = { ...options.application.stores, [ROWS_STORE]: { keyPath: ["collection", "id"] } };
    companion.#lock = new TabLock(options.database, () => companion.#stop({ type: "taken" }));
    return companion;
  }

  /** Takes the lock and begins. Without the lock it only says `taken`. */
  async start() {
    if (await this.#lock.take()) await this.#begin();
    else this.#tell({ type: "taken" });
  }

  /** Takes the link from the tab that has it. */
  async takeOver() {
    if (await this.#lock.takeOver()) await this.#begin();
  }

  /** What is known of the link: its terms, `created` and `state`; null while there is none. */
  get known() {
    return this.#known;
  }

  get isLinked() {
    return this.#link !== null;
  }

  /** Whether the stored link is one that the phone has not confirmed. */
  get #isPending() {
    return this.#known?.state === "pending";
  }

  /** The open database, for the application's own reading. */
  get database() {
    return this.#database;
  }

  /**
   * Sends a command. `key` is what it is known by: 16 random bytes as hex, drawn when the user acts, and given to no other command.
   * `effect(txn)` is part of its transaction. The promise is done when both are durable.
   */
  async send(key, body, effect) {
    // What a phone never confirms is forgotten, and this with it.
    if (this.#isPending) throw new Error("your phone has not confirmed this link yet");
    await this.#commit((machine, now) => machine.send(now, key, body), (txn) => effect?.(txn));
  }

  subscribe(collection) {
    this.#verb((link, now) => link.subscribe(now, collection));
  }

  /** Subscribes to a collection of which no row is kept: from where it was the last time, or else from now on. */
  subscribeFromNow(collection) {
    this.#verb((link, now) => link.subscribeFromNow(now, collection));
  }

  leave(collection) {
    this.#verb((link, now) => link.leave(now, collection));
  }

  /** What the phone sent cannot be accepted: ends the connection with this code of the specification. */
  refuse(code) {
    this.#verb((link, now) => link.refuse(now, code));
  }

  setNow(slot, body) {
    this.#verb((link, now) => link.setNow(now, slot, body));
  }

  /** The streams that are open. One that is not among them, and was not said to have ended, is to be opened anew. */
  get streams() {
    return new Set(this.#link?.machine.streams() ?? []);
  }

  /**
   * Opens a stream. `effect(txn, id)` is part of its transaction. Of a stream come `dataWanted`, `data`, `fin`, `streamDurable`,
   * `streamResumed` and `streamEnded`.
   */
  async streamOpen(put, meta, effect) {
    const made = await this.#commit((machine, now) => machine.streamOpen(now, put, meta), (txn, { id }) => effect?.(txn, id));
    return made.id;
  }

  /** Bytes that `dataWanted` asked for. They are gone here afterwards. */
  streamSupply(id, offset, bytes, hash) {
    try {
      this.#verb((link, now) => link.streamSupply(now, id, offset, bytes, hash));
    } finally {
      release(bytes.buffer);
    }
  }

  /** What came is held in memory up to here, and more may come: for a list of chunks that is not whole. */
  streamHold(id, offset) {
    this.#verb((link, now) => link.streamHold(now, id, offset));
  }

  /** What came is on the disk up to here. `effect(txn)` is part of the transaction that says so. */
  async streamDurable(id, offset, effect) {
    await this.#commit((machine, now) => machine.streamDurable(now, id, offset), (txn) => effect?.(txn));
  }

  streamStop(id, code) {
    this.#verb((link, now) => link.streamStop(now, id, code));
  }

  /** Changes the application's own stores, after all that came before. */
  async change(effect) {
    // What is ready after the link was forgotten must not stay behind.
    if (!this.#known) throw new Error("this page is not linked");
    await this.#write([], [effect]);
  }

  /** The user wants the seat at the relay back. */
  takeBack() {
    this.#verb((link, now) => link.takeBack(now));
  }

  /** The user typed the two digits that the phone shows. There is no second try. */
  enterNumber(digits) {
    this.#answer((machine, now) => machine.enterNumber(now, digits));
  }

  /** The user says that the phone asks for no digits or shows none, or stops for another reason. */
  stopPairing() {
    this.#answer((machine, now) => machine.stop(now));
  }

  #answer(verb) {
    for (const code of this.#codes) {
      try {
        verb(code.machine, performance.now());
      } catch {
        // It is not the one that asks.
      }
    }
    this.#run();
  }

  /**
   * The user asks for a code after an attempt that ended without a link; one that the phone has not confirmed is dropped. Without effect
   * while a code is shown.
   */
  newCode() {
    // req: HSK-166
    if (this.#isPending) return this.logOut();
    if (this.#link || this.#codes.length > 0 || !this.#database) return;
    this.#shownCodes = new ShownCodes();
    this.#showCodes();
  }

  /** Forgets the link and everything that came over it, durably, and shows codes again. */
  async logOut() {
    await this.#forget();
    this.#shownCodes = null;
    this.#showCodes();
  }

  /** Calls the machine; when too much is being written it is called once that is durable. */
  #verb(verb) {
    const link = this.#link;
    if (!link) return;
    try {
      verb(link.machine, performance.now());
    } catch (error) {
      if (!isBusy(error)) throw error;
      this.#written().then(() => { if (this.#link === link) this.#verb(verb); }).catch(() => {});
      return;
    }
    this.#run();
  }

  /**
   * Calls a verb that makes a commit, and writes that in the same turn: nothing may come between. While too much is being written, it is
   * called again later. Gives what the verb gave, once it is durable.
   */
  async #commit(verb, effect) {
    for (;;) {
      const link = this.#link;
      if (!link) throw this.#rests > 0 ? new Full() : new Error("this page is not linked");
      let made = null;
      try {
        made = verb(link.machine, performance.now());
      } catch (error) {
        if (!isBusy(error)) throw error;
      }
      if (made) {
        await this.#write([[link, made.commit ?? made]], [(txn) => effect?.(txn, made)]);
        return made;
      }
      await this.#written();
    }
  }

  /** Everything is durable that was being written, or the machines begin anew. */
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
    this.#stopWatching = watchMoments(({ hidden }) => this.#onMoment(hidden));
    await this.#load();
    if (!this.#link) this.#showCodes();
  }

  #onMoment(hidden) {
    const now = performance.now();
    this.#link?.machine.setHidden(now, hidden);
    for (const task of this.#tasks) task.machine.probe(now);
    this.#run();
  }

  /** Ends everything of this tab, and says why. What is being written is still written. */
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

  /** What is under way for them does not count any more. */
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

  /** Opens the stored link, if there is one. */
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
    // A phone was answered: the user asks for the next code.
    if (this.#shownCodes.isAnswered()) return;
    this.#nextCode = performance.now();
    this.#run();
  }

  /** When another code is due; not while a phone has scanned one, nor while nobody can see it. */
  #rotationDue() {
    return document.hidden || this.#codes.some((code) => code.machine.isFrozen()) ? null : this.#nextCode;
  }

  #rotate(now) {
    const due = this.#rotationDue();
    if (due === null || now < due) return;
    this.#nextCode = now + CODE_SHOWN;
    while (this.#codes.length >= CODES_MAX) this.#drop(this.#codes[0]);
    const { relay, label, origin, grants } = this.#options;
    // Codes are shown only while there is no link: none has keys in use.
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
   * Takes all that the machines put out, and sets the clock for what is next. The application is told last: what it does then makes
   * commits that come after these.
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

  /** The machines at work. */
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
      const output = task.machine.pollOutput();
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

  /** The effect of what arrived, in the transaction of its commit. */
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
   * The rows of a collection that was found in step, for `use(ids, txn)` in a transaction of its own: what is stale of it goes before, by
   * `gone`.
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

  /** The phone's digest of a collection is to be compared with that of the rows here, as they are after all that came before. */
  async #answerDigest(task, collection) {
    await this.#written();
    if (!this.#isAtWork(task)) return;
    const digest = await digestOf(this.#database.read(ROWS_STORE), collection, this.#application.bound?.(collection));
    if (this.#isAtWork(task)) this.#verb((link, now) => link.digest(now, collection, digest));
  }

  /** The first commit of a pairing makes the link's row, in place of any before it. */
  #keepTerms(task, effects) {
    task.terms = task.machine.terms();
    const row = { ...task.terms, created: Date.now(), state: "pending" };
    effects.push((txn) => {
      for (const store of ["links", ...Object.keys(this.#stores)]) txn.objectStore(store).clear();
      txn.objectStore("links").put(row);
    });
  }

  /** Applies commits in their machines' order. When they are durable the machines are told, and go on. */
  #write(commits, effects) {
    const generation = this.#generation;
    const written = this.#database.write(commits.map(([, commit]) => commit), effects);
    // One after the other: the browser ends transactions over the same stores in the order in which they began.
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

  /** A transaction failed: nothing in memory is worth saving. */
  async #startOver(error) {
    if (error instanceof Full) return this.#rest();
    this.#failures += 1;
    if (error instanceof Conflict || this.#failures >= FAILURES_MAX) return this.#stop({ type: "failed", reason: error.message });
    return this.#again();
  }

  /** There is no room: everything begins anew after a while, each time a longer one. */
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

  /** Drops everything in memory. Says whether codes were shown. */
  #reset() {
    const showed = this.#nextCode !== null;
    this.#dropMachines();
    return showed;
  }

  /** Begins anew with what is stored. */
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
        // One phone at a time: the other code is given up.
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
        // The phone did not confirm the link within a day: codes are shown again.
        task.over = event;
        queueMicrotask(() => this.#written().then(() => this.logOut()).catch(() => {}));
        return;
      default:
    }
    this.#tell(event);
  }

  /** A connection is proven, so the link is active. It is reported as linked if it was pending. */
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

  /** An attempt that is over: once everything of it is durable its link is opened, or another code shown. */
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
    // A link that is stored as pending comes to life by itself if the phone has accepted it; one that it closed is gone.
    if (terms) await this.#load();
    if (ended.type === "ended") this.#tell({ type: "codeBurnt", code: ended.code, asks: asks && !this.#link });
    if (asks || this.#link) this.#nextCode = null;
    else this.#showCodes();
  }
}

/** Whether a machine refused because it waits for commits to be durable. Nothing was taken then. */
const isBusy = (error) => error.message.startsWith("too many commits are open");

function setState(txn, link, state) {
  const store = txn.objectStore("links");
  store.get(link).onsuccess = ({ target }) => {
    if (target.result) store.put({ ...target.result, state });
  };
}
