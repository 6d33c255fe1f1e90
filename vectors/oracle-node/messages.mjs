// Bodies of the reference application (spec/messages.md).

import { Reader, Tlv, hex, need, number, unhex, utf8 } from "./conventions.mjs";

const varint = (list, type) => number(list.varint(type));
const text = (low, high) => (list, type) => list.text(type, low, high);
const byte = (...allowed) => (list, type) => list.u8(type, allowed);
const code = (list, type) => list.bytes(type, 2).readUInt16BE(0);

function among(low, high) {
  return (list, type) => {
    const value = list.varint(type);
    need(value >= low && value <= high, "FIELD_VALUE");
    return number(value);
  };
}

/** Name and reader of each field by type; a question mark behind the name: it may be absent. */
function read(list, fields) {
  const out = {};
  for (const [type, name, reader] of fields) {
    if (name.endsWith("?") && !list.has(type)) continue;
    out[name.replace("?", "")] = reader(list, type);
  }
  return out;
}

const whole = (list, type) => list.bytes(type, 0, Infinity);

function media(outer, type) {
  const list = new Tlv(whole(outer, type), [1, 3, 5, 7]);
  const content = [1, "content", (inner, at) => inner.hex(at, 32)];
  return read(list, [content, [3, "size", varint], [5, "type", text(1, 64)], [7, "name", text(0, 128)]]);
}

function commandRef(list, type) {
  const reader = new Reader(whole(list, type));
  const out = { companion: hex(reader.take(16)), key: hex(reader.take(16)) };
  reader.finish();
  return out;
}

function historyItems(list, type) {
  const reader = new Reader(whole(list, type));
  const out = [];
  while (reader.left) {
    need(out.length < 50, "FIELD_LENGTH");
    const item = reader.take(reader.varint());
    need(item.length >= 1 && item.length <= 15000, "FIELD_LENGTH");
    out.push(hex(item));
  }
  return out;
}

function longText(reader, low, high) {
  const value = reader.take(reader.varint());
  need(value.length >= low && value.length <= high, "FIELD_LENGTH");
  return utf8(value);
}

/** `order` is that of the value against the one before. */
function ascends(order) {
  need(order !== 0, "DUPLICATE_FIELD");
  need(order > 0, "FIELD_ORDER");
}

function reactions(list, type) {
  const reader = new Reader(list.bytes(type, 1, Infinity));
  const out = [];
  while (reader.left) {
    need(out.length < 32, "FIELD_LENGTH");
    const author = longText(reader, 0, 128);
    if (out.length) ascends(Buffer.compare(Buffer.from(author), Buffer.from(out.at(-1).author)));
    out.push({ author, reaction: longText(reader, 1, 64) });
  }
  return out;
}

const aboutMessage = [[1, "chat", varint], [3, "message", varint]];

const KINDS = {
  command: {
    1: ["SEND_TEXT", [[1, "chat", varint], [3, "text", text(1, 8192)], [5, "reply_to?", varint]]],
    3: ["HISTORY", [[1, "chat", varint], [3, "before", varint], [5, "count", among(1n, 50n)]]],
    5: ["SEND_MEDIA", [[1, "chat", varint], [3, "media", media], [5, "caption?", text(0, 1024)]]],
    7: ["MARK_READ", aboutMessage],
    9: ["EDIT_TEXT", [...aboutMessage, [5, "text", text(1, 8192)]]],
    11: ["DELETE", aboutMessage],
    13: ["REACT", [...aboutMessage, [5, "reaction", text(0, 64)]]],
  },
  result: {
    1: ["ACCEPTED", [[1, "message", varint], [3, "rev", varint]]],
    3: ["HISTORY_PAGE", [[1, "items", historyItems], [3, "more", byte(0, 1)], [5, "rev", varint]]],
    5: ["FAILED", [[1, "code", code]]],
    7: ["DONE", []],
  },
  item: {
    1: [
      "CHAT",
      [[1, "chat", varint], [3, "title", text(1, 128)], [5, "last_message", varint], [7, "last_text", text(0, 256)], [9, "last_time", varint], [11, "unread", varint]],
    ],
    3: [
      "MESSAGE",
      [
        [1, "chat", varint],
        [3, "message", varint],
        [5, "author", text(0, 128)],
        [7, "time", varint],
        [9, "text", text(0, 8192)],
        [11, "state", byte(1, 2, 3, 4, 5, 6)],
        [13, "reply_to?", varint],
        [15, "media?", media],
        [17, "command?", commandRef],
        [19, "edited?", byte(1)],
        [21, "reactions?", reactions],
      ],
    ],
    5: ["DELETED", [[1, "chat", varint], [3, "message?", varint]]],
    7: [
      "COMPANION",
      [
        [1, "companion", (list, type) => list.hex(type, 16)],
        [3, "serial", varint],
        [5, "label", text(0, 64)],
        [7, "linked", varint],
        [9, "seen", varint],
        [11, "status", byte(1, 2, 3)],
      ],
    ],
  },
};

function now(slot, reader) {
  if (slot === "now-5") return { chat: number(reader.varint()) };
  if (slot === "now-7") {
    const present = [];
    while (reader.left) {
      need(present.length < 100, "FIELD_LENGTH");
      const chat = reader.varint();
      if (present.length) ascends(chat > present.at(-1) ? 1 : chat < present.at(-1) ? -1 : 0);
      present.push(chat);
    }
    return { present: present.map(number) };
  }
  const values = reader.take(slot === "now-1" ? 1 : 2);
  if (slot === "now-1") {
    need(values[0] <= 1, "FIELD_VALUE");
    return { page: values[0] };
  }
  need(values[0] <= 100 && values[1] <= 1, "FIELD_VALUE");
  return { battery: values[0], charging: values[1] };
}

export function messageDecode({ kind, body }) {
  const reader = new Reader(unhex(body));
  if (!KINDS[kind]) {
    const out = now(kind, reader);
    reader.finish();
    return { out };
  }
  const row = KINDS[kind][reader.varint()];
  need(row, "UNKNOWN_CRITICAL");
  const [name, fields] = row;
  const types = fields.map(([type]) => type);
  return { out: { [kind]: name, ...read(new Tlv(reader.rest(), types), fields) } };
}
