// The store in memory, and what every store of tables does.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore, tableStore } from "../table_store.js";
import { LINK, bytes, commit, withStore } from "./helpers.js";

const COLLECTION = bytes(1);
const row = (id, rev) => ({ collection: COLLECTION, id: bytes(id), rev: BigInt(rev), stale: false });

test("a commit and its effect are there together, and the next transaction sees them", async () => {
  await withStore(memoryStore(), async (store) => {
    const seen = [];
    const first = store.write([commit(0, [{ key: bytes(7), value: bytes(1, 2) }])], [(txn) => txn.put("notes", "a", { n: 1n })]);
    const second = store.write([commit(1, [])], [(txn) => seen.push(txn.get("notes", "a"))]);
    await Promise.all([first, second]);
    assert.deepEqual(seen, [{ n: 1n }]);
    assert.deepEqual(await store.linkRows(LINK), [[bytes(0), bytes(2)], [bytes(7), bytes(1, 2)]]);
    assert.deepEqual(await store.entries("notes"), [["a", { n: 1n }]]);
  });
});

test("a transaction that fails leaves nothing, whether by its version, its effect or the backend", async () => {
  let fails = false;
  const saved = [];
  const backend = { load: async () => [], save: async (changes) => { if (fails) throw new Error("no"); saved.push(changes); }, close() {} };
  await withStore(tableStore(backend), async (store) => {
    await store.write([commit(0, [])], [(txn) => txn.put("notes", "a", 1)]);
    const change = (txn) => { txn.put("notes", "a", 2); txn.put("notes", "b", 2); };
    await assert.rejects(store.write([commit(5, [])], [change]), { code: "CONFLICT" });
    await assert.rejects(store.write([commit(1, [])], [change, () => { throw new TypeError("mine"); }]), { code: "STORE", message: "mine" });
    fails = true;
    await assert.rejects(store.write([commit(1, [])], [change]), { code: "STORE", message: "no" });
    fails = false;
    assert.deepEqual(await store.entries("notes"), [["a", 1]]);
    await store.write([commit(1, [])], [change]);
    assert.deepEqual(await store.entries("notes"), [["a", 2], ["b", 2]]);
    assert.equal(saved.length, 2);
  });
});

test("what is read is durable", async () => {
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  await withStore(tableStore({ load: async () => [], save: () => held, close() {} }), async (store) => {
    const written = store.write([], [(txn) => txn.put("notes", "a", 1)]);
    let isRead = false;
    const read = store.get("notes", "a").then((value) => { isRead = true; return value; });
    await new Promise((resolve) => { setImmediate(resolve); });
    assert.equal(isRead, false);
    release();
    assert.equal(await read, 1);
    await written;
  });
});

test("a stored value is a copy", async () => {
  await withStore(memoryStore(), async (store) => {
    const value = { list: [1] };
    await store.write([], [(txn) => txn.put("notes", "a", value)]);
    value.list.push(2);
    assert.deepEqual(await store.get("notes", "a"), { list: [1] });
    await assert.rejects(store.write([], [(txn) => txn.put("notes", "b", () => {})]), { code: "STORE" });
  });
});

test("rows are visited in the order of their ids, counted, changed and deleted on the way", async () => {
  await withStore(memoryStore(), async (store) => {
    const counts = [];
    await store.write([], [(txn) => {
      const rows = store.rowsIn(txn);
      for (const id of [200, 3, 17]) rows.put(row(id, id));
      rows.count(COLLECTION, (count) => counts.push(count));
      rows.each(COLLECTION, ({ id: [id] }, stored) => (id === 17 ? stored.delete() : stored.put(row(id, id + 1))), () => counts.push("over"));
      rows.get(COLLECTION, bytes(17), (found) => counts.push(found));
    }]);
    assert.deepEqual(counts, [3, "over", undefined]);
    assert.deepEqual((await store.rows(COLLECTION)).map(({ rev }) => rev), [4n, 201n]);
  });
});

test("with a link goes all that came over it, and another link's machine stays", async () => {
  await withStore(memoryStore(), async (store) => {
    const other = "11".repeat(16);
    const known = { link: LINK, created: 1, state: "pending" };
    await store.write([commit(0, []), commit(0, [], other)], [(txn) => {
      store.putLink(txn, known);
      store.setState(txn, LINK, "active");
      store.setState(txn, other, "active");
      store.rowsIn(txn).put(row(1, 1));
      txn.put("notes", "a", 1);
    }]);
    assert.deepEqual(await store.link(), { ...known, state: "active" });
    await store.write([], [(txn) => { store.clear(txn); store.forget(txn, LINK); }]);
    assert.deepEqual([await store.link(), await store.linkRows(LINK), await store.rows(COLLECTION), await store.entries("notes")], [undefined, [], [], []]);
    assert.equal((await store.linkRows(other)).length, 1);
  });
});

test("a store is opened once at a time, and says when it is closed", async () => {
  const store = memoryStore();
  await withStore(store, async () => assert.rejects(store.open(() => {}), { code: "TAKEN" }));
  await assert.rejects(store.link(), { code: "CLOSED" });
  await assert.rejects(store.write([], []), { code: "CLOSED" });
});
