// What stands in QR codes, relay frames, records and handshake payloads (spec/qr.md, relay.md, frames.md,
// certificates.md, handshake.md, delivery.md).

import { isIPv6 } from "node:net";
import { SIZES, Reader, Tlv, expand, extract, hex, join, label, need, number, pad, sha256, u64, unhex } from "./conventions.mjs";

const PRIME = 2n ** 255n - 19n;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

export const canonical = (key) => BigInt(`0x${hex(Buffer.from(key).reverse())}`) < PRIME;

export function relayName(bytes, longest = 64) {
  const name = Buffer.from(bytes).toString("latin1");
  need(name.length >= 1 && name.length <= longest, "RELAY_NAME");
  const found = /^(\[[^\]]*\]|[^:]*)(?::([1-9][0-9]{0,4}))?$/.exec(name);
  need(found && (found[2] === undefined || Number(found[2]) <= 65535), "RELAY_NAME");
  const host = found[1];
  if (host.startsWith("[")) {
    const address = host.slice(1, -1);
    need(isIPv6(address) && !address.includes("%") && address === address.toLowerCase(), "RELAY_NAME");
    return name;
  }
  const labels = host.split(".");
  need(
    labels.every((part) => /^(?!-)[a-z0-9-]{1,63}(?<!-)$/.test(part)),
    "RELAY_NAME",
  );
  if (/^([0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1))) {
    const byte = /^(0|[1-9][0-9]{0,2})$/;
    need(labels.length === 4 && labels.every((part) => byte.test(part) && Number(part) < 256), "RELAY_NAME");
  }
  return name;
}

/** What a code commits to its opening by. */
export const codeSecret = (wq, opening) => sha256(label("code"), wq, opening);

export function pairingSecrets(wq, secret) {
  const prk = extract(label("pair"), secret);
  return [expand(prk, join(label("pair mailbox"), wq), 16), expand(prk, join(label("pair psk"), wq), 32)];
}

export function qrDecode({ text }) {
  need(text.startsWith("HF1*"), "QR_NOT_HANDFAST");
  const code = text.slice(4);
  need(code.length <= Math.floor((108 * 8 + 4) / 5), "FIELD_LENGTH");
  need(
    [...code].every((letter) => ALPHABET.includes(letter)),
    "QR_ALPHABET",
  );
  const bits = [...code].map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const spare = bits.length % 8;
  need(spare < 5 && !bits.slice(bits.length - spare).includes("1"), "QR_ALPHABET");
  const payload = Buffer.from((bits.slice(0, bits.length - spare).match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)));
  const reader = new Reader(payload);
  const [type, flags] = [reader.u8(), reader.u8()];
  need(type !== 1, "QR_OUTDATED");
  need(type === 2 && flags === 0, "QR_UNSUPPORTED");
  const wq = reader.take(32);
  need(canonical(wq), "FIELD_VALUE");
  const secret = reader.take(32);
  const out = { wq: hex(wq), secret: hex(secret), relay: reader.u8() };
  if (out.relay === 0) out.host = relayName(reader.take(reader.u8()), 40);
  new Tlv(reader.rest(), []);
  const [mailbox, psk] = pairingSecrets(wq, secret);
  const without = join(payload.subarray(0, 34), payload.subarray(66));
  return { out: { ...out, without_secret: hex(without), mailbox: hex(mailbox), psk: hex(psk) } };
}

export function qrEncode(payload) {
  let bits = [...payload].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  bits += "0".repeat((5 - (bits.length % 5)) % 5);
  return `HF1*${bits.match(/.{5}/g).map((five) => ALPHABET[parseInt(five, 2)]).join("")}`;
}

/** Fields 3, 5 and 7 of a list: the others stand only with the first. */
function peerInfo(list) {
  if (!list.has(3)) {
    need(!list.has(5) && !list.has(7), "FIELD_MISSING");
    return undefined;
  }
  const out = { id: list.hex(3, 8) };
  if (list.has(5)) out.same_net = list.u8(5, [0, 1]) === 1;
  if (list.has(7)) out.origin = list.text(7, 0, 128);
  return out;
}

