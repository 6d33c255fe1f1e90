// The companion behind the page: stores the phone's chats in the database, and carries out what the user
// does. It converts events of the handfast module into events of `state.js`, and actions of the user into
// commands.

import { decodeItem, decodeResult, history, markRead, sendMedia, sendText } from "./pkg/chat.js";
import { Companion, drawCode, indexedDbStore, inTurn, load, oldCommandKey, webLock } from "./pkg/index.js";
import { Changes } from "./changes.js";
import { Disk } from "./disk.js";
import { Drafts } from "./drafts.js";
import { HELD_STORES } from "./held.js";
import { LIBRARY_STORES, Library } from "./library.js";
import { KEYED, actTime, drawKey, upgrade } from "./keys.js";
import { kindOf } from "./media_types.js";
import { Mirror, isChanges, listOf, numberOf } from "./mirror.js";
import { Ephemeral } from "./ephemeral.js";
import { OUTGOING_STORES, Outgoing, byTime, textCommand, waiting } from "./outgoing.js";
import { CHANGES } from "./overlay.js";
import { done } from "./pkg/request.js";
import { relayName } from "./relay_name.js";
import { isKept, keepShell } from "./shell.js";
import { Stretches } from "./stretches.js";
import { Subscriptions } from "./subscriptions.js";
import { TRANSFER_STORES, Transfers } from "./transfers.js";
import { describe } from "./strings.js";

/** How many messages one request to the phone asks for. */
const ASKED = 50;
/** The name of the database and of the lock among tabs. */
const DATABASE = "handfast";
/** The rights that the page asks for: read, send, media (spec, messages). */
const GRANTS = 7n;
const GRANT_SEND = 2n;
const GRANT_MEDIA = 4n;
/** The most chats whose newest message is read from the database when the page is loaded. */
const LASTS = 100;
/** Pictures up to this size, in bytes, are fetched before the user asks for them. */
const PICTURE_FETCHED = 2 << 20;
const STORES = {
  chats: { keyPath: "chat" },
  messages: { keyPath: ["chat", "id"], indexes: { content: "media.content" } },
  commands: { keyPath: "key", indexes: { chat: "chat" } },
  drafts: { keyPath: "chat" },
  devices: { keyPath: "serial" },
  ...HELD_STORES,
  ...TRANSFER_STORES,
  ...LIBRARY_STORES,
  ...OUTGOING_STORES,
};

export class Engine {
  #companion;
  #emit;
  #open = null;
  #codes = 0;
  #changes;
  #drafts;
  #ephemeral;
  #outgoing;
  #shows = false;
  #telling = false;
  /** The lists that changed since they were last sent to the page. */
  #stale = new Set();
  /** Whether the messages of the open chat must be sent to the page again. */
  #isStale = false;
  /** The chats whose shown messages have no gap between them. */
  #right = new Set();
  #isLive = false;
  #subscriptions;
  #mirror;
  #stretches;
  #disk = null;
  #library = null;
  #transfers = null;

  /** Opens the companion; `emit` receives the events. */
  static async start(emit) {
    const engine = new Engine();
    engine.#emit = emit;
    await load().catch(() => {
      throw new Error("Its engine arrived damaged, or is of another version than the page. Load the page again; the keys in this browser are kept.");
    });
    const store = indexedDbStore(DATABASE, { version: KEYED, stores: STORES, upgrade: (db, txn, from) => upgrade(db, txn, from, oldCommandKey, STORES.commands) });
    const options = { store, lock: webLock(DATABASE), relay: await relayName(), label: describe(navigator), grants: GRANTS, pairs: !isKept(), keepsBodies: false };
    engine.#companion = new Companion({ ...options, application: engine.#application() });
    for (const [type, translate] of Object.entries(EVENTS)) engine.#companion.on(type, (event) => translate(engine, event, (out) => engine.#emit({ at: Date.now(), ...out })));
    engine.#changes = new Changes(engine.#companion, emit);
    engine.#drafts = new Drafts(engine.#companion, emit);
    engine.#ephemeral = new Ephemeral(engine.#companion);
    engine.#outgoing = new Outgoing(engine.#companion, emit);
    engine.#subscriptions = new Subscriptions(engine.#companion);
    engine.#mirror = new Mirror(engine, engine.#subscriptions);
    engine.#stretches = new Stretches(engine.#companion, (item) => engine.#shown(item), (chat, commands) => engine.#unsent(chat, commands));
    await engine.#companion.start();
    return engine;
  }

