// The codes that a companion without a link shows: which are valid, when the next one is due, and which of them a phone has scanned.

import { ShownCodes } from "./handfast.js";
import { isHidden } from "./wake_events.js";

/** How long a code is shown, in milliseconds, and how many codes are valid at once. */
export const CODE_SHOWN = 30_000;
const CODES_MAX = 2;

export class Codes {
  #make;
  #tasks = [];
  /** A flag that all codes share, so that only one of them answers a phone. */
  #shown = null;
  #next = null;

  /** `make(shown, now)` makes the task of a new code. */
  constructor(make) {
    this.#make = make;
  }

  /** The tasks of the valid codes. */
  get tasks() {
    return this.#tasks;
  }

  /** Whether codes are shown, or will be again. */
  get areShown() {
    return this.#next !== null;
  }

  /** Whether a code has answered a phone, so that the next code is shown only when the user asks for it. */
  get isAnswered() {
    return this.#shown?.isAnswered() ?? false;
  }

  /** Shows codes from now on, unless one has answered a phone. */
  begin(now) {
    this.#shown ??= new ShownCodes();
    if (!this.isAnswered) this.#next = now;
  }

  /** The user asks for a code: those before do not count any more. */
  renew() {
    this.#shown = null;
  }

  /** Shows no further code. */
  end() {
    this.#next = null;
  }

  /** Ends all codes. */
  clear() {
    for (const task of [...this.#tasks]) this.drop(task);
    this.end();
  }

  /**
   * Returns when the next code is due. Returns null while a phone has scanned a code, or while the page is
   * hidden.
   */
  get due() {
    return isHidden() || this.#tasks.some(({ machine }) => machine.isFrozen()) ? null : this.#next;
  }

  /** Makes the next code if it is due, and returns its task. */
  rotate(now) {
    const { due } = this;
    if (due === null || now < due) return null;
    this.#next = now + CODE_SHOWN;
    while (this.#tasks.length >= CODES_MAX) this.drop(this.#tasks[0]);
    const task = this.#make(this.#shown, now);
    this.#tasks.push(task);
    return task;
  }

  /** Drops all codes but this one, because only one of them may answer a phone. */
  only(task) {
    for (const other of this.#tasks.filter((one) => one !== task)) this.drop(other);
  }

  drop(task) {
    this.#tasks = this.#tasks.filter((other) => other !== task);
    task.drop();
  }

  /** Takes out the code whose attempt is over, if there is one. Whoever takes it drops it. */
  takeEnded() {
    const ended = this.#tasks.find(({ over }) => over);
    if (ended) this.#tasks = this.#tasks.filter((other) => other !== ended);
    return ended;
  }
}
