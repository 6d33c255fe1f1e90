// Content that is here: its bytes in a file, its address for elements of the page, its thumbnail. An address is `/media/` and a random
// id; the Service Worker asks this tab for its bytes. A part of content is served as far as it came; a reader waits for the rest.

import { kindOf, savedName, servedType } from "./media_types.js";
import { done } from "./pkg/database.js";
import { workerUrl } from "./workers.js";

export const LIBRARY_STORES = { thumbnails: { keyPath: "content" } };

/** The longest side of a thumbnail, in pixels, and the largest picture of which one is made, in bytes. */
const THUMBNAIL = 480;
const PICTURE_MAX = 32 << 20;

export class Library {
  #companion;
  #disk;
  #emit;
  #all = new Map();
  #ids = new Map();
  #served = null;
  #thumbnails = new Map();

  constructor(companion, disk, emit) {
    this.#companion = companion;
    this.#disk = disk;
    this.#emit = emit;
  }

  /** The contents that are whole. */
  contents() {
    return [...this.#all].filter(([, one]) => one.available === one.media.size).map(([content]) => content);
  }

  /** Whether content is whole. */
  has(content) {
    const one = this.#all.get(content);
    return one !== undefined && one.available === one.media.size;
  }

  /** Content is here up to `available`. */
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
    // What plays can be played while it comes.
    if (this.has(media.content) || kind === "video" || kind === "audio") this.#show(one).catch(() => {});
  }

  remove(content) {
    const one = this.#all.get(content);
    if (!one) return;
    this.#all.delete(content);
    this.#ids.delete(one.id);
    for (const reader of one.readers.splice(0)) reader();
    this.#emit({ event: "media", content, url: null });
  }

  /** Forgets everything, also what lies on the disk. */
  async clear() {
    for (const content of [...this.#all.keys()]) this.remove(content);
    for (const url of this.#thumbnails.values()) URL.revokeObjectURL(url);
    this.#thumbnails.clear();
    await this.#disk.keep([]);
  }

  /** Shows the thumbnail of a picture that was here once. Says whether there is one. */
  async showThumbnail(content) {
    if (this.#thumbnails.has(content)) return true;
    const stored = await this.#companion.database.get("thumbnails", content);
    if (stored) this.#showThumbnail(stored);
    return stored !== undefined;
  }

  async #show(one) {
    if (one.isShown) return;
    one.isShown = true;
    this.#served ??= this.#serve();
    await this.#served;
    const { content, type, size } = one.media;
    if (!this.#all.has(content)) return;
    this.#emit({ event: "media", content, url: `/media/${one.id}` });
    if (kindOf(type) === "image" && size <= PICTURE_MAX && !(await this.showThumbnail(content))) await this.#makeThumbnail(one);
  }

  async #makeThumbnail({ media: { content, type, size } }) {
    const bytes = await this.#disk.read(content, 0, size);
    const picture = await createImageBitmap(new Blob([bytes], { type })).catch(() => null);
    // It is no picture: it stays a document.
    if (!picture) return this.#emit({ event: "media", content, broken: true });
    const { width, height } = picture;
    const scale = Math.min(1, THUMBNAIL / Math.max(width, height));
    const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    picture.close();
    const thumbnail = { content, blob: await canvas.convertToBlob({ type: "image/webp", quality: 0.8 }), width: canvas.width, height: canvas.height };
    await this.#companion.change((txn) => txn.objectStore("thumbnails").put(thumbnail));
    return this.#showThumbnail(thumbnail);
  }

  #showThumbnail({ content, blob, width, height }) {
    const url = URL.createObjectURL(blob);
    this.#thumbnails.set(content, url);
    this.#emit({ event: "media", content, thumbnail: url, width, height });
  }

  /** Starts the Service Worker, and answers it. */
  async #serve() {
    const { serviceWorker } = navigator;
    serviceWorker.addEventListener("message", ({ data, ports: [port] }) => { if (data?.handfast === "media") this.#answer(data.id, port); });
    serviceWorker.startMessages();
    const registration = await serviceWorker.register(workerUrl("media_worker.js"), { scope: "/" });
    await serviceWorker.ready;
    if (serviceWorker.controller) return;
    await new Promise((resolve) => {
      serviceWorker.addEventListener("controllerchange", resolve, { once: true });
      // A page that was loaded past the worker is taken by it when it is asked.
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

  /** Bytes of content, as soon as the first of them is here. */
  async #read(one, at, length) {
    while (at >= one.available && at < one.media.size) {
      if (this.#all.get(one.media.content) !== one) return new Uint8Array();
      await new Promise((resolve) => one.readers.push(resolve));
    }
    return this.#disk.read(one.media.content, at, Math.min(length, one.available - at));
  }
}