  /** Carries out an action of the user. */
  async act(action) {
    const verb = VERBS[action.verb];
    if (verb) await verb(this, this.#companion, action);
  }

  // From here on: events of the companion.

  showCode(text, shownFor, emit) {
    const dark = drawCode(text);
    this.#codes += 1;
    emit({ event: "code", qr: { width: Math.sqrt(dark.length), dark, text_id: this.#codes }, shown_for_s: shownFor / 1000 });
  }

  async linked(known, emit) {
    const isFirst = !this.#shows;
    this.#shows = true;
    const { accountName: account, companion, label, relay, created: since, state, grants } = known;
    emit({ event: "linked", account, companion, label, relay, since });
    emit({ event: "can", what: [...grants & GRANT_SEND ? CHANGES : [], ...grants & GRANT_MEDIA ? ["media"] : []] });
    this.#disk ??= new Disk();
    this.#library ??= new Library(this.#companion, this.#disk, this.#emit);
    this.#transfers ??= new Transfers(this.#companion, this.#disk, this.#library, this.#emit);
    await this.#transfers.load();
    if (state === "diverged" || state === "suspended") emit({ event: state });
    await this.#changes.load();
    await this.#outgoing.load();
    await this.#tellUnsent();
    await this.#tell("chats");
    await this.#tell("devices");
    await this.#tellLasts();
    if (isFirst) await this.#drafts.tell();
    if (isFirst && !isKept()) keepShell();
    // A browser that refuses persistent storage may clear the database when the disk is full. Nothing is lost
    // then, because the phone still has everything.
    navigator.storage?.persist?.().catch(() => {});
  }

  async subscribe() {
    this.#transfers?.onConnected();
    this.#subscriptions.begin(await this.#recent());
  }

  /** Returns the chats in the order of their newest messages, newest first. */
  async #recent() {
    const chats = await done(this.#companion.store.read("chats").objectStore("chats").getAll());
    return chats.sort((a, b) => b.last_message - a.last_message).map(({ chat }) => chat);
  }

  /** Handles the news that a collection's digest agrees with the phone's, or that its repair was given up. */
  async settled(collection, isInSync) {
    const list = listOf(collection);
    if (list === "chats" && !this.#subscriptions.hasList) {
      this.#subscriptions.hasList = true;
      // The list was sent in the order of changes, but the chats with the newest messages must be subscribed
      // to first.
      for (const chat of (await this.#recent()).slice(0, this.#subscriptions.chatsMax).reverse()) this.#subscriptions.need(chat);
    }
    const chat = this.#subscriptions.chatOf(collection);
    if (chat === undefined) return;
    if (isInSync && !this.#mirror.isPaging(chat)) await this.#companion.settleRows(collection, (ids, txn, over) => this.#mirror.settle(chat, ids, txn, over));
    this.#subscriptions.settled(chat);
    if (chat === this.#open && this.#isStale) await this.#show(chat);
  }

  unsubscribed(collection) {
    const chat = this.#subscriptions.chatOf(collection);
    if (chat !== undefined) this.#subscriptions.unsubscribed(chat);
  }

  ephemeral(slot, body, emit) {
    this.#ephemeral.take(slot, body, emit);
  }

  // From here on: incoming data, applied in the transaction that makes it durable.

  /** The handlers of incoming rows and results, for the `application` of the handfast module. */
  #application() {
    return {
      row: (row, txn) => this.#row(row, txn),
      gone: (row, txn) => this.#gone(row, txn),
      arrives: (message, txn, over) => this.#mirror.arrives(message, txn, over),
      arrived: (message, txn, over) => this.#mirror.arrived(message, txn, over),
      keeps: (collection) => !isChanges(collection),
      bound: (collection) => this.#mirror.boundOf(collection),
      result: (result, txn) => this.#result(result, txn),
    };
  }

  /** Applies a row that is new or newer. Returns whether the row stays: a deletion marker does not. */
  #row({ collection, id, body }, txn) {
    const item = decoded(body);
    // A row of a later version of the protocol is set aside, and counts in the digest (spec, SYN-006).
    if (!item) return true;
    if (isChanges(collection)) return this.#mirror.change(id, item, txn);
    const list = listOf(collection);
    if (item.kind === "chat") {
      this.#putChat(item, txn);
    } else if (item.kind === "companion") {
      txn.objectStore("devices").put(item);
    } else if (item.kind === "message") {
      this.putMessage(item, txn);
    } else if (list && item.message === undefined) {
      this.#removeListed(list, item.chat, txn);
    } else if (!list && item.message !== undefined) {
      this.removeMessage({ chat: item.chat, id: item.message }, txn);
    }
    if (list) this.#after(txn, () => this.#tell(list));
    return item.kind !== "deleted";
  }

  /** Stores a chat. If the chat has a new message, its messages are subscribed to. */
  #putChat(item, txn) {
    const chats = txn.objectStore("chats");
    chats.get(item.chat).onsuccess = ({ target }) => {
      const hasNews = target.result?.last_message !== item.last_message;
      chats.put(item);
      const { hasList, hasRoom } = this.#subscriptions;
      if (hasRoom || (hasList && hasNews)) this.#after(txn, () => this.#subscriptions.need(item.chat));
    };
  }

  /**
   * Handles a row that the phone no longer has. A message stays if the phone's collection lacks it only
   * because it is older than all messages there.
   */
  #gone({ collection, id }, txn) {
    const list = listOf(collection);
    const number = numberOf(id);
    if (!list) return this.#mirror.gone(this.#subscriptions.chatOf(collection), number, txn);
    this.#removeListed(list, number, txn);
    this.#after(txn, () => this.#tell(list));
  }

  #removeListed(list, id, txn) {
    txn.objectStore(list).delete(id);
    if (list !== "chats") return;
    txn.objectStore("messages").delete(ofChat(id));
    txn.objectStore("held").delete(id);
  }

  /**
   * Deletes a message. A mark stays visible that there was a message, but nothing of its text or reactions.
   * Its media is deleted too, unless another message has the same media (spec, MSG-070).
   */
  removeMessage({ chat, id }, txn) {
    this.#changes.removed({ chat, id }, txn);
    this.#drafts.removed({ chat, id }, txn);
    const messages = txn.objectStore("messages");
    messages.get([chat, id]).onsuccess = ({ target: { result: row } }) => {
      if (!row || row.deleted) return;
      const { kind, author, time_ms, state, companion, command, media } = row;
      const left = { kind, chat, id, author, time_ms, state, text: "", deleted: true, ...companion && { companion, command } };
      messages.put(left);
      if (media) this.#removeContent(media.content, txn);
      this.#after(txn, () => this.#emit({ event: "message", message: this.#shown(left) }));
    };
  }

  #removeContent(content, txn) {
    txn.objectStore("messages").index("content").count(content).onsuccess = ({ target }) => {
      if (target.result === 0) this.#after(txn, () => this.#transfers?.forget(content).catch(() => {}));
    };
  }

  #after(txn, then) {
    txn.addEventListener("complete", then);
  }

  /**
   * Records that what arrives for a chat does not continue the shown messages. If the chat is open, it is
   * shown again once its digest agrees.
   */
  isAnew(chat) {
    this.#right.delete(chat);
    if (chat === this.#open) this.#isStale = true;
  }

  /**
   * Marks the open chat to be shown again, because all messages older than each chat's newest 200 were
   * deleted.
   */
  forgotOlder(txn) {
    this.#right.clear();
    if (this.#open !== null) this.#isStale = true;
    this.#after(txn, () => this.#transfers?.forgetUnnamed().catch(() => {}));
  }

  /** Returns the key of the command that made a message, if this companion sent that command. */
  #commandOf({ companion, command }) {
    return companion === this.#companion.known?.companion ? command : undefined;
  }

  /**
   * Returns a stored message in the form that the page shows. The `client_id` stays the same as before, so
   * that the page keeps the element and its focus.
   */
  #shown(item) {
    const { kind, companion, ...message } = item;
    const own = this.#commandOf(item);
    return own === undefined ? message : { ...message, client_id: `c${own}` };
  }

  /** Stores a message. If a command of this page made the message, it replaces the one shown as waiting. */
  putMessage(item, txn) {
    txn.objectStore("messages").put(item);
    const own = this.#commandOf(item);
    if (own !== undefined) {
      txn.objectStore("commands").delete(own);
      this.#outgoing.made(own, txn);
      this.#transfers?.made(own, txn);
    }
    this.#changes.row(item, txn);
    const message = this.#shown(item);
    // Messages may be missing between the shown ones and this one, so it is not shown now.
    if (item.chat === this.#open && this.#isStale) return;
    this.#after(txn, () => this.#emitMessages({ event: "message", message }, [message]));
  }

  #result({ key, body }, txn) {
    const result = body ? decodeResult(body) : { kind: "done" };
    if (result.kind === "history") return inTurn(txn, (over) => this.#history(key, result, txn, over));
    const commands = txn.objectStore("commands");
    commands.get(key).onsuccess = ({ target }) => {
      const command = target.result;
      if (!command) return;
      if (CHANGES.has(command.kind)) {
        this.#changes.result(command, result, txn, { put: (row) => this.putMessage(row, txn), remove: (row) => this.removeMessage(row, txn) });
      } else if (WRITTEN.has(command.kind) && result.kind === "failed") {
        const failed = { ...command, state: "failed", error: `Your phone refused it (${result.code}).` };
        commands.put(failed);
        txn.addEventListener("complete", () => this.#emit({ event: "message", message: waiting(failed) }));
      } else if (WRITTEN.has(command.kind)) {
        if (result.kind === "accepted") this.#accept(command, result.message, txn);
      } else {
        commands.delete(key);
        if (command.kind === "history") this.#after(txn, () => this.#tellOlder(command.chat, command.before));
      }
    };
  }

  /**
   * Stores a sent message as soon as the phone has accepted it, even if its row has not arrived yet (spec,
   * MSG-071).
   */
  #accept({ key, chat, text, media, reply_to, time_ms }, id, txn) {
    const messages = txn.objectStore("messages");
    messages.get([chat, id]).onsuccess = ({ target }) => {
      if (target.result) return void txn.objectStore("commands").delete(key);
      const own = { companion: this.#companion.known.companion, command: key };
      this.putMessage({ kind: "message", chat, id, author: "", time_ms, text, state: "accepted", ...media && { media }, ...reply_to && { reply_to }, ...own }, txn);
    };
  }

  /**
   * Stores a page of older messages. A page that was made before changes that are already applied is
   * requested again (spec, MSG-066).
   */
  #history(key, page, txn, over) {
    const commands = txn.objectStore("commands");
    commands.get(key).onsuccess = ({ target }) => {
      const command = target.result;
      if (!command) return over();
      commands.delete(key);
      const items = page.items.map(decoded).filter((item) => item?.kind === "message" && item.chat === command.chat);
      this.#mirror.takePage(command, items, page, txn, (isTaken) => {
        this.#after(txn, () => (isTaken ? this.#tellOlder(command.chat, command.before) : this.#askOlder(command.chat, command.before)).catch(() => {}));
        over();
      });
    };
  }

