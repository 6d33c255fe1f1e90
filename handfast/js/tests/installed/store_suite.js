// The store in a file as the store of `handfast/examples/store_suite.rs`: `node store_suite.js SUITE FOLDER` runs the suite, and prints how
// many of its cases held.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Conflict, fileStore, hex } from "@handfast/companion/node";

const [suite, folder, dying] = process.argv.slice(2);
const bytes = (text) => Uint8Array.from(text.match(/../gu) ?? [], (pair) => Number.parseInt(pair, 16));
const withBytes = (fields) => Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, typeof value === "string" ? bytes(value) : value]));
/** A commit with its bytes: whatever is a text of it is hex, but the link. */
const commitOf = ({ link, writes, ...rest }) => ({ link, ...withBytes(rest), writes: writes.map(withBytes) });
const putEffect = (effect) => (txn) => { if (effect !== null) txn.put("effects", `${effect}`, effect); };

let path = "";
let stores = 0;
let holders = new Map();
let passed = 0;
const links = new Set();

/** The next calls to the disk: which of them fails. */
let fault = null;
let calls = 0;
const handle = await open(process.execPath);
const prototype = Object.getPrototypeOf(handle);
await handle.close();
for (const verb of ["appendFile", "datasync", "sync", "truncate"]) {
  const real = prototype[verb];
  prototype[verb] = async function (...values) {
    calls += 1;
    if (fault && (fault.on ? calls >= fault.nth : calls === fault.nth)) {
      // What fails may have been done in part.
      if (verb === "appendFile") await real.call(this, values[0].subarray(0, values[0].length / 2));
      throw new Error("made to fail");
    }
    return real.apply(this, values);
  };
}

async function opened() {
  const store = fileStore(path);
  await store.open(() => {});
  return store;
}

/** A process that is ended in the middle of a transaction. */
async function die({ commits, effect }) {
  const child = spawn(process.execPath, [import.meta.filename, path, "", JSON.stringify({ commits, effect })], { stdio: "inherit" });
  const [, signal] = await once(child, "exit");
  if (signal !== "SIGKILL") throw new Error("it did not die in its transaction");
}

const VERBS = {
  async new() {
    for (const { store } of holders.values()) await store.close();
    holders = new Map();
    stores += 1;
    path = join(folder, `store-${stores}`);
    links.clear();
    // A transaction is one record, which is appended and synced.
    return { callsMin: 2 };
  },
  async open(_, { holder }) {
    holders.set(holder, { store: await opened() });
  },
  async write(holder, { commits, effect }) {
    for (const { link } of commits) links.add(link);
    try {
      await holder.store.write(commits.map(commitOf), [putEffect(effect)]);
    } catch (error) {
      if (!(error instanceof Conflict)) return { failed: `${error.name}: ${error.message}` };
      // What it has in memory is not what is stored: the companion stops, and its program opens the store again.
      await holder.store.close();
      holder.store = await opened();
      return { failed: "conflict" };
    }
    return {};
  },
  async die(_, request) {
    for (const { link } of request.commits) links.add(link);
    await die(request);
  },
  pairs: async ({ store }, { link }) => ({ pairs: (await store.linkRows(link)).map((pair) => pair.map(hex)) }),
  async links({ store }) {
    const all = await Promise.all([...links].map(async (link) => ({ link, rows: await store.linkRows(link) })));
    // A link that was wiped has its version left, which is the first of its keys.
    return { links: all.filter(({ rows }) => rows.some(([key]) => hex(key) !== "00")).map(({ link }) => link).sort() };
  },
  effects: async ({ store }) => ({ effects: (await store.entries("effects")).map(([, value]) => value).sort((a, b) => a - b) }),
  fault(_, { nth, on }) {
    fault = nth === undefined ? null : { nth, on };
    calls = 0;
  },
  // The companion drops its machines and reads again: the store has nothing to put right.
  recover() {},
  async close(holder, request) {
    await holder?.store.close();
    holders.delete(request.holder);
  },
  passed() {
    passed += 1;
  },
};

async function run() {
  const child = spawn(suite, { stdio: ["pipe", "pipe", "inherit"] });
  for await (const line of createInterface({ input: child.stdout })) {
    const request = JSON.parse(line);
    const told = await VERBS[request.do](holders.get(request.holder), request);
    child.stdin.write(`${JSON.stringify(told ?? {})}\n`);
  }
  if (child.exitCode === null) await once(child, "exit");
  if (child.exitCode !== 0) throw new Error(`a case does not hold, after ${passed} that did`);
  console.log(passed);
}

if (dying) {
  path = suite;
  const { commits, effect } = JSON.parse(dying);
  const store = await opened();
  await store.write(commits.map(commitOf), [putEffect(effect), () => process.kill(process.pid, "SIGKILL")]);
} else {
  await run();
}
