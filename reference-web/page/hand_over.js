// Sends commands that are held back, one after the other, while the phone is connected. Until a command is
// sent it has not left this browser.

/** The time until the next attempt when the outbox was full, in milliseconds. */
const AGAIN_AFTER = 5_000;

export class HandOver {
  #first;
  #give;
  #isRunning = false;
  isLive = false;
  /** The command that is being sent, and can no longer be cancelled. */
  leaving = null;

  /**
   * `first()` returns the next command that is held back, if there is one. The promise of `give(one)`
   * resolves when that command is durably in the outbox.
   */
  constructor(first, give) {
    this.#first = first;
    this.#give = give;
  }

  onState(state) {
    this.isLive = state === "live";
    this.run();
  }

  async run() {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      for (let one = this.#first(); this.isLive && one; one = this.#first()) {
        this.leaving = one;
        await this.#give(one);
      }
    } catch {
      // The outbox is full until the phone answers, or the link was deleted. Try again later.
      setTimeout(() => this.run(), AGAIN_AFTER);
    } finally {
      this.#isRunning = false;
      this.leaving = null;
    }
  }
}
