// Runs the machines of the WebAssembly module over a socket, a store, a lock and a clock: shows codes until a
// phone is linked, then keeps the link running. What messages mean is left to the application; the calls that an
// application makes are in `companion.js`.

import { Arrivals } from "./arrivals.js";
import { CODE_SHOWN, Codes } from "./codes.js";
import { Conflict, CompanionError, Full, closed } from "./errors.js";
import { WebLink, WebPairing, relayUrl } from "./handfast.js";
import { isHidden, watchWakeEvents } from "./wake_events.js";

/** How long a link that the phone never confirmed stays stored, in milliseconds. */
const PENDING_KEPT = 24 * 3_600_000;
/** The number of failed transactions in a row after which the companion stops. */
const FAILURES_MAX = 3;
/**
 * The first wait after the database had no space, and the longest, in milliseconds. Each wait is twice as
 * long as the one before.
 */
const REST = 1_000;
const REST_MAX = 60_000;
/** The code with which a machine refuses a call, and changes nothing, because too many of its commits are not durable yet. */
const BUSY = "BUSY";
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

  drop() {
    this.socket?.close();
    this.machine.free();
  }
}

/**
 * The driver of one companion. Of `sink`, `tell(event)` is called at events, `arrived(messages)` when messages of the phone are durable
 * with their effects, and `loaded()` when the stored rows may be others.
 */
export class Driver {
  #options;
  #arrivals;
  #store;
  #lock;
  #sink;
  /** Whether the store is open, and whether work is done over it. */
  #hasStore = false;
  #isOpen = false;
  #isClosed = false;
  #starting = Promise.resolve();
  #closing = null;
  #link = null;
  #known = null;
  #codes = new Codes((shown, now) => this.#makeCode(shown, now));
  #timer = 0;
  #resting = 0;
  #writing = Promise.resolve();
  #failures = 0;
  #rests = 0;
  #stopWatching = null;
  #generation = 0;
  #told = null;

  constructor({ store, lock, application, ...options }, sink) {
    this.#options = options;
    this.#arrivals = new Arrivals(store, application, options.keepsBodies);
    this.#store = store;
    this.#lock = lock;
    this.#sink = sink;
  }

  /** Takes the lock and starts. If another tab or process has the lock, it only reports `taken`. */
  start() {
    return this.#startWith(() => this.#lock.take(() => this.#onTaken()));
  }

  /** Takes the link over from the tab that has it. */
  takeOver() {
    return this.#startWith(() => this.#lock.takeOver(() => this.#onTaken()));
  }

