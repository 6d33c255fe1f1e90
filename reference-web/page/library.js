// The stored content of media: for each, the file of its bytes, its URL for elements of the page, and its
// thumbnail. A URL is `/media/` and a random id; the Service Worker requests the bytes from this tab. While
// content is still being fetched, a reader gets what has arrived, and waits for the rest.
//
// Rows of the store `files` list complete content, which survives reloads. When there is too much, the oldest
// is removed.

import { kindOf, savedName, servedType } from "./media_types.js";
import { fits, measure, thumbnailSize } from "./picture_size.js";
import { done } from "./pkg/request.js";
import { startWorker } from "./shell.js";

export const LIBRARY_STORES = { thumbnails: { keyPath: "content" }, files: { keyPath: "content" } };

/** The largest picture that is shown, and the most content that survives reloads, in bytes. */
const PICTURE_MAX = 32 << 20;
const KEPT_MAX = 512 << 20;

export class Library {
  #companion;
  #disk;
  #emit;
  #all = new Map();
  #ids = new Map();
  #served = null;
  #thumbnails = new Map();
  /** The content that has a row in `files`. */
  #isKept = new Set();
  /**
   * The end of the queue of pictures to decode. They are decoded one at a time, because each needs much
   * memory.
   */
  #decoding = Promise.resolve();
  /** The picture that was decoded last. */
  #decoded = null;

  constructor(companion, disk, emit) {
    this.#companion = companion;
    this.#disk = disk;
    this.#emit = emit;
  }

