// Uploads and downloads of content over streams, which continue after reconnects and reloads. Rows of the
// store `transfers` describe unfinished transfers, the bytes are files of `disk.js`, and the chunk lists are
// in the store `lists`. The machine of the module checks content, and decides when what is durable and
// reported; here its requests are carried out.

import { sendMedia } from "./pkg/chat.js";
import { DiskFull } from "./disk.js";
import { Intake } from "./intake.js";
import { fits, thumbnailSize } from "./picture_size.js";
import { done } from "./pkg/request.js";
import { HOLDS_UP, Transfer, UNREAD, removeRows, waitingMedia } from "./transfer.js";

/** The stores that this module needs, in the format of `database.js`. */
export const TRANSFER_STORES = {
  transfers: { keyPath: "client", indexes: { chat: "chat" } },
  lists: { keyPath: "content" },
};

/** The most streams that are open at once. */
const RUNNING_MAX = 4;
/** The time between two progress events, in milliseconds. */
const TOLD_EVERY = 200;
/** The error code of a download for which this browser has no space; the phone gets the code `IO`. */
const FULL = "NO_ROOM";
/** If a stream ends with one of these, a new stream is opened for its transfer. */
const AGAIN = new Set(["lost", "BUSY", "TOO_MANY_STREAMS"]);

export class Transfers {
  #companion;
  #disk;
  #emit;
  #library;
  #all = new Map();
  #streams = new Map();
  #live = false;
  #pumping = false;
  #intake;
  #sending = false;
  #again = false;
  /** How often loading was begun. Only the last one goes on. */
  #loads = 0;

  /** `emit` receives events for the page. `library` is the stored content (library.js). */
  constructor(companion, disk, library, emit) {
    this.#companion = companion;
    this.#disk = disk;
    this.#library = library;
    this.#emit = emit;
    this.#intake = new Intake(companion, disk, this, emit);
  }

