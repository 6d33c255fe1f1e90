// Which collections the page follows: the changes of older messages, the two lists, and as many chats as subscriptions are left. To make
// room, the chat that was needed longest ago is left once it is in step: what is stored of it stays. The chat that is open is never left,
// and for it one that is not in step yet is.

import { changesCollection, chatsCollection, companionsCollection, messagesCollection } from "./pkg/companion.js";

/** A connection has 64 subscriptions, three of them the changes and the lists. */
const CHATS_MAX = 61;

const nameOf = (collection) => collection.join();

export class Subscriptions {
  #companion;
  /** Followed chats, the one needed longest ago first, and where each stands: `behind`, `inStep` or `leaving`. */
  #followed = new Map();
  /** Chats that wait for room, the one that is needed most first. */
  #waiting = [];
  #chats = new Map();
  open = null;
  /** Whether the list of chats was found in step. */
  hasList = false;

  constructor(companion) {
    this.#companion = companion;
  }

  /** A connection begins: the changes first (spec, MSG-062), then the lists, then these chats, the most recent first. */
  begin(recent) {
    this.#followed.clear();
    this.#waiting = [];
    this.hasList = false;
    this.#companion.subscribeFromNow(changesCollection());
    this.#companion.subscribe(chatsCollection());
    this.#companion.subscribe(companionsCollection());
    for (const chat of recent.slice(0, CHATS_MAX).reverse()) this.need(chat);
    if (this.open !== null) this.need(this.open);
  }

  /** The chat whose messages a collection holds. */
  chatOf(collection) {
    return this.#chats.get(nameOf(collection));
  }

  /** How many chats are followed at a time. */
  chatsMax = CHATS_MAX;

  /** The chats that are followed, or wait to be. */
  get chats() {
    return [...this.#followed.keys(), ...this.#waiting];
  }

  get hasRoom() {
    return this.#followed.size < CHATS_MAX;
  }

  /** Whether a chat's messages are known to be those of the phone. */
  isInStep(chat) {
    return this.#followed.get(chat) === "inStep";
  }

  /** A chat is needed now. */
  need(chat) {
    const state = this.#followed.get(chat);
    if (state === "behind" || state === "inStep") {
      this.#followed.delete(chat);
      this.#followed.set(chat, state);
    } else if (state === undefined && this.hasRoom) {
      this.#follow(chat);
    } else {
      this.#waiting = [chat, ...this.#waiting.filter((other) => other !== chat)];
    }
    this.#makeRoom();
  }

  #follow(chat) {
    const collection = messagesCollection(chat);
    this.#chats.set(nameOf(collection), chat);
    this.#followed.set(chat, "behind");
    this.#companion.subscribe(collection);
  }

  /** Leaves a chat for each that waits. */
  #makeRoom() {
    const leaving = [...this.#followed.values()].filter((state) => state === "leaving").length;
    for (let left = leaving; left < this.#waiting.length; left += 1) {
      const chat = this.#leastNeeded();
      if (chat === undefined) return;
      this.#followed.set(chat, "leaving");
      this.#companion.leave(messagesCollection(chat));
    }
  }

  #leastNeeded() {
    const others = [...this.#followed].filter(([chat, state]) => chat !== this.open && state !== "leaving");
    const idle = others.find(([, state]) => state === "inStep");
    const isOpenWaiting = this.#waiting[0] === this.open;
    return (idle ?? (isOpenWaiting ? others[0] : undefined))?.[0];
  }

  /** A chat is in step, or will not come to be. */
  settled(chat) {
    if (this.#followed.get(chat) === "behind") this.#followed.set(chat, "inStep");
    this.#makeRoom();
  }

  /** A chat that was left is gone: the next one takes its place. */
  left(chat) {
    this.#followed.delete(chat);
    const next = this.#waiting.shift();
    if (next !== undefined) this.#follow(next);
    this.#makeRoom();
  }
}
