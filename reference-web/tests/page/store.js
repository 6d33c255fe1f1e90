// The page's database as the store of `handfast/examples/store_suite.rs`: `suite(request)` does what a line asks for, and gives the answer.

import { Database } from "/page/pkg/database.js";
import { Conflict } from "/page/pkg/errors.js";
import { done } from "/page/pkg/request.js";

const STORES = { effects: {} };
const ROWS = "handfast";

let name = "";
let holders = new Map();

const bytes = (hex) => Uint8Array.from(hex.match(/../gu) ?? [], (pair) => Number.parseInt(pair, 16));
const hex = (all) => [...new Uint8Array(all)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** A commit with its bytes: whatever is a text of it is hex, but the link. */
const commitOf = ({ link, writes, ...rest }) => ({ link, ...withBytes(rest), writes: writes.map(withBytes) });
const withBytes = (fields) => Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, typeof value === "string" ? bytes(value) : value]));

const putEffect = (effect) => (txn) => { if (effect !== null) txn.objectStore("effects").put(effect, effect); };

/** The next calls of the database: which of them fails. */
let fault = null;
let calls = 0;
for (const verb of ["get", "put", "delete", "clear"]) {
  const real = IDBObjectStore.prototype[verb];
  IDBObjectStore.prototype[verb] = function (...values) {
    calls += 1;
    if (fault && (fault.on ? calls >= fault.nth : calls === fault.nth)) throw new DOMException("made to fail", "UnknownError");
    return real.apply(this, values);
  };
}

const policy = trustedTypes.createPolicy("handfast", { createScriptURL: () => "/tests/page/store_worker.js" });

/** A worker that is ended in the middle of a transaction. */
function die(request) {
  const worker = new Worker(policy.createScriptURL(""), { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = () => { worker.terminate(); resolve(); };
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage({ name, stores: STORES, commits: request.commits.map(commitOf), effect: request.effect });
  });
}

async function linksOf(holder) {
  const keys = await done(holder.read(ROWS).objectStore(ROWS).getAllKeys());
  // A link that was wiped has its version left, which is the first of its keys.
  const links = keys.filter(([, key]) => hex(key) !== "00").map(([link]) => link);
  return [...new Set(links)].sort();
}

const VERBS = {
  new() {
    for (const holder of holders.values()) holder.close();
    holders = new Map();
    name = `suite-${crypto.randomUUID()}`;
  },
  async open(_, { holder }) {
    holders.set(holder, await Database.open(name, 1, STORES, () => {}));
  },
  async write(holder, { commits, effect }) {
    try {
      await holder.write(commits.map(commitOf), [putEffect(effect)]);
    } catch (error) {
      return { failed: error instanceof Conflict ? "conflict" : `${error.name}: ${error.message}` };
    }
    return {};
  },
  die: (_, request) => die(request),
  pairs: async (holder, { link }) => ({ pairs: (await holder.rows(link)).map((pair) => pair.map(hex)) }),
  links: async (holder) => ({ links: await linksOf(holder) }),
  effects: async (holder) => ({ effects: await done(holder.read("effects").objectStore("effects").getAllKeys()) }),
  fault(_, { nth, on }) {
    fault = nth === undefined ? null : { nth, on };
    calls = 0;
  },
  // The page drops its machines and reads again: the database itself has nothing to put right.
  recover() {},
  close(holder, request) {
    holder?.close();
    holders.delete(request.holder);
  },
};

window.suite = async (request) => (await VERBS[request.do](holders.get(request.holder), request)) ?? {};
