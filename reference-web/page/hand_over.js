// Hands what is kept until the phone is there to the machines, one after the other. Until then nothing of it has left this browser.

/** After how long it is tried again to hand over what the machine had no room for, in milliseconds. */
const AGAIN_AFTER = 5_000;

export class HandOver {
  #first;
  #give;
  #isRunning = false;
  isLive = false;
  /** The one that is being handed over: it cannot be taken back any more. */
  leaving = null;

  /** `first()` is the one that is next, if there is one. `give(one)` is done once it is durable that it has left. */
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
      // The machine has no room, which it has again once the phone has answered; or the link is gone.
      setTimeout(() => this.run(), AGAIN_AFTER);
    } finally {
      this.#isRunning = false;
      this.leaving = null;
    }
  }
}