function attach(reader) {
  const list = new Tlv(reader.rest(), [1, 3, 5, 7, 9, 11, 13, 15]);
  const out = { version: list.u8(1), kind: list.u8(3, [1, 2]), role: list.u8(5, [1, 2]), mailbox: list.hex(7, 16) };
  // Of a pairing each role shows its own key alone.
  const given = (type, wanted, name, length) => {
    if (wanted) out[name] = list.hex(type, length);
    else need(!list.has(type), "FIELD_VALUE");
  };
  given(9, out.kind === 2 || out.role === 1, "phone_key", 32);
  given(11, out.kind === 2 || out.role === 2, "web_key", 32);
  given(13, out.kind === 2, "salt", 16);
  return { ...out, signature: list.hex(15, 64) };
}

function attached(reader) {
  const list = new Tlv(reader.rest(), [1, 3, 5, 7, 9, 11]);
  const out = { own: list.hex(1, 8) };
  const peer = peerInfo(list);
  if (peer) out.peer = peer;
  if (list.has(9)) out.phone_sticky = list.hex(9, 1, 512);
  if (list.has(11)) out.web_sticky = list.hex(11, 1, 512);
  return out;
}

function hello(reader) {
  const list = new Tlv(reader.rest(), [1, 3, 5, 7, 9]);
  const versions = list.hex(1, 1, 8);
  need(list.has(3), "FIELD_MISSING");
  const name = relayName(list.fields.get(3));
  const numbers = { boot: list.hex(5, 16), frame_len_max: number(list.varint(7)), ping_interval_ms: number(list.varint(9)) };
  return { versions, name, ...numbers };
}

function peer(reader) {
  const state = reader.u8();
  need([1, 2, 3].includes(state), "FIELD_VALUE");
  if (state === 1) {
    const info = peerInfo(new Tlv(reader.rest(), [3, 5, 7]));
    need(info, "FIELD_MISSING");
    return { state: "UP", peer: info };
  }
  const list = new Tlv(reader.rest(), state === 2 ? [] : [1]);
  return state === 2 ? { state: "DOWN" } : { state: "CONTENDED", count: number(list.varint(1)) };
}

function wake(reader) {
  const word = ["ASK", "SENT", "FAILED", "PEER_UP"][reader.u8() - 1];
  need(word, "FIELD_VALUE");
  if (word === "ASK") return { word, handle: hex(reader.sized(0, 256)) };
  return word === "FAILED" ? { word, class: reader.u8() } : { word };
}

function sticky(reader) {
  const role = reader.u8();
  need(role === 1 || role === 2, "FIELD_VALUE");
  return { role, value: hex(reader.sized(0, 512)) };
}

const token = (reader) => ({ token: hex(reader.take(8)) });
const RELAY = {
  1: ["HELLO", hello],
  3: ["CHALLENGE", (reader) => ({ nonce: hex(reader.take(32)) })],
  5: ["ATTACH", attach],
  7: ["ATTACHED", attached],
  9: ["DATA", (reader) => ({ kind: reader.u8(), body: hex(reader.rest()) })],
  11: ["PEER", peer],
  13: ["WAKE", wake],
  15: ["STICKY", sticky],
  17: ["PING", token],
  19: ["PONG", token],
  21: ["ERROR", (reader) => ({ code: Number(reader.uint(2)), retry_ms: Number(reader.uint(4)) })],
};

export function relayDecode({ frame }) {
  const bytes = unhex(frame);
  need(bytes.length <= 16512, "FIELD_LENGTH");
  const reader = new Reader(bytes);
  const type = reader.u8();
  if (!RELAY[type]) {
    need(type % 2 === 0, "UNKNOWN_CRITICAL");
    return { out: { ignored: type } };
  }
  const [name, body] = RELAY[type];
  const out = { frame: name, ...body(reader) };
  reader.finish();
  return { out };
}

// A body is described by its fields, each a function from a reader to what it adds.
const fields = (...parts) => (reader) => Object.assign({}, ...parts.map((part) => part(reader)));
const num = (name) => (reader) => ({ [name]: number(reader.varint()) });
const nums = (...names) => fields(...names.map(num));
const rest = (name, low, high) => (reader) => ({ [name]: hex(reader.sized(low, high)) });
const exactly = (name, length) => (reader) => ({ [name]: hex(reader.take(length)) });
const short = (name, low, high) => (reader) => ({ [name]: hex(reader.short(low, high)) });
const collection = short("collection", 1, 32);
const code = (reader) => ({ code: Number(reader.uint(2)) });

