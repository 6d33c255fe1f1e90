// Content to the phone and from it, over streams that outlive connections and the page. Rows of the store `transfers` say what is under
// way; the bytes lie in files of `disk.js`, which are removed with the page; lists of chunks lie in `lists`.

import { ContentHasher, MediaReceiver, getMeta, mediaType, putMeta, sendMedia } from "./pkg/companion.js";
import { DiskFull } from "./disk.js";
import { done } from "./pkg/database.js";
import { release } from "./pkg/sockets.js";

/** The stores that this needs, as `database.js` takes them. */
export const TRANSFER_STORES = {
  transfers: { keyPath: "client", indexes: { chat: "chat" } },
  lists: { keyPath: "content" },
};

/** Transfers whose streams are open at once. */
const RUNNING_MAX = 4;
/** The largest content, and the length of its chunks, in bytes (spec, limits: MEDIA_LEN_MAX, MEDIA_CHUNK_LEN). */
const MEDIA_LEN_MAX = 2 ** 31;
const CHUNK = 65_536;
/** The longest name, in bytes of UTF-8 (spec, messages: MSG-034). */
const NAME_MAX = 128;
/** How much of a file is read at once, in bytes. */
const BLOCK = 256 * 1024;
/** How often it is told how far a transfer is, in milliseconds. */
const TOLD_EVERY = 200;
/** Why a transfer stopped that there is no room for here; the phone is told that it could not be written. */
const FULL = "FULL";
/** Why a stream may end and be opened anew. */
const AGAIN = new Set(["lost", "BUSY", "TOO_MANY_STREAMS"]);

/** One transfer: its row, and what its open stream needs. */
class Transfer {
  list = null;
  isListStored = false;
  receiver = null;
  /** Where the next bytes that come are written. */
  at = 0;
  fin = null;
  syncing = false;
  block = null;
  wanted = null;
  /** When it was told how far it is. */
  told = 0;

  constructor(row) {
    this.row = row;
  }

  get isOpen() {
    return this.row.stream !== null;
  }
}

export class Transfers {
  #companion;
  #disk;
  #emit;
  #library;
  #all = new Map();
  #streams = new Map();
  #live = false;
  #pumping = false;
  /** What streams said before their rows were read. */
  #early = null;

  /** `emit` takes events of the page; `library` holds what is here (library.js). */
  constructor(companion, disk, library, emit) {
    this.#companion = companion;
    this.#disk = disk;
    this.#library = library;
    this.#emit = emit;
  }

  /** Takes up what the rows say; what else lies on the disk is removed. */
  async load() {
    this.#live = false;
    this.#early = [];
    const txn = this.#companion.database.read("transfers", "lists");
    const [rows, lists] = await Promise.all([done(txn.objectStore("transfers").getAll()), done(txn.objectStore("lists").getAll())]);
    this.#all.clear();
    this.#streams.clear();
    const known = new Map(lists.map(({ content, list }) => [content, list]));
    for (const row of rows) {
      const transfer = new Transfer(row);
      transfer.list = known.get(row.media.content) ?? null;
      transfer.isListStored = transfer.list !== null;
      this.#all.set(row.client, transfer);
      if (transfer.isOpen) this.#streams.set(row.stream, transfer);
      if (row.direction === "put") this.#library.add(row.media, row.media.size);
      else if (transfer.list) this.#library.add(row.media, row.offset);
      this.#tell(transfer);
    }
    const early = this.#early;
    this.#early = null;
    for (const event of early) this.onStream(event);
    this.onConnected();
    await this.#disk.keep([...rows.map((row) => row.media.content), ...this.#library.contents()]);
  }

