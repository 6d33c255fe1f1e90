// The package as it was installed from its packed file.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import * as chat from "@handfast/companion/chat";
import * as page from "@handfast/companion";
import * as node from "@handfast/companion/node";

const { Companion, CompanionError, drawKey, memoryStore, noLock } = node;
const OPTIONS = { relay: "127.0.0.1:1", label: "Test" };
const nowhere = () => ({ send() {}, close() {} });
const made = (more = {}) => new Companion({ ...OPTIONS, store: memoryStore(), socket: nowhere, ...more });

test("the entries export what their types declare, and no word of the chat but in its own", async () => {
  const folder = new URL("node_modules/@handfast/companion/", import.meta.url);
  const declared = async (file) => [...(await readFile(new URL(file, folder), "utf8")).matchAll(/^export (?:abstract )?(?:class|function) (\w+)/gmu)].map(([, name]) => name);
  const common = (await declared("companion.d.ts")).filter((name) => name !== "CompanionBase");
  for (const [entry, file] of [[page, "index.d.ts"], [node, "node/index.d.ts"]]) {
    for (const name of [...common, ...await declared(file)]) assert.equal(typeof entry[name], "function", `${name} of ${file}`);
    for (const name of Object.keys(chat)) assert.ok(!(name in entry), `${name} in ${file}`);
  }
  assert.ok(Object.keys(chat).length >= 16);
});

test("licences and notices are in the package", async () => {
  const file = (name) => readFile(new URL(`node_modules/@handfast/companion/${name}`, import.meta.url), "utf8");
  assert.match(await file("LICENSE-MIT"), /Permission is hereby granted/u);
  assert.match(await file("LICENSE-APACHE"), /Apache License/u);
  const notices = await file("THIRD-PARTY-NOTICES.txt");
  for (const name of ["x25519-dalek", "chacha20poly1305", "wasm-bindgen", "Rust standard library"]) assert.ok(notices.includes(name), name);
});

test("errors are of one class, with the codes of the README", async () => {
  const readme = await readFile(new URL("node_modules/@handfast/companion/README.md", import.meta.url), "utf8");
  const is = (code) => (error) => {
    assert.ok(error instanceof CompanionError && error instanceof Error, `${error}`);
    assert.equal(error.code, code);
    assert.ok(readme.includes(`| \`${code}\` |`), `${code} is not in the README`);
    return true;
  };
  assert.throws(() => new Companion(OPTIONS), is("BAD_ARGUMENT"));
  assert.throws(() => node.relayUrl("ws://relay.example"), is("BAD_ARGUMENT"));
  assert.throws(() => chat.sendText(1.5, "no"), is("BAD_ARGUMENT"));
  assert.throws(() => node.decodeRow(new Uint8Array()), is("BAD_ARGUMENT"));
  await assert.rejects(made({ relay: "ws://relay.example" }).start(), is("BAD_ARGUMENT"));
  const companion = made();
  await assert.rejects(companion.send(new Uint8Array()), is("CLOSED"));
  await companion.start();
  await assert.rejects(companion.send(new Uint8Array()), is("NOT_LINKED"));
  await assert.rejects(companion.change(() => {}), is("NOT_LINKED"));
  await companion.close();
  await assert.rejects(companion.send(new Uint8Array(), { key: drawKey() }), is("CLOSED"));
  await assert.rejects(companion.change(() => {}), is("CLOSED"));
  const store = memoryStore();
  await store.open(() => {});
  await assert.rejects(made({ store }).start(), is("TAKEN"));
  assert.equal(store.isOpen, true);
});

test("a companion shows a code, in events and in its status, until it is closed", async () => {
  const companion = made();
  const codes = [];
  const off = companion.on("code", ({ text, shownFor }) => codes.push([text, shownFor]));
  await companion.start();
  assert.equal(codes.length, 1);
  assert.match(codes[0][0], /^[0-9A-Z $%*+\-./:]+$/u);
  assert.deepEqual(companion.status.getSnapshot().pairing, { step: "code", text: codes[0][0] });
  assert.equal(Math.sqrt(node.drawCode(codes[0][0]).length) % 1, 0);
  off();
  await Promise.all([companion.close(), companion.close()]);
  await companion.start();
  assert.equal(codes.length, 1);
});

test("close() at any moment of the start leaves lock, store and socket free", async () => {
  for (let turns = 0; turns < 12; turns += 1) {
    const held = { lock: 0, store: 0, sockets: 0 };
    const store = memoryStore();
    const [open, close] = [store.open.bind(store), store.close.bind(store)];
    store.open = async (lost) => { await Promise.resolve(); await open(lost); held.store += 1; };
    store.close = async () => { if (store.isOpen) held.store -= 1; await close(); };
    let isHeld = false;
    const lock = {
      take: async () => { await Promise.resolve(); isHeld = true; held.lock += 1; return true; },
      takeOver: noLock().takeOver,
      close: async (finished) => { await finished; if (isHeld) held.lock -= 1; isHeld = false; },
    };
    const socket = () => { held.sockets += 1; return { send() {}, close() { held.sockets -= 1; } }; };
    const companion = made({ store, lock, socket });
    const started = companion.start();
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    await companion.close();
    await started;
    assert.deepEqual(held, { lock: 0, store: 0, sockets: 0 }, `closed after ${turns} turns`);
  }
});

test("a store that fails is told with its code, and the companion can start again", async () => {
  let fails = true;
  const store = node.tableStore({
    async load() { if (fails) throw new Error("no disk"); return []; },
    save: async () => {},
    close() {},
  });
  const companion = made({ store });
  await assert.rejects(companion.start(), { code: "STORE", message: "no disk" });
  fails = false;
  await companion.start();
  assert.equal(companion.status.getSnapshot().pairing.step, "code");
  let lost;
  await companion.close();
  const other = made({ store: node.tableStore({ load: async (f) => { lost = f; return []; }, save: async () => {}, close() {} }) });
  other.on("stopped", ({ error }) => { lost = error; });
  await other.start();
  await lost("it was unplugged");
  assert.equal(lost.code, "STORE_LOST");
  assert.equal(other.status.getSnapshot().trouble.type, "stopped");
  await other.start();
  assert.equal(other.status.getSnapshot().pairing.step, "code");
  await other.close();
});

test("nothing keeps a process from ending, and the page's entry says how it is loaded", () => {
  const run = (program) => spawnSync(process.execPath, ["--input-type=module", "-e", program], { cwd: import.meta.dirname, encoding: "utf8", timeout: 10_000 });
  const ends = run(`
    import { Companion, memoryStore } from "@handfast/companion/node";
    const companion = new Companion({ relay: "127.0.0.1:1", label: "Test", store: memoryStore() });
    await companion.start();
    await companion.close();
  `);
  assert.deepEqual([ends.status, ends.stderr], [0, ""]);
  const early = run(`
    import { drawCode, load } from "@handfast/companion";
    try { drawCode("A"); } catch (error) { console.log(error.code); }
    await load().catch((error) => console.log(error.code));
  `);
  assert.deepEqual([early.stdout, early.stderr], ["MODULE\nMODULE\n", ""]);
});