function parts(reader) {
  const [part, last] = [reader.u8(), reader.u8()];
  need(part <= last && last <= 31, "FIELD_VALUE");
  return { part, last };
}

function items(reader) {
  const inner = new Reader(reader.sized(0, 16000));
  const out = [];
  while (inner.left) {
    const item = inner.take(inner.varint());
    need(item.length >= 1 && item.length <= 15000, "FIELD_LENGTH");
    out.push(hex(item));
  }
  return { items: out };
}

function seq(reader) {
  const value = reader.varint();
  need(value >= 1n, "FIELD_VALUE");
  return { seq: number(value) };
}

function openKind(reader) {
  const kind = [undefined, "get", "put"][reader.u8()];
  need(kind, "FIELD_VALUE");
  return { kind };
}

function cursors(reader) {
  const out = [];
  while (reader.left) {
    need(out.length < 64, "FIELD_LENGTH");
    out.push([hex(reader.short(1, 32)), number(reader.varint())]);
  }
  return { cursors: out };
}

const FRAMES = {
  1: ["PING", null, nums("id", "rev")],
  3: ["PONG", null, num("id")],
  5: ["MSG", null, fields(seq, parts, rest("body", 0, 16000))],
  7: ["SINCE", "web", fields(collection, num("cursor"))],
  9: ["DELTA", "phone", fields(collection, nums("from", "to"), parts, items)],
  11: ["SNAPSHOT_REQUIRED", "phone", fields(collection, num("rev"))],
  13: ["PAGE_GET", "web", fields(collection, short("page", 0, 64))],
  15: ["PAGE", "phone", fields(collection, short("page", 0, 64), short("next", 0, 64), num("rev"), items)],
  17: ["DIGEST_GET", "web", fields(collection, num("cursor"))],
  19: ["DIGEST", "phone", fields(collection, num("cursor"), exactly("digest", 32))],
  21: ["ACK", null, fields(num("durable"), cursors)],
  23: ["NOW", null, fields(num("slot"), rest("body", 0, 1024))],
  25: ["OPEN", null, fields(num("id"), openKind, rest("meta", 0, 1024))],
  27: ["DATA", null, fields(nums("id", "offset"), rest("body", 1, 16000))],
  29: ["CREDIT", null, nums("id", "offset")],
  31: ["DURABLE", null, nums("id", "offset")],
  33: ["STOP", null, fields(num("id"), code)],
  35: ["FIN", null, fields(num("id"), exactly("hash", 32))],
  37: ["CONN_CREDIT", null, num("offset")],
  39: ["CLOSE", null, fields(code, num("retry_ms"))],
  41: ["REVOKED", "phone", exactly("signature", 64)],
  43: ["LEAVE", null, collection],
  45: ["WEB_BACK", "web", () => ({})],
};

export function certificateDecode(bytes) {
  const list = new Tlv(bytes, [3, 7, 15, 19, 21, 23, 25, 27, 31, 33]);
  list.u8(3, [1]);
  const out = { account: list.hex(7, 32), phone_attach: list.hex(15, 32), salt: list.hex(19, 16) };
  Object.assign(out, { companion: list.hex(21, 16), serial: number(list.varint(23)), grants: number(list.varint(25)) });
  const idle = list.varint(27);
  need(idle >= 1n && idle <= 365n, "FIELD_VALUE");
  return { ...out, idle_days: number(idle), account_name: list.text(31, 1, 64), signature: list.hex(33, 64) };
}

const LINK_FRAMES = {
  1: ["LINK_CERT", null, (reader) => ({ certificate: certificateDecode(reader.rest()) })],
  3: ["LINK_ACCEPT", null, exactly("signature", 64)],
  5: ["LINK_COMMIT", null, () => ({})],
  7: ["LINK_CLOSE", null, code],
  9: ["LINK_BACK", null, () => ({})],
};