  /** What is being sent to a chat, as messages that wait. */
  async unsent(chat) {
    return [...this.#all.values()].filter(({ row }) => row.direction === "put" && row.chat === chat).map(({ row }) => waitingMedia(row));
  }

  /** Of this content. */
  of(content, direction) {
    return [...this.#all.values()].find(({ row }) => row.media.content === content && row.direction === direction);
  }

  // What the user asks for.

  /** Sends a file. It is copied first, so that it is still there when the page is loaded anew. */
  async attach(chat, file) {
    if (file.size > MEDIA_LEN_MAX) throw new Error(`${file.name} is larger than 2 GiB`);
    const client = `f-${crypto.randomUUID()}`;
    const row = { client, direction: "put", chat, media: { content: client, type: "", name: cut(file.name), size: file.size }, time_ms: Date.now(), stream: null, offset: 0, state: "reading" };
    this.#emit({ event: "message", message: waitingMedia(row) });
    try {
      await this.#import(row, file);
    } catch (error) {
      this.#emit({ event: "message_removed", chat, client_id: client });
      await this.#disk.remove(client).catch(() => {});
      throw error;
    }
  }

  async #import(row, file) {
    const hasher = new ContentHasher();
    let head = null;
    let told = 0;
    // One buffer for all of it, to the worker too: what the browser makes for a reading it keeps until it collects.
    const reader = file.stream().getReader({ mode: "byob" });
    let buffer = new ArrayBuffer(BLOCK);
    for (let at = 0; at < file.size;) {
      const { value, done: isOver } = await reader.read(new Uint8Array(buffer));
      if (isOver) throw new Error(`${file.name} became shorter while it was read`);
      const { length } = value;
      head ??= value.slice(0, 64);
      hasher.update(value);
      buffer = await this.#disk.writeFrom(row.client, at, value.buffer, length);
      at += length;
      if (performance.now() - told > TOLD_EVERY) {
        told = performance.now();
        this.#emit({ event: "transfer", content: row.client, direction: "put", offset: at, size: file.size, state: "reading" });
      }
    }
    await this.#disk.flush(row.client);
    const { content, list } = hasher.finish();
    await this.#disk.rename(row.client, content);
    const transfer = new Transfer({ ...row, media: { ...row.media, content, type: mediaType(head ?? new Uint8Array()) }, state: "queued" });
    transfer.list = list;
    await this.#companion.change((txn) => {
      txn.objectStore("lists").put({ content, list });
      txn.objectStore("transfers").put(transfer.row);
    });
    this.#all.set(row.client, transfer);
    this.#library.add(transfer.row.media, file.size);
    this.#emit({ event: "message", message: waitingMedia(transfer.row) });
    this.#tell(transfer);
    this.#pump();
  }

  /** Fetches content that a message names. */
  async fetch(media) {
    const known = this.of(media.content, "get");
    if (known) return this.resume(known);
    if (this.#library.has(media.content)) return undefined;
    const transfer = new Transfer({ client: `g-${media.content}`, direction: "get", chat: null, media, time_ms: Date.now(), stream: null, base: 0, offset: 0, state: "queued" });
    this.#all.set(transfer.row.client, transfer);
    await this.#store(transfer);
    return this.#pump();
  }

  async pause(transfer) {
    transfer.row.state = "paused";
    // What is sent is held back; what comes is not, so its stream ends, and the next one begins where it was.
    if (transfer.row.direction === "get" && transfer.isOpen) this.#close(transfer, "CANCELLED");
    await this.#store(transfer);
    this.#pump();
  }

  async resume(transfer) {
    transfer.row.state = transfer.isOpen ? "open" : "queued";
    delete transfer.row.code;
    await this.#store(transfer);
    const { wanted } = transfer;
    transfer.wanted = null;
    if (wanted) this.#supply(transfer, wanted);
    this.#pump();
  }

  async cancel(transfer) {
    const { client, chat, media, direction } = transfer.row;
    if (transfer.isOpen) this.#close(transfer, "CANCELLED");
    await this.#forget(transfer);
    const isShared = ["put", "get"].some((other) => this.of(media.content, other));
    if (!isShared) {
      this.#library.remove(media.content);
      await this.#disk.remove(media.content);
    }
    this.#emit({ event: "transfer_gone", content: media.content });
    if (direction === "put") this.#emit({ event: "message_removed", chat, client_id: client });
    this.#pump();
  }

  // Events of streams.

  onState(state) {
    this.#live = state === "live";
    if (this.#live) this.#pump();
  }

  /** After a connection is made: what has no stream any more gets another one. */
  onConnected() {
    if (this.#early) return;
    const open = this.#companion.streams;
    for (const transfer of this.#all.values()) if (transfer.isOpen && !open.has(transfer.row.stream)) this.#requeue(transfer);
    this.#pump();
  }

  onStream(event) {
    if (this.#early) return void this.#early.push(event);
    const transfer = this.#streams.get(event.id);
    if (transfer) STREAM_EVENTS[event.type](this, transfer, event);
    else if (event.type === "dataWanted" || event.type === "data") this.#companion.streamStop(event.id, "GONE");
  }

  wantsData(transfer, event) {
    if (transfer.row.state === "paused") transfer.wanted = event;
    else this.#supply(transfer, event);
  }

  takesData(transfer, { id, offset, bytes }) {
    const end = offset + BigInt(bytes.length);
    let content;
    try {
      content = transfer.receiver.take(bytes);
    } catch {
      return this.#fail(transfer, "HASH");
    }
    if (content > 0) {
      this.#disk.write(transfer.row.media.content, transfer.at, bytes.subarray(bytes.length - content)).catch((error) => this.#fail(transfer, why(error)));
      transfer.at += content;
    }
    const size = transfer.receiver.size();
    if (size === undefined) return this.#companion.streamHold(id, end);
    if (!transfer.list) {
      transfer.list = transfer.receiver.list();
      transfer.row.media = { ...transfer.row.media, size };
      this.#library.add(transfer.row.media, transfer.row.offset);
    }
    return this.#sync(transfer);
  }

  takesFin(transfer, { hash }) {
    transfer.fin = hash;
    this.#sync(transfer);
  }

  resumed(transfer, { offset }) {
    transfer.block = transfer.wanted = transfer.fin = null;
    if (transfer.row.direction === "put") return;
    try {
      this.#receive(transfer, Number(offset));
    } catch {
      this.#close(transfer, "IO");
      this.#requeue(transfer);
    }
  }

  isDurable(transfer, { offset }) {
    transfer.row.offset = Math.max(0, Number(offset) - transfer.list.length);
    this.#tellProgress(transfer);
  }

  ended(transfer, { end }) {
    this.#streams.delete(transfer.row.stream);
    transfer.row.stream = null;
    if (end === "done" && transfer.row.direction === "put") this.#sent(transfer);
    else if (AGAIN.has(end)) this.#requeue(transfer);
    else this.#failed(transfer, end);
    this.#pump();
  }

  // Streams.

  /** Opens streams for what waits, oldest first. */
  async #pump() {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (const transfer of [...this.#all.values()].sort((a, b) => a.row.time_ms - b.row.time_ms)) {
        if (this.#live && this.#streams.size < RUNNING_MAX && transfer.row.state === "queued") await this.#open(transfer);
      }
    } catch {
      // The machine has no room, or the link is gone: what comes next tries again.
    } finally {
      this.#pumping = false;
    }
  }

  async #open(transfer) {
    const { row } = transfer;
    const isPut = row.direction === "put";
    row.base = isPut ? 0 : Math.floor(row.offset / CHUNK) * CHUNK;
    const meta = isPut ? putMeta(row.media.content, row.media.size) : getMeta(row.media.content, row.base);
    if (!isPut) this.#receive(transfer, 0);
    await this.#companion.streamOpen(isPut, meta, (txn, id) => {
      Object.assign(row, { stream: id, state: "open" });
      this.#streams.set(id, transfer);
      txn.objectStore("transfers").put(row);
    });
    this.#tell(transfer);
  }

  /** Makes the receiver of a stream of which `durable` bytes are on the disk. */
  #receive(transfer, durable) {
    const { row, list } = transfer;
    transfer.fin = null;
    transfer.receiver?.free();
    transfer.receiver = null;
    transfer.receiver = durable > 0 ? MediaReceiver.goOn(row.media.content, list, row.base, durable) : new MediaReceiver(row.media.content, row.base);
    transfer.at = transfer.receiver.checked();
  }

  async #supply(transfer, { id, offset, max }) {
    const { list, row } = transfer;
    const from = Number(offset);
    let bytes;
    try {
      bytes = from < list.length ? list.slice(from, from + max) : await this.#read(transfer, from - list.length, max);
    } catch (error) {
      return this.#fail(transfer, why(error));
    }
    if (row.stream !== id) return undefined;
    const isLast = from + bytes.length === list.length + row.media.size;
    if (bytes.length === 0 && !isLast) return this.#fail(transfer, "IO");
    try {
      this.#companion.streamSupply(id, offset, bytes, isLast ? fromHex(row.media.content) : undefined);
    } catch {
      // It is not wanted any more.
    }
    return undefined;
  }

  async #read(transfer, at, max) {
    const { block } = transfer;
    if (block && at >= block.at && at < block.at + block.bytes.length) return block.bytes.slice(at - block.at, at - block.at + max);
    if (block) release(block.bytes.buffer);
    transfer.block = null;
    const bytes = await this.#disk.read(transfer.row.media.content, at, BLOCK);
    transfer.block = { at, bytes };
    return bytes.slice(0, max);
  }

  /** Makes what came durable and reports it, one stretch after the other. */
  async #sync(transfer) {
    if (transfer.syncing) return;
    transfer.syncing = true;
    try {
      while (transfer.isOpen && transfer.receiver.isBehind(transfer.fin !== null)) await this.#report(transfer);
    } catch (error) {
      this.#fail(transfer, why(error));
    } finally {
      transfer.syncing = false;
    }
  }

  async #report(transfer) {
    const { row, receiver, list } = transfer;
    const isWhole = transfer.fin !== null;
    if (isWhole && (!receiver.isComplete() || toHex(transfer.fin) !== row.media.content)) return this.#fail(transfer, "HASH");
    const { stream } = row;
    const offset = receiver.checked();
    const durable = receiver.report();
    await this.#disk.flush(row.media.content);
    if (row.stream !== stream) return undefined;
    row.offset = offset;
    if (isWhole) this.#drop(transfer);
    await this.#companion.streamDurable(stream, BigInt(durable), (txn) => {
      if (isWhole) removeRows(txn, row);
      else {
        txn.objectStore("transfers").put(row);
        if (!transfer.isListStored) txn.objectStore("lists").put({ content: row.media.content, list });
      }
    });
    transfer.isListStored = true;
    this.#library.add(row.media, offset);
    return isWhole ? this.#emit({ event: "transfer_gone", content: row.media.content }) : this.#tellProgress(transfer);
  }

  /** The phone has the content: the message that carries it is sent in the same transaction. */
  async #sent(transfer) {
    const { row } = transfer;
    const { content, size, type, name } = row.media;
    try {
      let command;
      await this.#companion.send(sendMedia(row.chat, content, size, type, name), (txn, cmdId) => {
        command = { cmd_id: Number(cmdId), kind: "media", chat: row.chat, text: "", media: row.media, time_ms: row.time_ms, state: "waiting" };
        txn.objectStore("commands").put(command);
        removeRows(txn, row);
      });
      this.#all.delete(row.client);
      this.#emit({ event: "transfer_gone", content });
      this.#emit({ event: "message", message: { ...waitingMedia(row), client_id: `c${command.cmd_id}`, replaces: row.client } });
    } catch {
      // There is no room now: it is offered again, and the phone says that it has it.
      this.#requeue(transfer);
    }
  }

  #close(transfer, code) {
    const { stream } = transfer.row;
    this.#streams.delete(stream);
    transfer.row.stream = null;
    transfer.block = transfer.wanted = transfer.fin = null;
    try {
      this.#companion.streamStop(stream, code);
    } catch {
      // It has ended already.
    }
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
    // What was damaged, or could not be written, is fetched anew; what is only too much for now is gone on with.
    if (row.direction === "get" && code !== FULL) row.offset = 0;
    this.#store(transfer).catch(() => {});
  }

  #drop(transfer) {
    this.#streams.delete(transfer.row.stream);
    transfer.row.stream = null;
    this.#all.delete(transfer.row.client);
    transfer.receiver?.free();
    transfer.receiver = null;
  }

  /** What is shown is durable. */
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
    const states = { queued: "waiting", open: "running" };
    this.#emit({ event: "transfer", content: row.media.content, direction: row.direction, offset: row.offset, size: row.media.size, state: states[row.state] ?? row.state, code: row.code });
  }
}

