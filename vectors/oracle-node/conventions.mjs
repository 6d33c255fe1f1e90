// Integers, TLV lists, derivations (spec/conventions.md).

import { createHash, createHmac } from "node:crypto";

/** An input is refused with a code of the registry. */
export class Refused extends Error {}

export function need(condition, code) {
  if (!condition) throw new Refused(code);
}

export const hex = (bytes) => Buffer.from(bytes).toString("hex");
export const unhex = (text) => Buffer.from(text, "hex");
export const join = (...parts) => Buffer.concat(parts.map((part) => Buffer.from(part)));

/** A number as the files hold it. */
export const number = (value) => (value < 2n ** 53n ? Number(value) : value.toString());

export function unsigned(value, size) {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(BigInt(value));
  return out.subarray(8 - size);
}

export function varint(value) {
  value = BigInt(value);
  const size = [1, 2, 4, 8].find((bytes) => value < 1n << BigInt(8 * bytes - 2));
  const out = Buffer.from(unsigned(value, size));
  out[0] |= { 1: 0, 2: 0x40, 4: 0x80, 8: 0xc0 }[size];
  return out;
}

export const label = (name) => Buffer.from(`handfast/1 ${name}`);
export const withLength = (bytes) => join([bytes.length], bytes);
export const hmac = (key, ...parts) => createHmac("sha256", key).update(join(...parts)).digest();
export const sha256 = (...parts) => createHash("sha256").update(join(...parts)).digest();
export const extract = (salt, ikm) => hmac(salt, ikm);

export function expand(prk, info, length) {
  let [out, block] = [Buffer.alloc(0), Buffer.alloc(0)];
  for (let counter = 1; out.length < length; counter += 1) {
    block = hmac(prk, block, info, [counter]);
    out = join(out, block);
  }
  return out.subarray(0, length);
}

export const hkdf = (ikm, info, length) => expand(extract(Buffer.alloc(0), ikm), info, length);
export const u64 = (bytes) => bytes.readBigUInt64BE(0);

/** Reads an item from front to back; every way to run out of bytes is TRUNCATED. */
export class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  get left() {
    return this.bytes.length - this.at;
  }

  take(length) {
    need(BigInt(length) <= BigInt(this.left), "TRUNCATED");
    this.at += Number(length);
    return this.bytes.subarray(this.at - Number(length), this.at);
  }

  uint(size) {
    return this.take(size).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  u8() {
    return Number(this.uint(1));
  }

  varint() {
    need(this.left > 0, "TRUNCATED");
    const size = 1 << (this.bytes[this.at] >> 6);
    const value = this.uint(size) & ((1n << BigInt(8 * size - 2)) - 1n);
    need(varint(value).length === size, "VARINT_NOT_MINIMAL");
    return value;
  }

  rest() {
    return this.take(this.left);
  }

  /** The rest, of a length within limits. */
  sized(low, high) {
    need(low <= this.left && this.left <= high, "FIELD_LENGTH");
    return this.rest();
  }

  /** `len u8 | x`. */
  short(low, high) {
    const value = this.take(this.u8());
    need(low <= value.length && value.length <= high, "FIELD_LENGTH");
    return value;
  }

  finish() {
    need(this.left === 0, "TRAILING_BYTES");
  }
}

export function utf8(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refused("BAD_UTF8");
  }
}

/** A list whose grammar was checked; its fields are then asked for in ascending order. */
export class Tlv {
  constructor(bytes, known, padded = false) {
    const reader = new Reader(bytes);
    this.fields = new Map();
    let last = -1n;
    while (reader.left && !(padded && bytes[reader.at] === 0)) {
      const type = reader.varint();
      need(type !== last, "DUPLICATE_FIELD");
      need(type > last, "FIELD_ORDER");
      need(type !== 0n, "FIELD_VALUE");
      need(type % 2n === 0n || known.includes(Number(type)), "UNKNOWN_CRITICAL");
      last = type;
      this.fields.set(Number(type), reader.take(reader.varint()));
    }
    this.length = reader.at;
    need(
      bytes.subarray(reader.at).every((byte) => byte === 0),
      "BAD_PADDING",
    );
  }

  has(type) {
    return this.fields.has(type);
  }

  bytes(type, low, high = low) {
    need(this.has(type), "FIELD_MISSING");
    const value = this.fields.get(type);
    need(low <= value.length && value.length <= high, "FIELD_LENGTH");
    return value;
  }

  hex(type, low, high = low) {
    return hex(this.bytes(type, low, high));
  }

  u8(type, allowed) {
    const value = this.bytes(type, 1)[0];
    need(!allowed || allowed.includes(value), "FIELD_VALUE");
    return value;
  }

  varint(type) {
    need(this.has(type), "FIELD_MISSING");
    const reader = new Reader(this.fields.get(type));
    let value;
    try {
      value = reader.varint();
    } catch (refused) {
      throw new Refused(refused.message === "TRUNCATED" ? "FIELD_LENGTH" : refused.message);
    }
    need(reader.left === 0, "FIELD_LENGTH");
    return value;
  }

  text(type, low, high) {
    return utf8(this.bytes(type, low, high));
  }
}

export const tlv = (fields) =>
  join(
    ...fields
      .sort(([first], [second]) => first - second)
      .flatMap(([type, value]) => [varint(type), varint(value.length), value]),
  );

export function pad(bytes) {
  let size = 128;
  while (size < bytes.length) size *= 2;
  return join(bytes, Buffer.alloc(size - bytes.length));
}

/** Sizes of a record's plaintext; a handshake payload has one of the first five. */
export const SIZES = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => 128 << k);