function frames(plaintext, registry, sender) {
  need(SIZES.includes(plaintext.length), "BAD_RECORD_SIZE");
  const reader = new Reader(plaintext);
  const out = [];
  while (reader.left && plaintext[reader.at] !== 0) {
    const type = reader.varint();
    const body = new Reader(reader.take(reader.varint()));
    const row = registry[type];
    if (!row) {
      need(type % 2n === 0n, "UNKNOWN_CRITICAL");
      continue;
    }
    const [frame, from, read] = row;
    need(from === null || from === sender, "FRAME_NOT_ALLOWED");
    out.push({ frame, ...read(body) });
    body.finish();
  }
  need(
    plaintext.subarray(reader.at).every((byte) => byte === 0),
    "BAD_PADDING",
  );
  need(pad(plaintext.subarray(0, reader.at)).length === plaintext.length, "BAD_RECORD_SIZE");
  return { out: { frames: out } };
}

export const recordDecode = ({ plaintext, from }) => frames(unhex(plaintext), FRAMES, from);
export const linkRecordDecode = ({ plaintext }) => frames(unhex(plaintext), LINK_FRAMES, null);

/** What follows one after another, each beginning with a number above the last. */
function ascending(bytes, most, read) {
  const reader = new Reader(bytes);
  const out = [];
  let last;
  while (reader.left) {
    need(out.length < most, "FIELD_LENGTH");
    const value = reader.varint();
    need(value !== last, "DUPLICATE_FIELD");
    need(last === undefined || value > last, "FIELD_ORDER");
    last = value;
    out.push(read(value, reader));
  }
  return out;
}

const pair = (first, reader) => [number(first), number(reader.varint())];

function resumeDecode(bytes) {
  const reader = new Reader(bytes);
  const out = fields(exactly("out_epoch", 16), exactly("in_epoch", 16), nums("next_seq", "durable", "oldest"))(reader);
  Object.assign(out, fields(exactly("log_id", 16), num("rev"))(reader));
  return { ...out, streams: ascending(reader.rest(), 16, pair) };
}

const PAYLOADS = {
  xk1: [1, 3, 5],
  xk2: [1, 3, 5, 7, 9, 11, 13, 15, 17, 29],
  xk3: [],
  kk1: [1, 3, 5, 19, 21, 23, 25],
  kk2: [1, 3, 5, 21, 27, 31],
};

export function payloadDecode({ kind, payload }) {
  const bytes = unhex(payload);
  need(SIZES.slice(0, 5).includes(bytes.length), "BAD_RECORD_SIZE");
  const list = new Tlv(bytes, PAYLOADS[kind], true);
  need(pad(bytes.subarray(0, list.length)).length === bytes.length, "BAD_RECORD_SIZE");
  if (kind === "xk3") return { out: {} };
  const out = { versions: list.hex(1, 1, kind.endsWith("2") ? 1 : 8) };
  out.capabilities = ascending(list.bytes(3, 0, Infinity), 32, number);
  out.limits = ascending(list.bytes(5, 0, Infinity), 32, pair);
  if (kind === "xk2") {
    Object.assign(out, { wd: list.hex(7, 32), we: list.hex(9, 32), web_attach: list.hex(11, 32) });
    return { out: { ...out, label: list.text(13, 1, 64), origin: list.text(15, 0, 128), grants: number(list.varint(17)), opening: list.hex(29, 32) } };
  }
  if (kind === "kk1") out.try = u64(list.bytes(19, 8)).toString();
  if (kind !== "xk1" && list.has(21)) out.resume = resumeDecode(list.fields.get(21));
  if (kind === "kk1" && list.has(23)) out.psk_id_held = list.hex(23, 8);
  for (const [type, name] of [[25, "pending"], [27, "quarantine"]]) {
    if (!PAYLOADS[kind].includes(type)) continue;
    out[name] = list.has(type);
    if (out[name]) list.bytes(type, 0);
  }
  if (kind === "kk2" && list.has(31)) {
    const reader = new Reader(list.fields.get(31));
    out.commands = fields(num("highest"), exactly("key", 16), num("from"))(reader);
    reader.finish();
  }
  return { out };
}

