// How large pictures are, from their first bytes: `node --test reference-web/tests/page`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { PIXELS_MAX, THUMBNAIL, fits, measure, thumbnailSize } from "../../page/picture_size.js";

const of = (bytes) => measure(async (at, length) => Uint8Array.from(bytes.slice(at, at + length)));
const text = (letters) => [...letters].map((letter) => letter.charCodeAt(0));
const big = (value, length) => Array.from({ length }, (_, at) => Math.floor(value / 256 ** (length - 1 - at)) % 256);
const little = (value, length) => big(value, length).reverse();

const png = (width, height) => [0x89, ...text("PNG\r\n\x1a\n"), ...big(13, 4), ...text("IHDR"), ...big(width, 4), ...big(height, 4), 1, 0, 0, 0, 0];
const gif = (width, height, frame, table = 0) => [...text("GIF89a"), ...little(width, 2), ...little(height, 2), table ? 0x80 | table - 1 : 0, 0, 0, ...Array(table ? 3 << table : 0).fill(0),
  0x21, 0xf9, 4, 0, 0, 0, 0, 0, 0x2c, ...frame.flatMap((value) => little(value, 2)), 0];
const webp = (kind, rest) => [...text("RIFF"), 0, 0, 0, 0, ...text("WEBP"), ...text(kind), 0, 0, 0, 0, ...rest, ...Array(16).fill(0)];
const segment = (marker, body) => [0xff, marker, ...big(body.length + 2, 2), ...body];
const frame = (width, height, marker = 0xc0) => segment(marker, [8, ...big(height, 2), ...big(width, 2), 3]);
const exif = (orientation, order = "II") => {
  const put = order === "II" ? little : big;
  return segment(0xe1, [...text("Exif\0\0"), ...text(order), ...put(42, 2), ...put(8, 4), ...put(1, 2), ...put(0x0112, 2), ...put(3, 2), ...put(1, 4), ...put(orientation, 2), 0, 0]);
};
const jpeg = (...parts) => [0xff, 0xd8, ...parts.flat()];

test("the size stands in the head of each kind of picture that is shown", async () => {
  for (const [bytes, size] of [
    [png(640, 480), [640, 480]],
    [gif(10, 20, [0, 0, 10, 20]), [10, 20]],
    [gif(10, 20, [0, 0, 10, 20], 8), [10, 20]],
    [webp("VP8 ", [0, 0, 0, 0x9d, 1, 0x2a, ...little(300, 2), ...little(200, 2)]), [300, 200]],
    [webp("VP8L", [0x2f, ...little(299 + 199 * 2 ** 14, 4)]), [300, 200]],
    [webp("VP8X", [0, 0, 0, 0, ...little(16_383, 3), ...little(99, 3)]), [16_384, 100]],
    [jpeg(segment(0xe0, Array(14).fill(0)), segment(0xdb, Array(65).fill(0)), frame(800, 600)), [800, 600]],
    [jpeg(segment(0xc4, Array(20).fill(0)), frame(800, 600, 0xc2)), [800, 600]],
    [jpeg([0xff], frame(800, 600)), [800, 600]],
    [jpeg(...Array(5).fill(segment(0xe2, Array(65_000).fill(7))), frame(800, 600)), [800, 600]],
  ]) assert.deepEqual(await of(bytes), { width: size[0], height: size[1] });
});

test("a photo that lies on its side is as wide as it is shown", async () => {
  for (const order of ["II", "MM"]) {
    assert.deepEqual(await of(jpeg(exif(1, order), frame(800, 600))), { width: 800, height: 600 });
    assert.deepEqual(await of(jpeg(exif(6, order), frame(800, 600))), { width: 600, height: 800 });
  }
});

test("what is no picture, or ends before its size, has none", async () => {
  for (const whole of [png(640, 480), gif(10, 20, [0, 0, 10, 20]), webp("VP8X", Array(10).fill(1)), jpeg(exif(6), frame(800, 600))]) {
    const needed = whole.length - (whole[0] === 0xff ? 1 : 0);
    for (let length = 0; length < Math.min(24, needed); length += 1) assert.equal(await of(whole.slice(0, length)), null, `${length} bytes`);
  }
  for (const bytes of [text("BM" + "\0".repeat(60)), text("<svg xmlns='http://www.w3.org/2000/svg'>"), [0, 0, 1, 0, ...Array(60).fill(0)], [0, 0, 0, 32, ...text("ftypavif"), ...Array(60).fill(0)],
    png(0, 5), jpeg(frame(800, 0)), jpeg([0xff, 0xda]), jpeg(...Array(2_000).fill(segment(0xe2, [1]))), [...text("GIF89a"), 1, 0, 1, 0, 0, 0, 0, 0x21, 0xf9, ...Array(64).fill(255)]]) assert.equal(await of(bytes), null);
});

test("a picture that is larger than what is decoded is known by its head", async () => {
  const sizes = [png(16_384, 16_384), png(PIXELS_MAX + 1, 1), png(2 ** 31, 2 ** 31), gif(1, 1, [65_535, 65_535, 65_535, 65_535]), webp("VP8X", [0, 0, 0, 0, 255, 255, 255, 255, 255, 255]), jpeg(frame(65_535, 65_535))];
  for (const bytes of sizes) assert.equal(fits(await of(bytes)), false);
  assert.equal(fits(await of(png(PIXELS_MAX, 1))), true);
  assert.equal(fits(null), false);
});

test("a thumbnail is small, and has the shape of its picture", () => {
  assert.deepEqual(thumbnailSize({ width: 4_000, height: 3_000 }), { width: THUMBNAIL, height: 360 });
  assert.deepEqual(thumbnailSize({ width: 1, height: 40_000_000 }), { width: 1, height: THUMBNAIL });
  assert.deepEqual(thumbnailSize({ width: 96, height: 50 }), { width: 96, height: 50 });
});
