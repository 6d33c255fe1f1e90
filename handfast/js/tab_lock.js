// A lock that lets only one tab use a database. A tab without the lock opens no socket. A tab that takes the
// lock over first asks the tab that has it, which gets two seconds to finish its transactions. Then the lock
// is stolen.

/** How long the tab that has the lock may take to finish, in milliseconds. */
const POLITE = 2000;

export class TabLock {
  #name;
  #channel;
  #lost;
  #release = null;
  #held = false;

  /**
   * `lost` is called when another tab takes over. The lock is free once the promise that `lost` returns
   * resolves.
   */
  constructor(name, lost) {
    this.#name = `handfast ${name}`;
    this.#lost = lost;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => { if (data === "give" && this.#held) this.#giveUp(); };
  }

  get isHeld() {
    return this.#held;
  }

  /** Takes the lock if it is free. Returns whether this tab has it. */
  take() {
    return this.#request({ ifAvailable: true });
  }

  /** Takes the lock from the tab that has it. */
  async takeOver() {
    this.#channel.postMessage("give");
    const patience = AbortSignal.timeout(POLITE);
    if (await this.#request({ signal: patience }).catch(() => false)) return true;
    return this.#request({ steal: true });
  }

  #request(options) {
    return new Promise((resolve, reject) => {
      navigator.locks.request(this.#name, options, (lock) => {
        if (!lock) return resolve(false);
        this.#held = true;
        resolve(true);
        return new Promise((release) => { this.#release = release; });
      }).catch((error) => {
        // The lock was stolen, or was not granted in time.
        if (this.#held) this.#giveUp();
        reject(error);
      });
    });
  }

  async #giveUp() {
    this.#held = false;
    await this.#lost();
    this.#release?.();
    this.#release = null;
  }

  /** Releases the lock. */
  close() {
    this.#held = false;
    this.#release?.();
    this.#channel.close();
  }
}