  async #onTaken() {
    await this.#starting;
    await this.#stop({ type: "taken" });
  }

  /** Starts after what was started before. What is closed meanwhile starts nothing. */
  #startWith(take) {
    const begin = async () => {
      if (this.#isClosed || this.#isOpen) return;
      await this.#options.load();
      if (this.#isClosed) return;
      if (!(await take())) return void this.#tell({ type: "taken" });
      try {
        if (!this.#isClosed) await this.#begin();
      } catch (error) {
        this.#halt();
        await this.#closeStore();
        if (!this.#isClosed) await this.#lock.close();
        throw CompanionError.from(error);
      }
    };
    const started = this.#starting.then(begin);
    this.#starting = started.catch(() => {});
    return started;
  }

  /** Ends all work, then closes the store and releases the lock. Writes that are pending are still made. */
  close() {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  #shutDown() {
    this.#isClosed = true;
    this.#halt();
    const finished = (async () => {
      await this.#starting;
      this.#halt();
      await this.#closeStore();
    })();
    return Promise.resolve(this.#lock.close(finished.catch(() => {}))).then(() => finished);
  }

  /** Closes the store, if this companion has opened it, after the writes that are pending. */
  async #closeStore() {
    await this.#written();
    if (!this.#hasStore) return;
    this.#hasStore = false;
    await this.#store.close();
  }

  get isClosed() {
    return this.#isClosed;
  }

  get isOpen() {
    return this.#isOpen;
  }

  /** The link's terms, `created` and `state`; null if there is none. */
  get known() {
    return this.#known;
  }

  get isLinked() {
    return this.#link !== null;
  }

  /** Whether the stored link has not been confirmed by the phone yet. */
  get isPending() {
    return this.#known?.state === "pending";
  }

  /** The stored rows of a collection that are not stale. */
  async rows(collection) {
    return this.#isOpen ? this.#arrivals.rows(collection) : [];
  }

  /** Changes the application's own stores, after all writes that were requested before. */
  async change(effect) {
    // A write that becomes ready only after the link was deleted must not leave data behind.
    if (!this.#isOpen || !this.#known) throw this.#notLinked();
    await this.#write([], [effect]);
  }

  #notLinked() {
    if (!this.#isOpen) return closed();
    return this.#rests > 0 ? new Full() : new CompanionError("NOT_LINKED", "this companion is not linked to a phone");
  }

  /** Calls `verb` with each pairing attempt that is under way. */
  answer(verb) {
    for (const code of this.#codes.tasks) {
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
  async newCode() {
    // req: HSK-166
    if (this.isPending) return this.logOut();
    if (this.#link || this.#codes.tasks.length > 0 || !this.#isOpen) return;
    this.#codes.renew();
    this.#showCodes();
  }

  /** Deletes the link and all that came over it, durably, and shows codes again. */
  async logOut() {
    if (!this.#isOpen) throw this.#notLinked();
    await this.#forget();
    this.#codes.renew();
    this.#showCodes();
  }

  /**
   * Calls the machine, and returns its answer, or undefined if there is no link. If it refuses because too
   * many commits are open, calls it again once they are durable.
   */
  verb(verb) {
    const link = this.#link;
    if (!link) return undefined;
    let answer;
    try {
      answer = verb(link.machine, performance.now());
    } catch (error) {
      if (error.code !== BUSY) throw CompanionError.from(error);
      this.#written().then(() => { if (this.#link === link) this.verb(verb); }).catch(() => {});
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
  async commit(verb, effect) {
    for (;;) {
      const link = this.#link;
      if (!link) throw this.#notLinked();
      let made;
      try {
        made = verb(link.machine, performance.now());
      } catch (error) {
        if (error.code !== BUSY) throw CompanionError.from(error);
        await this.#written();
        continue;
      }
      if (made) await this.#write([[link, made.commit ?? made]], [(txn) => effect?.(txn, made)]);
      else this.#run();
      return made;
    }
  }

  get streams() {
    return this.#link?.machine.streams() ?? [];
  }

  /** Hands back the buffer of a `streamWrite`. */
  reuse(buffer) {
    this.#link?.machine.streamReuse(buffer);
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
    else this.#sink.tell(event);
  }

  async #begin() {
    await this.#store.open((reason) => this.#fail(new CompanionError("STORE_LOST", reason)));
    this.#hasStore = true;
    if (this.#isClosed) return;
    this.#isOpen = true;
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
    if (this.#isClosed || !this.#isOpen) return;
    this.#halt();
    await this.#closeStore();
    const isLost = event.type === "stopped" && this.#known && await this.#store.wasRemoved?.();
    // Another tab that takes over gets the lock by the return of this function.
    if (event.type === "stopped" && !this.#isClosed) await this.#lock.close();
    this.#tell(isLost ? { type: "cleared" } : event);
  }

  #fail(error) {
    return this.#stop({ type: "stopped", error: CompanionError.from(error) });
  }

  /** Ends all work in memory. */
  #halt() {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    clearTimeout(this.#resting);
    this.#stopWatching?.();
    this.#dropMachines();
  }

  /** Drops all machines. The results of their pending writes are ignored from now on. */
  #dropMachines() {
    this.#generation += 1;
    this.#codes.clear();
    this.#link?.drop();
    this.#link = null;
  }

  /** Loads the stored link, if there is one. */
  async #load() {
    const generation = this.#generation;
    const known = await this.#store.link();
    if (generation !== this.#generation) return;
    if (known?.state === "pending" && Date.now() - known.created > PENDING_KEPT) return this.#forget();
    this.#known = known ?? null;
    if (!known) return;
    const rows = await this.#store.linkRows(known.link);
    if (generation !== this.#generation) return;
    this.#link = new Task("link", WebLink.load(rows, performance.now()));
    if (this.isPending) this.#link.machine.waited(performance.now(), Math.max(0, Date.now() - known.created));
    if (isHidden()) this.#link.machine.setHidden(performance.now(), true);
    // req: HSK-165
    this.#tell(this.isPending ? { type: "unconfirmed", known, until: known.created + PENDING_KEPT } : { type: "linked", known });
    this.#sink.loaded();
    this.#run();
  }

  async #forget() {
    const known = this.#known;
    this.#dropMachines();
    this.#known = null;
    await this.#store.write([], [(txn) => {
      this.#store.clear(txn);
      this.#store.forget(txn, known?.link);
    }]);
    this.#sink.loaded();
    this.#tell({ type: "unlinked" });
  }

  #showCodes() {
    if (!this.#isOpen) return;
    if (this.#options.pairs === false) return this.#tell({ type: "notPaired" });
    this.#codes.begin(performance.now());
    this.#run();
  }

  #makeCode(shown, now) {
    const { relay, label, origin, grants } = this.#options;
    // Codes are shown only while there is no link, so no keys are in use.
    return new Task("code", new WebPairing(relay, label, origin, grants, shown, [], now));
  }

  /**
   * Handles all outputs of the machines, and sets the timer. Events reach the application last, so that
   * commits caused by them come after the commits of this run.
   */
  #run() {
    if (!this.#isOpen) return;
    const told = this.#told = [];
    try {
      this.#advance(performance.now());
    } finally {
      this.#told = null;
    }
    for (const event of told) this.#tell(event);
  }

  #advance(now) {
    const code = this.#codes.rotate(now);
    if (code) this.#tell({ type: "code", text: code.machine.offerText(), shownFor: CODE_SHOWN });
    const round = { commits: [], effects: [], messages: [] };
    for (const task of this.#tasks) {
      if (this.#isAtWork(task)) this.#drain(task, now, round);
    }
    const { commits, effects, messages } = round;
    if (commits.length + effects.length > 0) this.#write(commits, effects, messages).catch(() => {});
    this.#endCodes();
    clearTimeout(this.#timer);
    const due = [...this.#tasks.map((task) => task.at), this.#codes.due].filter((at) => at !== null && at !== undefined);
    if (due.length > 0) {
      const wait = Math.min(TIMER_MAX, Math.max(0, Math.min(...due) - performance.now()));
      this.#timer = setTimeout(() => this.#onTime(), wait);
    }
  }

  /** The running machines. */
  get #tasks() {
    return [...this.#codes.tasks, this.#link].filter(Boolean);
  }

  #isAtWork(task) {
    return task === this.#link || this.#codes.tasks.includes(task);
  }

  #onTime() {
    const now = performance.now();
    for (const task of this.#tasks) if (task.at !== null && task.at <= now) task.machine.handleTimeout(now);
    this.#run();
  }

  #drain(task, now, { commits, effects, messages }) {
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
        if (output.type === "deliver") {
          messages.push(output.message);
          effects.push((txn) => this.#arrivals.take(output.message, txn));
        } else if (task.kind === "code" && !task.terms) this.#keepTerms(task, effects);
      }
    }
  }

  /**
   * Passes the ids of a collection that was found equal to the phone's to `use(ids, txn, over)`. The
   * transaction for this first drops the collection's stale rows, and calls `gone` for each.
   */
  async settleRows(collection, use) {
    await this.#written();
    if (!this.#isOpen) return;
    const ids = (await this.rows(collection)).map(({ id }) => id);
    await this.change((txn) => this.#arrivals.settle(collection, txn, (over) => use(ids, txn, over)));
  }

  /**
   * Answers the request for a collection's digest. The digest is computed over the stored rows, after all
   * writes that were requested before.
   */
  async #answerDigest(task, collection) {
    await this.#written();
    if (!this.#isAtWork(task)) return;
    const digest = await this.#arrivals.digest(collection);
    if (this.#isAtWork(task)) this.verb((link, now) => link.digest(now, collection, digest));
  }

  /**
   * Stores the row of a new link with the first commit of its pairing. All other links and the application's
   * rows are deleted.
   */
  #keepTerms(task, effects) {
    task.terms = task.machine.terms();
    const row = { ...task.terms, created: Date.now(), state: "pending" };
    effects.push((txn) => {
      this.#store.clear(txn);
      this.#store.putLink(txn, row);
    });
  }

  /**
   * Applies commits, those of each machine in the order in which it made them. Once they are durable, their
   * machines are told and continue.
   */
  #write(commits, effects, messages = []) {
    const generation = this.#generation;
    const written = this.#store.write(commits.map(([, commit]) => commit), effects);
    // It suffices to await this write: the browser ends transactions over the same stores in the order in
    // which they began.
    this.#writing = written.then(() => {
      if (messages.length > 0) this.#sink.arrived(messages);
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
    if (error instanceof Conflict || this.#failures >= FAILURES_MAX) return this.#fail(error);
    return this.#again();
  }

  /** Waits for the browser to have space, twice as long each time. Then starts again from the store. */
  #rest() {
    const wait = Math.min(REST_MAX, REST * 2 ** this.#rests);
    this.#rests += 1;
    const showed = this.#reset();
    const generation = this.#generation;
    this.#tell({ type: "full" });
    this.#resting = setTimeout(() => { if (generation === this.#generation) this.#again(showed); }, wait);
  }

  #hasRoom() {
    if (this.#rests === 0) return;
    this.#rests = 0;
    this.#tell({ type: "room" });
  }

  /** Drops everything in memory. Returns whether codes were shown until now. */
  #reset() {
    const showed = this.#codes.areShown;
    this.#dropMachines();
    return showed;
  }

  /** Drops all machines, and loads the link from the store again. */
  async #again(showed = this.#reset()) {
    try {
      await this.#load();
    } catch (error) {
      return this.#fail(error);
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
        this.#codes.only(task);
        break;
      case "ended":
        task.over = event;
        return;
      case "linked":
        task.over = event;
        effects.push((txn) => this.#store.setState(txn, event.link, "active"));
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
        queueMicrotask(() => this.#onRevoked().catch((error) => this.#fail(error)));
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
    const wasPending = this.isPending;
    if (this.#known?.state !== "active") this.#note("active", effects);
    // req: HSK-135
    if (wasPending) this.#tell({ type: "linked", known: this.#known });
  }

  #note(state, effects) {
    this.#known = { ...this.#known, state };
    const { link } = this.#known;
    effects.push((txn) => this.#store.setState(txn, link, state));
  }

  async #onRevoked() {
    await this.#written();
    if (!this.#isOpen) return;
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
    task.socket = this.#options.socket(relayUrl(relay), {
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
    const ended = this.#codes.takeEnded();
    if (ended) this.#finish(ended).catch((error) => this.#fail(error));
  }

  async #finish(code) {
    const { terms, over } = code;
    await this.#written();
    code.drop();
    if (!this.#isOpen) return;
    const asks = this.#codes.isAnswered;
    // A link that is stored as pending becomes active by itself if the phone has accepted it. A link that the
    // phone refused is deleted.
    if (terms) await this.#load();
    if (over.type === "ended") this.#tell({ type: "codeBurnt", code: over.code, asks: asks && !this.#link });
    if (asks || this.#link) this.#codes.end();
    else this.#showCodes();
  }
}
