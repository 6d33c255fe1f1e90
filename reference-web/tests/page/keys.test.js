// Keys of commands, and rows of a database from before there were any.

import assert from "node:assert/strict";
import test from "node:test";

import { actTime, drawKey, keyedAct, keyedCommand, keyedMessage } from "../../page/keys.js";

const keyOf = (number) => `key ${number}`;

test("a key is 16 bytes in hex, and another each time", () => {
  // req: RES-024
  const keys = Array.from({ length: 100 }, drawKey);
  for (const key of keys) assert.match(key, /^[0-9a-f]{32}$/u);
  assert.equal(new Set(keys).size, keys.length);
});

test("acts have their order in their times", () => {
  const times = Array.from({ length: 100 }, actTime);
  assert.deepEqual(times, [...times].sort((a, b) => a - b));
  assert.equal(new Set(times).size, times.length);
});

test("a stored command gets the key of its number, and keeps its place", () => {
  // req: RES-035
  assert.deepEqual(keyedCommand({ cmd_id: 7, kind: "edit", text: "x" }, keyOf), { key: "key 7", kind: "edit", text: "x", time_ms: 7 });
  assert.deepEqual(keyedCommand({ cmd_id: 8, kind: "text", time_ms: 900 }, keyOf), { key: "key 8", kind: "text", time_ms: 900 });
});

test("of the stored messages those of this page's commands are known by keys", () => {
  const stored = { chat: 1, id: 2, text: "x", companion: "own", cmd_id: 7 };
  assert.deepEqual(keyedMessage(stored, "own", keyOf), { chat: 1, id: 2, text: "x", companion: "own", command: "key 7" });
  assert.deepEqual(keyedMessage(stored, "another", keyOf), { chat: 1, id: 2, text: "x" });
});

test("what was chosen or written before and has not left gets a key of its own", () => {
  const file = keyedAct({ client: "f", direction: "put" });
  assert.match(file.key, /^[0-9a-f]{32}$/u);
  assert.deepEqual(keyedAct(file), file, "once");
  assert.deepEqual(keyedAct({ client: "g", direction: "get" }), { client: "g", direction: "get" });
});
