// Locks that let only one companion use a store. A companion without the lock opens no socket.

import { CompanionError } from "./errors.js";

/** How long the tab that has the lock may take to finish, in milliseconds. */
const POLITE = 2000;

/** By name, promises of locks of this page that are being released. A companion that is made again waits for the one before it. */
const releasing = new Map();

/** Returns a lock among the tabs and workers of an origin, by Web Locks. A tab can take it over from another. */
export const webLock = (name) => new WebLock(name);

/** Returns a lock that is always free, for a store that nobody else can open. */
export const noLock = () => ({ take: async () => true, takeOver: async () => true, close: () => {} });

/**
 * A lock of Web Locks. A tab that takes it over first asks the tab that has it, which gets two seconds to finish its transactions. Then the
 * lock is stolen.
 */
class WebLock {
  #name;
  #channel = null;
  #lost = null;
  #release = null;
  #held = false;
  /** Resolves when the browser has ended the last request, and with it the lock. */
  #ended = Promise.resolve();
  /** Counts the calls of `close`: a request from before one is not granted after it. */
  #closes = 0;

  constructor(name) {
    this.#name = `handfast ${name}`;
  }

  /**
   * Takes the lock if it is free. Returns whether this tab has it. `lost` is called when another tab takes over; the lock is free once the
   * promise that `lost` returns resolves.
   */
  async take(lost) {
    if (!globalThis.navigator?.locks) throw new CompanionError("NO_LOCK", "no Web Locks here, which need https or localhost: pass the option `lock`");
    const closes = this.#closes;
    await releasing.get(this.#name);
    if (closes !== this.#closes) return false;
    this.#open(lost);
    return this.#request({ ifAvailable: true }, closes);
  }

  /** Takes the lock from the tab that has it. */
  async takeOver(lost) {
    const closes = this.#closes;
    this.#open(lost);
    this.#channel.postMessage("give");
    const patience = AbortSignal.timeout(POLITE);
    if (await this.#request({ signal: patience }, closes).catch(() => false)) return true;
    return closes === this.#closes && this.#request({ steal: true }, closes);
  }

  #open(lost) {
    this.#lost = lost;
    if (this.#channel) return;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => { if (data === "give" && this.#held) this.#giveUp(); };
  }

  #request(options, closes) {
    return new Promise((resolve, reject) => {
      const requested = navigator.locks.request(this.#name, options, (lock) => {
        if (!lock || closes !== this.#closes) return resolve(false);
        this.#held = true;
        resolve(true);
        return new Promise((release) => { this.#release = release; });
      });
      this.#ended = requested.catch((error) => {
        // The lock was stolen, or was not granted in time.
        if (this.#held) this.#giveUp();
        reject(error);
      });
    });
  }

  async #giveUp() {
    this.#held = false;
    await this.#lost();
    this.#letGo();
  }

  #letGo() {
    this.#held = false;
    this.#release?.();
    this.#release = null;
  }

  /** Releases the lock once `finished` resolves. */
  async close(finished = Promise.resolve()) {
    this.#closes += 1;
    const released = finished.then(async () => {
      this.#letGo();
      await this.#ended;
      this.#channel?.close();
      this.#channel = null;
    });
    releasing.set(this.#name, released);
    await released;
    if (releasing.get(this.#name) === released) releasing.delete(this.#name);
  }
}