  /** Loads the transfers. Removes files that belong to no transfer and are not complete content. */
  async load() {
    this.#live = false;
    this.#loads += 1;
    const load = this.#loads;
    const txn = this.#companion.store.read("transfers", "lists");
    const [rows, lists] = await Promise.all([done(txn.objectStore("transfers").getAll()), done(txn.objectStore("lists").getAll())]);
    // Files that this page is reading are continued. Files that were being read when the page was closed have
    // failed.
    const current = new Map([...this.#all].filter(([client]) => this.#intake.has(client)));
    this.#all.clear();
    this.#streams.clear();
    const known = new Map(lists.map(({ content, list }) => [content, list]));
    const unread = rows.filter((row) => row.state === "reading" && !current.has(row.client));
    for (const row of unread) Object.assign(row, { state: "failed", code: UNREAD });
    if (unread.length > 0) await this.#companion.change((txn) => { for (const row of unread) txn.objectStore("transfers").put(row); });
    if (load !== this.#loads) return;
    for (const row of rows.sort((a, b) => a.time_ms - b.time_ms)) {
      const transfer = current.get(row.client) ?? new Transfer(row);
      transfer.list = known.get(row.media.content);
      this.#all.set(row.client, transfer);
      if (transfer.isOpen) this.#streams.set(row.stream, transfer);
      if (row.direction === "put" && row.code !== UNREAD && row.state !== "reading") this.#library.add(row.media, row.media.size);
      else if (transfer.list) this.#library.add(row.media, row.offset);
      this.#tell(transfer);
    }
    for (const transfer of [...this.#streams.values()]) if (!this.#continue(transfer)) this.#requeue(transfer);
    // Streams that belong to no transfer are not needed any more.
    for (const id of this.#companion.streams) if (!this.#streams.has(id)) this.#companion.streamStop(id, "GONE");
    this.#pump();
    this.#sendReady();
    await this.#library.load(() => this.#contents());
  }

  #contents() {
    return [...this.#all.values()].map(({ row }) => row.media.content);
  }

  /** Returns the uploads to a chat, or to all chats, as waiting messages. */
  unsent(chat) {
    return [...this.#all.values()].filter(({ row }) => row.direction === "put" && (chat === undefined || row.chat === chat)).map(({ row }) => waitingMedia(row));
  }

  /** Returns the transfer of this content: `direction` is `put` or `get`. */
  of(content, direction) {
    return [...this.#all.values()].find(({ row }) => row.media.content === content && row.direction === direction);
  }

  // From here on: actions of the user.

  /** Sends files in this order. */
  async attach(chat, files) {
    const read = await this.#intake.take(chat, files);
    const failed = (await Promise.all(read)).find(Boolean);
    if (failed) throw failed;
  }

  /** Shows a file that is to be read as an upload. */
  begin(row, size) {
    const transfer = new Transfer(row);
    transfer.size = size;
    this.#all.set(row.client, transfer);
    this.#emitSize(transfer);
    this.#emit({ event: "message", message: waitingMedia(row) });
    this.#tell(transfer);
  }

  /** Queues a file for upload. The file was read, and is stored under its content id. */
  async queue(client, content, list) {
    const transfer = this.#all.get(client);
    const { row } = transfer;
    transfer.row = { ...row, media: { ...row.media, content }, state: "queued" };
    transfer.list = list;
    await this.#companion.change((txn) => {
      txn.objectStore("lists").put({ content, list });
      txn.objectStore("transfers").put(transfer.row);
    });
    this.#emit({ event: "transfer_gone", content: client });
    this.#library.add(transfer.row.media, row.media.size);
    this.#emitSize(transfer);
    this.#emit({ event: "message", message: waitingMedia(transfer.row) });
    this.#tell(transfer);
    this.#pump();
  }

  /** Removes the upload of a file that cannot be read or stored. */
  async giveUp(row, error) {
    this.#all.delete(row.client);
    this.#emit({ event: "transfer_gone", content: row.client });
    this.#emit({ event: "message_removed", chat: row.chat, client_id: row.client });
    await this.#disk.remove(row.client).catch(() => {});
    await this.#companion.change((txn) => removeRows(txn, row)).catch(() => {});
    if (error instanceof DiskFull) await this.#library.makeRoom(this.#contents()).catch(() => {});
    this.#sendReady();
  }

  /** Sends the size of a picture to the page, so that its place is reserved before it is shown. */
  #emitSize({ row, size }) {
    if (fits(size)) this.#emit({ event: "media", content: row.media.content, ...thumbnailSize(size) });
  }

  /** Fetches the content to which a message refers. */
  async fetch(media) {
    const known = this.of(media.content, "get");
    if (known) return this.resume(known);
    if (this.#library.has(media.content)) return undefined;
    const transfer = new Transfer({ client: `g-${media.content}`, direction: "get", chat: null, media, time_ms: Date.now(), stream: null, offset: 0, state: "queued" });
    this.#all.set(transfer.row.client, transfer);
    await this.#store(transfer);
    return this.#pump();
  }

  async pause(transfer) {
    if (transfer.row.state === "arrived") return;
    transfer.row.state = "paused";
    // An upload just stops supplying bytes. A download cannot be stopped that way, so its stream is closed.
    // To resume it, a new stream is opened at the same offset.
    if (transfer.row.direction === "put") this.#setPaused(transfer);
    else if (transfer.isOpen) this.#close(transfer, "CANCELLED");
    await this.#store(transfer);
    this.#sendReady();
    this.#pump();
  }

  async resume(transfer) {
    transfer.row.state = transfer.isOpen ? "open" : "queued";
    delete transfer.row.code;
    await this.#store(transfer);
    this.#setPaused(transfer);
    this.#pump();
  }

  #setPaused({ row }) {
    if (row.direction === "put" && row.stream !== null) this.#companion.streamPause(row.stream, row.state === "paused");
  }

  /**
   * Removes content to which no message refers any more, and its download. Content that is being sent stays.
   */
  async forget(content) {
    const transfer = this.of(content, "get");
    if (transfer) await this.cancel(transfer);
    if (this.of(content, "put")) return;
    await this.#library.forget(content);
  }

  /** Removes all content to which no message refers, except what is being transferred. */
  forgetUnnamed() {
    return this.#library.forgetUnnamed(this.#contents());
  }

  /**
   * A message arrived that a command made. Ends the upload that has the same key: its message was sent before
   * the profile was restored from a copy.
   */
  made(key, txn) {
    const transfer = [...this.#all.values()].find(({ row }) => row.direction === "put" && row.key === key);
    if (!transfer) return;
    const { client, chat, media } = transfer.row;
    removeRows(txn, transfer.row);
    txn.addEventListener("complete", () => {
      if (transfer.isOpen) this.#close(transfer, "CANCELLED");
      this.#drop(transfer);
      this.#emit({ event: "transfer_gone", content: media.content });
      this.#emit({ event: "message_removed", chat, client_id: client });
    });
  }

  async cancel(transfer) {
    const { client, chat, media, direction } = transfer.row;
    if (transfer.isOpen) this.#close(transfer, "CANCELLED");
    await this.#forget(transfer);
    const isShared = ["put", "get"].some((other) => this.of(media.content, other));
    if (!isShared) await this.#library.forget(media.content);
    this.#emit({ event: "transfer_gone", content: media.content });
    if (direction === "put") this.#emit({ event: "message_removed", chat, client_id: client });
    this.#sendReady();
    this.#pump();
  }

  // From here on: events of streams.

  onState(state) {
    this.#live = state === "live";
    if (this.#live) this.#pump();
  }

  /** A connection was made. */
  onConnected() {
    this.#pump();
  }

  onStream(event) {
    const transfer = this.#streams.get(event.id);
    if (transfer) STREAM_EVENTS[event.type](this, transfer, event);
  }

  /** Writes checked content of a download. */
  async writes(transfer, { at, bytes }) {
    try {
      this.#companion.streamReuse(await this.#disk.writeFrom(transfer.row.media.content, at, bytes.buffer, bytes.length));
    } catch (error) {
      this.#fail(transfer, why(error));
    }
  }

  /** Makes written content durable, and stores that it is in the transaction that reports it. */
  async stores(transfer, { id, offset, size, list, isWhole }) {
    const { row } = transfer;
    if (list) {
      row.media = { ...row.media, size };
      this.#library.add(row.media, row.offset);
    }
    try {
      await this.#disk.flush(row.media.content);
      if (row.stream !== id) return;
      const isReported = await this.#companion.streamDurable(id, (txn) => {
        row.offset = offset;
        if (isWhole) {
          this.#drop(transfer);
          removeRows(txn, row);
          return;
        }
        txn.objectStore("transfers").put(row);
        if (list) txn.objectStore("lists").put({ content: row.media.content, list });
      });
      if (!isReported) return;
    } catch (error) {
      this.#fail(transfer, why(error));
      return;
    }
    this.#library.add(row.media, offset);
    if (isWhole) this.#emit({ event: "transfer_gone", content: row.media.content });
    else this.#tellProgress(transfer);
  }

  /** Reads content of an upload. */
  async reads(transfer, { id, at, length }) {
    const { row } = transfer;
    try {
      await this.#disk.readWith(row.media.content, at, length, (bytes) => { if (row.stream === id) this.#companion.streamSupply(id, bytes); });
    } catch (error) {
      this.#fail(transfer, why(error));
    }
  }

  progresses(transfer, { offset }) {
    transfer.row.offset = offset;
    this.#tellProgress(transfer);
  }

  ended(transfer, { end }) {
    this.#streams.delete(transfer.row.stream);
    transfer.row.stream = null;
    if (end === "done" && transfer.row.direction === "put") this.#arrived(transfer);
    else if (AGAIN.has(end)) this.#requeue(transfer);
    else this.#failed(transfer, end);
    this.#pump();
  }

  // From here on: opening and closing streams, and sending messages.

  /** Opens streams for queued transfers, oldest first. */
  async #pump() {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (const transfer of [...this.#all.values()].sort((a, b) => a.row.time_ms - b.row.time_ms)) {
        if (this.#live && this.#streams.size < RUNNING_MAX && transfer.row.state === "queued") await this.#open(transfer);
      }
    } catch {
      // The outbox is full, or the link was deleted. The next event tries again.
    } finally {
      this.#pumping = false;
    }
  }

  async #open(transfer) {
    const { row } = transfer;
    const effect = (txn, { id }) => {
      Object.assign(row, { stream: id, state: "open" });
      this.#streams.set(id, transfer);
      txn.objectStore("transfers").put(row);
    };
    if (row.direction === "put") await this.#companion.streamPut(transfer.list, effect);
    else await this.#companion.streamGet(row.media.content, row.offset, effect);
    this.#tell(transfer);
  }

  /** Continues a stream after a reload. Returns whether it is still open. */
  #continue(transfer) {
    const isOpen = this.#companion.streamContinue(transfer.row.stream, transfer.list);
    this.#setPaused(transfer);
    return isOpen;
  }

  /**
   * Handles the phone's report that it has the content. The file's message is sent after those of files that
   * were chosen earlier.
   */
  #arrived(transfer) {
    transfer.row.state = "arrived";
    this.#store(transfer).catch(() => {});
    this.#sendReady();
  }

