// Finds the size of a picture from its first bytes, before the picture is decoded: a file of a few kilobytes
// may decode to a gigabyte.

/** The most pixels that a picture may have to be decoded, and the longest side of a thumbnail in pixels. */
export const PIXELS_MAX = 40_000_000;
export const THUMBNAIL = 480;

/**
 * How many bytes are read at once, within how many bytes from the start the size must be found, and how many
 * segments are searched at most.
 */
const BLOCK = 65_536;
const LOOKED_MAX = 4 << 20;
const SEGMENTS_MAX = 512;

/**
 * Returns the displayed width and height of a picture. Returns null if its bytes are not those of a kind of
 * picture that is shown here, whatever its media type says. `read(at, length)` returns at most `length`
 * bytes.
 */
export async function measure(read) {
  const bytes = new Blocks(read);
  const head = await bytes.at(0, 64);
  for (const [isIt, size] of KINDS) {
    const found = isIt(head) ? await size(bytes, head) : null;
    if (found && found.width > 0 && found.height > 0) return found;
  }
  return null;
}

/** Returns whether a picture of this size may be decoded. */
export const fits = (size) => size !== null && size.width * size.height <= PIXELS_MAX;

/** Returns the size of a picture's thumbnail. */
export function thumbnailSize({ width, height }) {
  const scale = Math.min(1, THUMBNAIL / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** Reads the bytes of a file in blocks. At the end of the file fewer bytes are returned. */
class Blocks {
  #read;
  #from = 0;
  #block = new Uint8Array();

  constructor(read) {
    this.#read = read;
  }

  async at(at, length) {
    if (at + length > LOOKED_MAX) return new Uint8Array();
    if (at < this.#from || at + length > this.#from + this.#block.length) {
      this.#block = await this.#read(at, BLOCK);
      this.#from = at;
    }
    return this.#block.slice(at - this.#from, at - this.#from + length);
  }
}

const text = (bytes, at, length) => String.fromCharCode(...bytes.slice(at, at + length));
const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const u24 = (bytes, at) => bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16;

function png(_, head) {
  if (head.length < 24 || text(head, 12, 4) !== "IHDR") return null;
  return { width: view(head).getUint32(16), height: view(head).getUint32(20) };
}

/**
 * Returns the size of a GIF: that of its screen, or of its first picture if that extends beyond the screen.
 */
async function gif(bytes, head) {
  if (head.length < 13) return null;
  const screen = { width: view(head).getUint16(6, true), height: view(head).getUint16(8, true) };
  let at = 13 + (head[10] & 0x80 ? 3 << (head[10] & 7) + 1 : 0);
  for (let blocks = 0; blocks < SEGMENTS_MAX; blocks += 1) {
    const [kind] = await bytes.at(at, 1);
    if (kind === 0x2c) {
      const one = await bytes.at(at, 10);
      if (one.length < 10) return null;
      const place = view(one);
      return { width: Math.max(screen.width, place.getUint16(1, true) + place.getUint16(5, true)), height: Math.max(screen.height, place.getUint16(3, true) + place.getUint16(7, true)) };
    }
    if (kind !== 0x21) return null;
    at += 2;
    for (;;) {
      const [length] = await bytes.at(at, 1);
      if (length === undefined) return null;
      at += length + 1;
      if (length === 0) break;
    }
  }
  return null;
}

function webp(_, head) {
  if (head.length < 30) return null;
  const kind = text(head, 12, 4);
  if (kind === "VP8X") return { width: u24(head, 24) + 1, height: u24(head, 27) + 1 };
  if (kind === "VP8 ") return { width: view(head).getUint16(26, true) & 0x3fff, height: view(head).getUint16(28, true) & 0x3fff };
  if (kind !== "VP8L" || head[20] !== 0x2f) return null;
  const bits = view(head).getUint32(21, true);
  return { width: (bits & 0x3fff) + 1, height: (bits >>> 14 & 0x3fff) + 1 };
}

/**
 * Returns whether a JPEG marker starts a frame. All markers of this range do, except three that start tables.
 */
const isFrame = (marker) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

async function jpeg(bytes) {
  let at = 2;
  let turned = false;
  for (let segments = 0; segments < SEGMENTS_MAX; segments += 1) {
    const head = await bytes.at(at, 4);
    if (head.length < 4 || head[0] !== 0xff) return null;
    const marker = head[1];
    if (marker === 0xff) at += 1;
    else if (marker === 0x01 || marker >= 0xd0 && marker <= 0xd8) at += 2;
    else if (marker === 0xd9 || marker === 0xda) return null;
    else {
      const length = view(head).getUint16(2);
      if (isFrame(marker)) {
        const frame = await bytes.at(at + 4, 5);
        if (frame.length < 5) return null;
        const [height, width] = [view(frame).getUint16(1), view(frame).getUint16(3)];
        return turned ? { width: height, height: width } : { width, height };
      }
      if (marker === 0xe1) turned ||= isTurned(await bytes.at(at + 4, Math.min(length, 4_096)));
      at += 2 + Math.max(2, length);
    }
  }
  return null;
}

/** Returns whether the orientation in the Exif data exchanges width and height. */
function isTurned(exif) {
  if (exif.length < 22 || text(exif, 0, 6) !== "Exif\0\0") return false;
  const tiff = view(exif.slice(6));
  const little = tiff.getUint16(0) === 0x4949;
  const list = tiff.getUint32(4, little);
  const within = (at, length) => at + length <= tiff.byteLength;
  const count = within(list, 2) ? tiff.getUint16(list, little) : 0;
  for (let entry = 0; entry < count; entry += 1) {
    const at = list + 2 + entry * 12;
    if (!within(at, 12)) return false;
    if (tiff.getUint16(at, little) === 0x0112) return tiff.getUint16(at + 8, little) >= 5;
  }
  return false;
}

const KINDS = [
  [(head) => text(head, 0, 8) === "\x89PNG\r\n\x1a\n", png],
  [(head) => text(head, 0, 3) === "GIF", gif],
  [(head) => text(head, 0, 4) === "RIFF" && text(head, 8, 4) === "WEBP", webp],
  [(head) => head[0] === 0xff && head[1] === 0xd8, jpeg],
];