  /**
   * Loads the list of complete content. Removes files that are neither in this list nor among `others()`, and
   * the oldest content beyond the limit.
   */
  async load(others) {
    const rows = await done(this.#companion.store.read("files").objectStore("files").getAll());
    let room = KEPT_MAX;
    const kept = rows.sort((a, b) => b.kept_ms - a.kept_ms).filter(({ media }) => (room -= media.size) >= 0);
    const names = [...kept.map((row) => row.content), ...[...this.#all.keys()].filter((content) => this.has(content))];
    const sizes = await this.#disk.keep([...new Set([...others(), ...names])]);
    const isThere = ({ content, media }) => sizes.get(content) === media.size;
    const gone = rows.filter((row) => !kept.includes(row) || !isThere(row));
    if (gone.length > 0) await this.#companion.change((txn) => { for (const { content } of gone) txn.objectStore("files").delete(content); });
    for (const { content, media } of kept.filter(isThere)) {
      this.#isKept.add(content);
      this.add(media, media.size);
    }
  }

  /** Frees disk space: removes complete content that the phone can send again, except what `others` names. */
  async makeRoom(others) {
    const contents = [...this.#isKept].filter((content) => !others.includes(content));
    for (const content of contents) await this.forget(content);
  }

  /** Returns whether all bytes of this content are stored. */
  has(content) {
    const one = this.#all.get(content);
    return one !== undefined && one.available === one.media.size;
  }

  /** Records that content is stored up to the offset `available`. */
  add(media, available) {
    let one = this.#all.get(media.content);
    if (!one) {
      one = { media, available: 0, readers: [], id: crypto.randomUUID() };
      this.#all.set(media.content, one);
      this.#ids.set(one.id, one);
    }
    one.available = Math.max(one.available, available);
    for (const reader of one.readers.splice(0)) reader();
    const kind = kindOf(media.type);
    if (this.has(media.content)) this.#keep(media).catch(() => {});
    // Players can start before the content is complete, so these get their URL at once.
    if (this.has(media.content) || kind === "video" || kind === "audio") this.#show(one).catch(() => {});
  }

  /** Records complete content, so that it survives reloads. */
  async #keep(media) {
    if (this.#isKept.has(media.content)) return;
    this.#isKept.add(media.content);
    await this.#companion.change((txn) => txn.objectStore("files").put({ content: media.content, media, kept_ms: Date.now() }));
  }

  /** Removes content: its file, its thumbnail, and its rows. */
  async forget(content) {
    this.remove(content);
    this.#isKept.delete(content);
    const url = this.#thumbnails.get(content);
    if (url) URL.revokeObjectURL(url);
    this.#thumbnails.delete(content);
    await this.#companion.change((txn) => { for (const store of ["files", "thumbnails"]) txn.objectStore(store).delete(content); });
    await this.#disk.remove(content);
  }

  /** Stops serving content. */
  remove(content) {
    const one = this.#all.get(content);
    if (!one) return;
    this.#all.delete(content);
    this.#ids.delete(one.id);
    for (const reader of one.readers.splice(0)) reader();
    this.#emit({ event: "media", content, url: null });
  }

  /** Removes content to which no message refers, except what is in `use`. */
  async forgetUnnamed(use) {
    const index = this.#companion.store.read("messages").objectStore("messages").index("content");
    const contents = [...new Set([...this.#thumbnails.keys(), ...this.#isKept])].filter((content) => !use.includes(content));
    const counts = await Promise.all(contents.map((content) => done(index.count(content))));
    for (const [at, content] of contents.entries()) if (counts[at] === 0) await this.forget(content);
  }

  /** Removes all content, including the files. */
  async clear() {
    for (const content of [...this.#all.keys()]) this.remove(content);
    for (const url of this.#thumbnails.values()) URL.revokeObjectURL(url);
    this.#thumbnails.clear();
    this.#isKept.clear();
    await this.#disk.keep([]);
  }

  /**
   * Shows the stored thumbnail of a picture. Returns whether decoding this picture was tried before, with or
   * without success.
   */
  async showThumbnail(content) {
    if (this.#thumbnails.has(content)) return true;
    const stored = await this.#companion.store.get("thumbnails", content);
    if (stored?.blob) this.#showThumbnail(stored);
    // The row has no thumbnail: decoding the picture failed or crashed the page, so it is not tried again.
    else if (stored && this.#decoded !== content) this.#emit({ event: "media", content, broken: true });
    return stored !== undefined;
  }

  async #show(one) {
    if (one.isShown) return;
    one.isShown = true;
    this.#served ??= this.#serve();
    await this.#served;
    const { content, type } = one.media;
    if (!this.#all.has(content)) return;
    const url = `/media/${one.id}`;
    if (kindOf(type) !== "image") return void this.#emit({ event: "media", content, url });
    const size = await this.#sizeOf(one.media);
    // It is not a picture, or is one so large that it would fill the memory. It is shown as a document.
    if (!fits(size)) return void this.#emit({ event: "media", content, url, broken: true });
    this.#emit({ event: "media", content, url, ...thumbnailSize(size) });
    this.#decoding = this.#decoding.then(() => this.#makeThumbnail(one, size)).catch(() => {});
  }

  async #sizeOf({ content, size }) {
    if (size > PICTURE_MAX) return null;
    return measure((at, length) => this.#disk.read(content, at, Math.min(length, Math.max(0, size - at))));
  }

  /**
   * Decodes a picture at the size of its thumbnail. A row is stored first: if decoding crashes the page, it
   * is not tried again.
   */
  async #makeThumbnail({ media: { content, type, size } }, measured) {
    if (!this.#all.has(content) || await this.showThumbnail(content)) return;
    const bytes = await this.#disk.read(content, 0, size);
    this.#decoded = content;
    await this.#companion.change((txn) => txn.objectStore("thumbnails").put({ content }));
    const { width, height } = thumbnailSize(measured);
    const picture = await createImageBitmap(new Blob([bytes], { type }), { resizeWidth: width, resizeQuality: "medium" }).catch(() => null);
    if (!picture) return void this.#emit({ event: "media", content, broken: true });
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext("2d").drawImage(picture, 0, 0, width, height);
    picture.close();
    const thumbnail = { content, blob: await canvas.convertToBlob({ type: "image/webp", quality: 0.8 }), width, height };
    await this.#companion.change((txn) => txn.objectStore("thumbnails").put(thumbnail));
    this.#showThumbnail(thumbnail);
  }

  #showThumbnail({ content, blob, width, height }) {
    const url = URL.createObjectURL(blob);
    this.#thumbnails.set(content, url);
    this.#emit({ event: "media", content, thumbnail: url, width, height });
  }

  /** Registers the Service Worker, and answers its requests. */
  async #serve() {
    const { serviceWorker } = navigator;
    serviceWorker.addEventListener("message", ({ data, ports: [port] }) => { if (data?.handfast === "media") this.#answer(data.id, port); });
    serviceWorker.startMessages();
    const registration = await startWorker();
    await serviceWorker.ready;
    if (serviceWorker.controller) return;
    await new Promise((resolve) => {
      serviceWorker.addEventListener("controllerchange", resolve, { once: true });
      // After a forced reload no Service Worker controls the page. This message makes it take control.
      registration.active?.postMessage("claim");
    });
  }

  #answer(id, port) {
    const one = this.#ids.get(id);
    if (!one) return port.postMessage(null);
    const { name, type, size } = one.media;
    port.onmessage = async ({ data }) => {
      if (!data) return port.close();
      const bytes = await this.#read(one, data.at, data.length).catch(() => new Uint8Array());
      return port.postMessage(bytes, [bytes.buffer]);
    };
    return port.postMessage({ name: savedName(name, type), type: servedType(type), size });
  }

  /** Reads bytes of content, after waiting for the first of them. */
  async #read(one, at, length) {
    while (at >= one.available && at < one.media.size) {
      if (this.#all.get(one.media.content) !== one) return new Uint8Array();
      await new Promise((resolve) => one.readers.push(resolve));
    }
    return this.#disk.read(one.media.content, at, Math.min(length, one.available - at));
  }
}
