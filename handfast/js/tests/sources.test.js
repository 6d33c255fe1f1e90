// What a view is told: snapshots that stay the same until something changes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Listeners } from "../listeners.js";
import { Source, Status } from "../sources.js";
import { Watches } from "../watches.js";
import { bytes } from "./helpers.js";

const LIST = bytes(1);
const turn = () => new Promise((resolve) => { setImmediate(resolve); });

/** A driver whose rows and refusals a test sets, and which notes what is called. */
function driver() {
  const calls = [];
  const machine = Object.fromEntries(["subscribe", "unsubscribe"].map((verb) => [verb, () => calls.push(verb)]));
  return {
    calls, stored: [], isOpen: true, isLinked: true, refusal: null,
    async rows() { return this.stored; },
    verb(call) {
      if (this.refusal) throw this.refusal;
      call(machine, 0);
    },
    async settleRows() { calls.push("settle"); },
  };
}

function watched() {
  const fake = driver();
  const watches = new Watches(fake);
  return { fake, watches, source: watches.of(LIST) };
}
const row = (id, rev, body = bytes(rev)) => ({ id: bytes(id), rev: BigInt(rev), body });

test("listeners are called by type, in order, until they are ended, and one that throws stops no other", (t) => {
  const listeners = new Listeners();
  const heard = [];
  const later = [];
  t.mock.method(globalThis, "queueMicrotask", (f) => later.push(f));
  listeners.on("a", () => { heard.push(1); throw new Error("mine"); });
  const end = listeners.on("a", (event) => heard.push(event));
  listeners.on("b", () => heard.push("b"));
  listeners.tell("a", 2);
  end();
  end();
  assert.deepEqual(heard, [1, 2]);
  assert.equal(later.length, 1);
  assert.throws(later[0], { message: "mine" });
});

test("a source begins with the first listener and ends with the last", () => {
  const heard = [];
  class Counted extends Source {
    begin() { heard.push("begin"); }
    end() { heard.push("end"); }
  }
  const source = new Counted(1);
  const f = () => heard.push(source.getSnapshot());
  const ends = [source.subscribe(f), source.subscribe(f)];
  source.set(1);
  source.set(2);
  for (const end of [...ends, ...ends]) end();
  source.set(3);
  assert.deepEqual(heard, ["begin", 2, 2, "end"]);
});

test("the status follows the events, and stays the same object without a change", () => {
  const status = new Status();
  const start = status.getSnapshot();
  status.take({ type: "putBack", who: "phone" });
  assert.equal(status.getSnapshot(), start);
  status.take({ type: "code", text: "HF" });
  assert.deepEqual(status.getSnapshot().pairing, { step: "code", text: "HF" });
  status.take({ type: "checkCode", digits: "1234" });
  status.take({ type: "numberWanted", accountName: "Ann" });
  assert.deepEqual(status.getSnapshot().pairing, { step: "number", accountName: "Ann" });
  status.take({ type: "linked", known: { accountName: "Ann" } });
  status.take({ type: "state", state: "live" });
  assert.deepEqual(status.getSnapshot(), { link: { accountName: "Ann" }, connection: "live", pairing: null, trouble: null });
  status.take({ type: "unlinked" });
  status.take({ type: "revoked" });
  assert.deepEqual(status.getSnapshot(), { ...start, trouble: { type: "revoked" } });
});

test("a watched collection is read, followed over each connection, and left a while after the last listener", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { fake, watches, source } = watched();
  assert.equal(watches.of(bytes(1)), source);
  fake.stored = [row(1, 1), row(2, 1)];
  let changes = 0;
  const listen = () => source.subscribe(() => { changes += 1; });
  assert.equal(source.getSnapshot().state, "loading");
  const first = listen();
  await turn();
  const one = source.getSnapshot();
  assert.deepEqual([one.state, one.rows.map(({ key }) => key)], ["stored", ["01", "02"]]);
  watches.take({ type: "connected" });
  watches.take({ type: "inSync", collection: LIST });
  await turn();
  assert.equal(source.getSnapshot().state, "inSync");
  fake.stored = [row(1, 1), row(2, 2)];
  watches.arrived(LIST);
  await turn();
  const two = source.getSnapshot();
  assert.equal(two.rows[0], one.rows[0]);
  assert.notEqual(two.rows[1], one.rows[1]);
  watches.arrived(LIST);
  await turn();
  assert.equal(source.getSnapshot(), two);
  watches.take({ type: "state", state: "relay_down" });
  assert.equal(source.getSnapshot().state, "stored");
  // A view that is drawn again leaves and comes back.
  first();
  const second = listen();
  t.mock.timers.tick(60_000);
  watches.take({ type: "connected" });
  second();
  t.mock.timers.tick(60_000);
  assert.deepEqual(fake.calls, ["subscribe", "subscribe", "settle", "subscribe", "unsubscribe"]);
  // It is subscribed again only when the phone has confirmed the end.
  listen();
  assert.equal(fake.calls.length, 5);
  watches.take({ type: "unsubscribed", collection: LIST });
  assert.equal(fake.calls.length, 6);
  watches.close();
});

test("a refusal is told in the snapshot, and a missing connection is none", async () => {
  const { fake, watches, source } = watched();
  source.subscribe(() => {});
  fake.refusal = Object.assign(new Error("none"), { code: "WRONG_STATE" });
  watches.take({ type: "connected" });
  assert.equal(source.getSnapshot().error, null);
  fake.refusal = Object.assign(new Error("too many"), { code: "TOO_MANY" });
  watches.take({ type: "connected" });
  assert.equal(source.getSnapshot().error.code, "TOO_MANY");
  fake.refusal = null;
  watches.take({ type: "connected" });
  assert.equal(source.getSnapshot().error, null);
  watches.close();
});