  /** Sends the messages of complete uploads, in order within each chat. */
  async #sendReady() {
    if (this.#sending) return void (this.#again = true);
    this.#sending = true;
    do {
      this.#again = false;
      const heldUp = new Set();
      const rows = [...this.#all.values()].filter(({ row }) => row.direction === "put").sort((a, b) => a.row.time_ms - b.row.time_ms);
      for (const transfer of rows) {
        const { chat, state } = transfer.row;
        if (HOLDS_UP.has(state)) heldUp.add(chat);
        else if (state === "arrived" && !heldUp.has(chat)) await this.#sendMessage(transfer);
      }
    } while (this.#again);
    this.#sending = false;
  }

  /** Sends the message with the content, in the transaction that ends the transfer. */
  async #sendMessage(transfer) {
    const { row } = transfer;
    const { content, size, type, name } = row.media;
    try {
      const effect = (txn) => {
        const command = { key: row.key, kind: "media", chat: row.chat, text: "", media: row.media, time_ms: row.time_ms, state: "waiting" };
        txn.objectStore("commands").put(command);
        removeRows(txn, row);
        // The waiting message is shown at once. If it came after the phone's row, it would replace that.
        txn.addEventListener("complete", () => {
          this.#emit({ event: "transfer_gone", content });
          this.#emit({ event: "message", message: { ...waitingMedia(row), client_id: `c${row.key}`, replaces: row.client } });
        });
      };
      await this.#companion.send(sendMedia(row.chat, content, size, type, name), { key: row.key, effect });
      // Not deleted in the listener for "complete", because that may run after the promise resolves. The next
      // step would then send the same file again.
      this.#all.delete(row.client);
    } catch {
      // The outbox is full. The upload is repeated later, and the phone ends it at once because it has the
      // content.
      this.#requeue(transfer);
    }
  }

  #close(transfer, code) {
    const { stream } = transfer.row;
    this.#streams.delete(stream);
    transfer.row.stream = null;
    this.#companion.streamStop(stream, code);
  }