  // From here on: what the page shows of the database.

  /**
   * Returns the unsent messages of a chat: its waiting commands, the texts that are held back, and its
   * uploads.
   */
  #unsent(chat, commands) {
    return [...commands.filter((command) => WRITTEN.has(command.kind)).map(waiting), ...this.#outgoing.unsent(chat), ...this.#transfers.unsent(chat)].sort(byTime);
  }

  /** Sends a list to the page. If it changes while it is read, it is sent once more after that. */
  async #tell(list) {
    this.#stale.add(list);
    if (this.#telling) return;
    this.#telling = true;
    try {
      while (this.#stale.size > 0 && this.#companion.store.isOpen) {
        const [list] = this.#stale;
        this.#stale.delete(list);
        const rows = await done(this.#companion.store.read(list).objectStore(list).getAll());
        if (this.#shows) this.#emit({ event: list, [list]: rows });
      }
    } finally {
      this.#telling = false;
    }
  }

  /** Sends all unsent and refused messages to the page, for the list of chats. */
  async #tellUnsent() {
    const commands = await done(this.#companion.store.read("commands").objectStore("commands").getAll());
    const messages = [...commands.filter((command) => WRITTEN.has(command.kind)).map(waiting), ...this.#outgoing.unsent(), ...this.#transfers.unsent()];
    this.#emit({ event: "unsent", messages });
  }

  /** Sends the newest message of each chat at the top of the list to the page. */
  async #tellLasts() {
    const txn = this.#companion.store.read("chats", "messages");
    const chats = (await done(txn.objectStore("chats").getAll())).sort((a, b) => b.last_time_ms - a.last_time_ms).slice(0, LASTS);
    const rows = await Promise.all(chats.map(({ chat, last_message: id }) => done(txn.objectStore("messages").get([chat, id]))));
    this.#emit({ event: "lasts", messages: rows.filter(Boolean).map((row) => this.#shown(row)) });
  }

  /** Opens a chat. With `keep` the messages that are already shown stay. */
  async open(chat, keep) {
    this.#open = chat;
    this.#subscriptions.open = chat;
    this.#emit({ event: "open_chat", chat });
    if (!keep || !this.#right.has(chat)) await this.#showNewest(chat);
    if (this.#isLive) this.#subscriptions.need(chat);
  }

  /** Shows the newest messages of a chat in place of the shown ones. */
  async #showNewest(chat) {
    this.#emit({ event: "loading", chat, what: "anew" });
    await this.#show(chat);
  }

  /** Shows the open chat again, unless messages of it are still arriving. */
  async #show(chat) {
    this.#isStale = false;
    this.#right.add(chat);
    const { event, messages, isComing } = await this.#stretches.newest(chat);
    if (chat !== this.#open || this.#isStale) return;
    this.#emitMessages(event, messages);
    if (!isComing || this.#subscriptions.isInSync(chat)) return;
    // The phone has messages of this chat that are not stored here. They are shown once the chat's digest
    // agrees.
    this.#isStale = true;
    this.#emit({ event: "loading", chat, what: "older" });
  }

  /** Shows older messages: from the database up to the first gap, or else from the phone. */
  async older(chat, before) {
    this.#emit({ event: "loading", chat, what: "older" });
    if (!await this.#tellStored(chat, before)) await this.#askOlder(chat, before);
  }

  /** Shows the stored messages directly before a given one. Returns whether there were any. */
  async #tellStored(chat, before) {
    const told = await this.#stretches.older(chat, before);
    if (told) this.#emitMessages(told, told.messages);
    return told !== null;
  }

  async newer(chat, after) {
    const told = await this.#stretches.newer(chat, after);
    this.#emitMessages(told, told.messages);
  }

  async #askOlder(chat, before) {
    const row = { key: drawKey(), kind: "history", chat, before, time_ms: actTime() };
    await this.#companion.send(history(chat, before, ASKED), { key: row.key, effect: (txn) => txn.objectStore("commands").put(row) });
  }

  /** Shows the older messages that the phone's answer brought, or that there are none. */
  async #tellOlder(chat, before) {
    if (!await this.#tellStored(chat, before)) this.#emit({ event: "page", chat, where: "older", messages: [], more: false });
  }

  /** Tells the phone that the user has seen a chat's messages up to `id`. */
  async seen(chat, id) {
    const row = { key: drawKey(), kind: "read", chat, time_ms: actTime() };
    await this.#companion.send(markRead(chat, id), { key: row.key, effect: (txn) => txn.objectStore("commands").put(row) });
  }

  /** Stores the user's draft, and tells the contact that the user is typing. */
  async draft(chat, { isTyped, ...written }) {
    if (isTyped && written.text) this.#ephemeral.sayTyping(chat);
    await this.#drafts.keep(chat, written);
  }

  /** Sends a text, and deletes its draft. */
  async send(chat, text, reply) {
    await this.#sendText(chat, text, reply?.id, this.#drafts.sent(chat));
  }

  /**
   * Makes, repeats, dismisses or undoes a change of a message. `kind` is the name of a method of `Changes`.
   */
  change(kind, message, value) {
    return this.#changes[kind](message, value);
  }

  /** Edits a message that the phone has, or a text that has not left this browser. */
  edit(message, text) {
    return message.id ? this.#changes.edit(message, text) : this.#outgoing.edit(message, text);
  }

  /** Cancels a text that has not left this browser, or removes one that the phone refused. */
  async withdraw(message) {
    if (message.held) return this.#outgoing.withdraw(message);
    await this.#companion.change((txn) => txn.objectStore("commands").delete(message.client_id.slice(1)));
    return this.#emit({ event: "message_removed", chat: message.chat, client_id: message.client_id });
  }

  async #sendText(chat, text, replyTo, effect) {
    if (this.#outgoing.isNeeded) return this.#outgoing.hold(chat, text, replyTo, effect);
    const key = drawKey();
    const write = (txn) => {
      this.#wait(textCommand(key, chat, text, replyTo, actTime()), txn);
      effect?.(txn);
    };
    await this.#companion.send(sendText(chat, text, replyTo), { key, effect: write });
  }

  /**
   * Stores a command that sends a message, and shows the message as waiting. This happens before the phone's
   * row of the message can arrive.
   */
  #wait(command, txn) {
    txn.objectStore("commands").put(command);
    this.#after(txn, () => this.#emit({ event: "message", message: waiting(command) }));
  }

  /** Sends a message once more that the phone refused. */
  async again({ chat, text, reply_to, media, client_id: client }) {
    if (!media) await this.#sendText(chat, text, reply_to);
    else {
      const key = drawKey();
      const effect = (txn) => {
        this.#wait({ key, kind: "media", chat, text: "", media, time_ms: actTime(), state: "waiting" }, txn);
      };
      await this.#companion.send(sendMedia(chat, media.content, media.size, media.type, media.name), { key, effect });
    }
    await this.#companion.change((txn) => txn.objectStore("commands").delete(client.slice(1)));
    this.#emit({ event: "message_removed", chat, client_id: client });
  }

  attach(chat, files) {
    return this.#transfers.attach(chat, files);
  }

  fetch(message) {
    return this.#transfers.fetch(message.media);
  }

  /** Pauses, resumes or cancels a transfer. */
  transfer(verb, { author, id, media }) {
    const transfer = this.#transfers.of(media.content, author === "" && id === null ? "put" : "get") ?? this.#transfers.of(media.content, "put");
    return transfer && this.#transfers[verb](transfer);
  }

  /** Opens a picture in full size. */
  async view(message) {
    this.#emit({ event: "sheet", what: { picture: message } });
    await this.#transfers.fetch(message.media);
  }

  /** Shows the picture of a message that became visible. Fetches it if it is small. */
  async #showPicture({ id, media }) {
    if (!media || id === null || kindOf(media.type) !== "image" || await this.#library.showThumbnail(media.content)) return;
    const isAsked = this.#transfers.of(media.content, "get") || this.#library.has(media.content);
    if (media.size <= PICTURE_FETCHED && !isAsked && this.#companion.known.grants & GRANT_MEDIA) await this.#transfers.fetch(media);
  }

  #emitMessages(event, messages) {
    this.#emit(event);
    for (const message of messages) if (message.chat === this.#open) this.#showPicture(message).catch(() => {});
  }

  onState(state, emit) {
    this.#isLive = state === "live";
    emit({ event: "link_state", state });
    this.#transfers?.onState(state);
    this.#outgoing.onState(state);
    this.#changes.onState(state);
  }

  onStream(event) {
    this.#transfers?.onStream(event);
  }

  /** Closes the files, because another tab has taken the link. */
  taken(emit) {
    this.#disk?.close();
    emit({ event: "replaced" });
  }

  closed() {
    this.#open = null;
    this.#subscriptions.open = null;
  }

  newest(chat) {
    return this.#showNewest(chat);
  }

  forgotten() {
    this.#shows = false;
    this.closed();
    this.#library?.clear().catch(() => {});
    this.#transfers = null;
  }
}

const EVENTS = {
  code: (engine, { text, shownFor }, emit) => engine.showCode(text, shownFor, emit),
  checkCode: (_, { digits }, emit) => emit({ event: "check_code", code: digits }),
  numberWanted: (_, { accountName }, emit) => emit({ event: "number_wanted", account: accountName }),
  codeBurnt: (_, { code, asks }, emit) => emit({ event: "code_burnt", code, asks }),
  relayLost: (_, event, emit) => emit({ event: "relay_lost" }),
  unconfirmed: (_, { known, until }, emit) => emit({ event: "unconfirmed", account: known.accountName, until }),
  linked: (engine, { known }, emit) => engine.linked(known, emit),
  unlinked: (engine) => engine.forgotten(),
  state: (engine, { state }, emit) => engine.onState(state, emit),
  connected: (engine) => engine.subscribe(),
  putBack: (_, { who }, emit) => emit({ event: "put_back", who }),
  inSync: (engine, { collection }) => engine.settled(collection, true).catch(() => {}),
  resyncFailed: (engine, { collection }) => engine.settled(collection, false).catch(() => {}),
  unsubscribed: (engine, { collection }) => engine.unsubscribed(collection),
  ephemeral: (engine, { slot, body }, emit) => engine.ephemeral(slot, body, emit),
  contended: (_, { times }, emit) => emit({ event: "contended", times: Number(times) }),
  replaced: (_, event, emit) => emit({ event: "displaced" }),
  taken: (engine, _, emit) => engine.taken(emit),
  diverged: (_, event, emit) => emit({ event: "diverged" }),
  suspended: (_, event, emit) => emit({ event: "suspended" }),
  revoked: (_, event, emit) => emit({ event: "revoked" }),
  full: (_, event, emit) => emit({ event: "full" }),
  room: (_, event, emit) => emit({ event: "room" }),
  cleared: (_, event, emit) => emit({ event: "cleared" }),
  notPaired: (_, event, emit) => emit({ event: "not_paired" }),
  stopped: (_, { error }, emit) => emit({ event: "broken", text: error.message }),
  failed: (_, { code }, emit) => {
    if (code === "COMMANDS_FORGOTTEN") emit({ event: "forgotten" });
    else if (code === "NO_COMMON_VERSION") emit({ event: "outdated", who: "phone" });
  },
  closed: (_, { code }, emit) => code === "NO_COMMON_VERSION" && emit({ event: "outdated", who: "page" }),
  ...Object.fromEntries(["streamWrite", "streamSync", "streamRead", "streamProgress", "streamEnded"].map((type) => [type, (engine, event) => engine.onStream(event)])),
};

/** The kinds of commands that send a message, and are shown as waiting messages in the chat. */
const WRITTEN = new Set(["text", "media"]);

const VERBS = {
  number: (engine, companion, { digits }) => companion.enterNumber(digits),
  stopPairing: (engine, companion) => companion.stopPairing(),
  newCode: (engine, companion) => companion.newCode(),
  open: (engine, _, { chat, keep }) => engine.open(chat, keep),
  newest: (engine, _, { chat }) => engine.newest(chat),
  seen: (engine, _, { chat, id }) => engine.seen(chat, id),
  close: (engine) => engine.closed(),
  older: (engine, _, { chat, before }) => engine.older(chat, before),
  newer: (engine, _, { chat, after }) => engine.newer(chat, after),
  send: (engine, _, { chat, text, reply }) => engine.send(chat, text, reply),
  draft: (engine, _, { verb, chat, ...written }) => engine.draft(chat, written),
  edit: (engine, _, { message, text }) => engine.edit(message, text),
  withdraw: (engine, _, { message }) => engine.withdraw(message),
  delete: (engine, _, { message }) => engine.change("delete", message),
  react: (engine, _, { message, reaction }) => engine.change("react", message, reaction),
  again: (engine, _, { message }) => engine.change("again", message),
  leave: (engine, _, { message }) => engine.change("leave", message),
  undo: (engine, _, { message }) => engine.change("undo", message),
  retry_message: (engine, _, { message }) => engine.again(message),
  attach: (engine, _, { chat, files }) => engine.attach(chat, files),
  fetch: (engine, _, { message }) => engine.fetch(message),
  view: (engine, _, { message }) => engine.view(message),
  ...Object.fromEntries(["pause", "resume", "cancel"].map((verb) => [verb, (engine, _, { message }) => engine.transfer(verb, message)])),
  takeOver: (engine, companion) => (companion.isLinked ? companion.takeBack() : companion.takeOver()),
  logOut: async (engine, companion) => { await companion.logOut(); },
};


const ofChat = (chat) => IDBKeyRange.bound([chat, 0], [chat, Infinity]);

function decoded(item) {
  try {
    return decodeItem(item);
  } catch {
    // An item of a later version of the protocol is ignored (spec, SYN-006).
    return null;
  }
}
