// State that is shown but not stored: the phone's battery, which contacts are online, and which are typing.

import { decodeNow, nowFault, typing } from "./pkg/chat.js";

const SLOT_PHONE = 3n;
const SLOT_TYPING = 5n;
const SLOT_PRESENT = 7n;
/**
 * How long "typing" is shown if it is not renewed, and the shortest time between two reports of it, in
 * milliseconds.
 */
const TYPING_SHOWN = 6_000;
const TYPING_EVERY = 3_000;

export class Ephemeral {
  #companion;
  #typed = 0;
  #timers = new Map();

  constructor(companion) {
    this.#companion = companion;
  }

  /** Handles the new value `body` that the phone set in `slot`. */
  take(slot, body, emit) {
    // req: MSG-044
    const fault = nowFault(slot, body);
    if (fault !== undefined) return this.#companion.refuse(fault);
    let value;
    try {
      value = decodeNow(slot, body);
    } catch {
      // The value contains a number that JavaScript cannot represent, so it is ignored.
      return;
    }
    if (!value) return;
    if (slot === SLOT_PHONE) emit({ event: "phone", ...value, lastSeen: Date.now() });
    if (slot === SLOT_PRESENT) emit({ event: "present", chats: value.present });
    if (slot === SLOT_TYPING) {
      clearTimeout(this.#timers.get(value.typing));
      emit({ event: "typing", chat: value.typing, who: "Somebody" });
      this.#timers.set(value.typing, setTimeout(() => emit({ event: "typing", chat: value.typing, who: null }), TYPING_SHOWN));
    }
  }

  /** Reports that the user is typing, so that the contact can be told. */
  sayTyping(chat) {
    if (performance.now() - this.#typed < TYPING_EVERY) return;
    this.#typed = performance.now();
    this.#companion.setEphemeral(SLOT_TYPING, typing(chat));
  }
}
