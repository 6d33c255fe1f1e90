// One live tab for each database. A tab that has not the lock opens no socket. A take-over is polite: the holder is
// asked, and has two seconds to finish its transactions; then the lock is taken from it.

/** How long the holder may take, in milliseconds. */
const POLITE = 2000;

export class TabLock {
  #name;
  #channel;
  #lost;
  #release = null;
  #held = false;

  /** `lost` is called when another tab takes over; the lock is free once its promise is done. */
  constructor(name, lost) {
    this.#name = `handfast ${name}`;
    this.#lost = lost;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => { if (data === "give" && this.#held) this.#giveUp(); };
  }

  get isHeld() {
    return this.#held;
  }

  /** Takes the lock if it is free. Says whether this tab has it. */
  take() {
    return this.#request({ ifAvailable: true });
  }

  /** Takes the lock from whoever has it. */
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
        // The lock was stolen, or did not come in time.
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

  /** Gives the lock back. */
  close() {
    this.#held = false;
    this.#release?.();
    this.#channel.close();
  }
}