  #requeue(transfer) {
    const { row } = transfer;
    if (row.stream !== null) this.#streams.delete(row.stream);
    Object.assign(row, { stream: null, state: row.state === "paused" ? "paused" : "queued" });
    this.#store(transfer).catch(() => {});
  }

  #fail(transfer, code) {
    if (transfer.isOpen) this.#close(transfer, code === FULL ? "IO" : code);
    this.#failed(transfer, code);
  }

  #failed(transfer, code) {
    const { row } = transfer;
    Object.assign(row, { stream: null, state: "failed", code });
    // A download that is damaged or cannot be written starts again. A download that only lacked space is
    // continued.
    if (row.direction === "get" && code !== FULL) row.offset = 0;
    this.#store(transfer).catch(() => {});
    if (row.direction === "put") this.#sendReady();
    if (code === FULL) this.#library.makeRoom(this.#contents()).catch(() => {});
  }

  #drop(transfer) {
    this.#streams.delete(transfer.row.stream);
    transfer.row.stream = null;
    this.#all.delete(transfer.row.client);
  }

  /** Stores the transfer's row, then shows its state. */
  async #store(transfer) {
    const isKnown = () => this.#all.get(transfer.row.client) === transfer;
    await this.#companion.change((txn) => { if (isKnown()) txn.objectStore("transfers").put(transfer.row); });
    if (isKnown()) this.#tell(transfer);
  }

  async #forget(transfer) {
    this.#drop(transfer);
    await this.#companion.change((txn) => removeRows(txn, transfer.row));
  }

  #tellProgress(transfer) {
    if (performance.now() - transfer.told > TOLD_EVERY) this.#tell(transfer);
  }

  #tell(transfer) {
    const { row } = transfer;
    transfer.told = performance.now();
    const states = { queued: "waiting", open: "running", arrived: "waiting" };
    this.#emit({ event: "transfer", content: row.media.content, direction: row.direction, offset: row.offset, size: row.media.size, state: states[row.state] ?? row.state, code: row.code });
  }
}

const STREAM_EVENTS = {
  streamWrite: (all, transfer, event) => all.writes(transfer, event),
  streamSync: (all, transfer, event) => all.stores(transfer, event),
  streamRead: (all, transfer, event) => all.reads(transfer, event),
  streamProgress: (all, transfer, event) => all.progresses(transfer, event),
  streamEnded: (all, transfer, event) => all.ended(transfer, event),
};

const why = (error) => (error instanceof DiskFull ? FULL : "IO");
