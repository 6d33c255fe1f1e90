// The collections to which the page subscribes: the changes of older messages, the two lists, and as many
// chats as fit. To make room, the chat that was needed longest ago is unsubscribed once its digest agrees;
// its stored messages stay. The open chat stays subscribed. To make room for it, even a chat whose digest
// does not agree yet is unsubscribed.

import { changesCollection, chatsCollection, companionsCollection, messagesCollection } from "./pkg/chat.js";

/**
 * How many chats fit: a connection has 64 subscriptions, of which three are for the changes and the two
 * lists.
 */
const CHATS_MAX = 61;

const nameOf = (collection) => collection.join();

export class Subscriptions {
  #companion;
  /**
   * The subscribed chats and the state of each: `behind`, `inSync` or `leaving`. The chat that was needed
   * longest ago comes first.
   */
  #followed = new Map();
  /** The chats that wait for a subscription. The one needed most comes first. */
  #waiting = [];
  #chats = new Map();
  open = null;
  /** Whether the digest of the list of chats agrees with the phone's. */
  hasList = false;

  constructor(companion) {
    this.#companion = companion;
  }

  /**
   * Subscribes at the beginning of a connection: to the changes first (spec, MSG-062), then to the lists,
   * then to the most recent chats.
   */
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

  /** Returns the chat whose messages a collection contains. */
  chatOf(collection) {
    return this.#chats.get(nameOf(collection));
  }

  /** The most chats that are subscribed at once. */
  chatsMax = CHATS_MAX;

  /** The chats that are subscribed or wait for a subscription. */
  get chats() {
    return [...this.#followed.keys(), ...this.#waiting];
  }

  get hasRoom() {
    return this.#followed.size < CHATS_MAX;
  }

  /** Returns whether the stored messages of a chat agree with the phone's. */
  isInSync(chat) {
    return this.#followed.get(chat) === "inSync";
  }

  /** Subscribes to a chat. If it is subscribed already, marks it as needed most recently. */
  need(chat) {
    const state = this.#followed.get(chat);
    if (state === "behind" || state === "inSync") {
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

  /** Unsubscribes one chat for each chat that waits. */
  #makeRoom() {
    const leaving = [...this.#followed.values()].filter((state) => state === "leaving").length;
    for (let left = leaving; left < this.#waiting.length; left += 1) {
      const chat = this.#leastNeeded();
      if (chat === undefined) return;
      this.#followed.set(chat, "leaving");
      this.#companion.unsubscribe(messagesCollection(chat));
    }
  }

  #leastNeeded() {
    const others = [...this.#followed].filter(([chat, state]) => chat !== this.open && state !== "leaving");
    const idle = others.find(([, state]) => state === "inSync");
    const isOpenWaiting = this.#waiting[0] === this.open;
    return (idle ?? (isOpenWaiting ? others[0] : undefined))?.[0];
  }

  /** Records that the digest of a chat agrees with the phone's, or that the chat's repair was given up. */
  settled(chat) {
    if (this.#followed.get(chat) === "behind") this.#followed.set(chat, "inSync");
    this.#makeRoom();
  }

  /** A chat was unsubscribed: subscribes to the next chat that waits. */
  unsubscribed(chat) {
    this.#followed.delete(chat);
    const next = this.#waiting.shift();
    if (next !== undefined) this.#follow(next);
    this.#makeRoom();
  }
}
