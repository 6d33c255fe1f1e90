// The store in a file: what is on the disk, and what is not.

import assert from "node:assert/strict";
import { appendFile, readFile, readdir, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileStore } from "../node/file_store.js";
import { LINK, bytes, commit, inFolder, withStore } from "./helpers.js";

const SECRET = Buffer.from("a secret that must not stay here");
const secret = (value) => ({ key: bytes(9), value: new Uint8Array(value), secret: true });
const notes = (path, options) => withStore(fileStore(path, options), async (store) => [await store.entries("notes"), (await store.linkRows(LINK)).length]);
const put = (path, n) => withStore(fileStore(path), (store) => store.write([commit(n, [])], [(txn) => txn.put("notes", `${n}`, n)]));

test("what was written is there after a start, for this user alone", () => inFolder(async (folder) => {
  const path = join(folder, "made", "link");
  for (const n of [0, 1, 2]) await put(path, n);
  assert.deepEqual(await notes(path), [[["0", 0], ["1", 1], ["2", 2]], 1]);
  if (process.platform !== "win32") assert.equal((await stat(path)).mode & 0o777, 0o600);
}));

test("a record that was torn anywhere is as if it had not been begun", () => inFolder(async (folder) => {
  const path = join(folder, "link");
  await put(path, 0);
  const { size } = await stat(path);
  await put(path, 1);
  const whole = await readFile(path);
  for (let length = size; length < whole.length; length += 1) {
    await writeFile(path, whole.subarray(0, length));
    assert.deepEqual(await notes(path), [[["0", 0]], 1], `${length} of ${whole.length} bytes`);
  }
  // Bytes behind the good ones that never were a record: the next transaction takes their place.
  await writeFile(path, Buffer.concat([whole.subarray(0, size), Buffer.alloc(50)]));
  await put(path, 1);
  assert.deepEqual(await notes(path), [[["0", 0], ["1", 1]], 1]);
}));

test("damage before the end is not taken for a torn record", () => inFolder(async (folder) => {
  const path = join(folder, "link");
  await put(path, 0);
  const { size } = await stat(path);
  await put(path, 1);
  const whole = await readFile(path);
  for (let at = 0; at < size; at += 1) {
    const damaged = Buffer.from(whole);
    damaged[at] ^= 0x40;
    await writeFile(path, damaged);
    await assert.rejects(notes(path), { code: "STORE_DAMAGED" }, `byte ${at}`);
  }
  await writeFile(path, "something else");
  await assert.rejects(notes(path), { code: "STORE_DAMAGED" });
}));

test("an old secret does not stay in the file, and no other file is left", () => inFolder(async (folder) => {
  const path = join(folder, "link");
  await withStore(fileStore(path), async (store) => {
    await store.write([commit(0, [secret(SECRET)])], []);
    assert.ok((await readFile(path)).includes(SECRET));
    await store.write([commit(1, [secret(bytes(1))])], [(txn) => txn.put("notes", "a", 1)]);
    assert.ok(!(await readFile(path)).includes(SECRET));
    // The file was replaced under the open store, which goes on with the new one.
    await store.write([commit(2, [])], []);
  });
  assert.deepEqual(await readdir(folder), ["link"]);
  assert.deepEqual(await notes(path), [[["a", 1]], 2]);
}));

test("with a key no secret is in the file, and only that key opens it", () => inFolder(async (folder) => {
  const path = join(folder, "link");
  const key = new Uint8Array(32).fill(7);
  await withStore(fileStore(path, { key }), (store) => store.write([commit(0, [secret(SECRET)])], []));
  assert.ok(!(await readFile(path)).includes(SECRET));
  await withStore(fileStore(path, { key }), async (store) => assert.deepEqual((await store.linkRows(LINK))[1], [bytes(9), new Uint8Array(SECRET)]));
  await assert.rejects(notes(path), { code: "STORE_DAMAGED" });
  await assert.rejects(notes(path, { key: new Uint8Array(32) }), { code: "STORE_DAMAGED" });
  assert.throws(() => fileStore(path, { key: bytes(1) }), { code: "BAD_ARGUMENT" });
}));

test("a journal that has grown is written again, with all that is in it", () => inFolder(async (folder) => {
  const path = join(folder, "link");
  await withStore(fileStore(path), async (store) => {
    for (let n = 0; n < 30; n += 1) await store.write([commit(n, [])], [(txn) => txn.put("notes", "a", new Uint8Array(100_000).fill(n))]);
  });
  assert.ok((await stat(path)).size < 1_500_000);
  await withStore(fileStore(path), async (store) => assert.equal((await store.get("notes", "a"))[0], 29));
}));

test("what another one has changed meanwhile is not written over", () => inFolder(async (folder) => {
  const path = join(folder, "link");
  await put(path, 0);
  for (const change of [() => put(path, 1), () => appendFile(path, "x"), () => truncate(path, 20)]) {
    await withStore(fileStore(path), async (store) => {
      await change();
      await assert.rejects(store.write([commit(9, [])], []), { code: "CONFLICT" });
    });
    await truncate(path, 0);
    await put(path, 0);
  }
}));