const STREAM_EVENTS = {
  dataWanted: (all, transfer, event) => all.wantsData(transfer, event),
  data: (all, transfer, event) => all.takesData(transfer, event),
  fin: (all, transfer, event) => all.takesFin(transfer, event),
  streamResumed: (all, transfer, event) => all.resumed(transfer, event),
  streamDurable: (all, transfer, event) => all.isDurable(transfer, event),
  streamEnded: (all, transfer, event) => all.ended(transfer, event),
};

const why = (error) => (error instanceof DiskFull ? FULL : "IO");

function removeRows(txn, row) {
  txn.objectStore("transfers").delete(row.client);
  txn.objectStore("lists").delete(row.media.content);
}

const waitingMedia = (row) => ({ chat: row.chat, id: null, author: "", text: "", time_ms: row.time_ms, state: "waiting", media: row.media, client_id: row.client });

/** A name of at most `NAME_MAX` bytes: its end goes, and its extension stays. */
function cut(name) {
  const length = (text) => new TextEncoder().encode(text).length;
  if (length(name) <= NAME_MAX) return name;
  const at = name.lastIndexOf(".");
  const extension = at > 0 && length(name.slice(at)) <= 16 ? name.slice(at) : "";
  let stem = [...name.slice(0, name.length - extension.length)];
  while (length(stem.join("")) + length(extension) > NAME_MAX) stem = stem.slice(0, -1);
  return stem.join("") + extension;
}

const toHex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const fromHex = (hex) => Uint8Array.from(hex.match(/../gu), (pair) => Number.parseInt(pair, 16));
