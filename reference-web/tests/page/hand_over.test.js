// What is handed to the machines, and when: one thing after the other, without a browser.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { HandOver } from "../../page/hand_over.js";

const settled = () => new Promise((done) => { setImmediate(done); });

/** Things that wait, and `given`; the promises in `open` end the handing over of each. */
function waiting(...things) {
  const [given, open] = [[], []];
  const handOver = new HandOver(() => things[0], (one) => new Promise((leave, fail) => {
    given.push(one);
    open.push({ fail, leave: () => { things.shift(); leave(); } });
  }));
  return { things, given, open, handOver };
}

test("nothing leaves before the phone is there, and then one after the other", async () => {
  const { given, open, handOver } = waiting("a", "b");
  await handOver.run();
  assert.deepEqual(given, []);
  handOver.onState("live");
  handOver.run();
  assert.deepEqual([given, handOver.leaving], [["a"], "a"]);
  open[0].leave();
  await settled();
  assert.deepEqual([given, handOver.leaving], [["a", "b"], "b"]);
  open[1].leave();
  await settled();
  assert.deepEqual([given, handOver.leaving], [["a", "b"], null]);
});

test("the rest stays when the phone goes away meanwhile", async () => {
  const { given, open, handOver } = waiting("a", "b");
  handOver.onState("live");
  handOver.onState("peer_absent");
  open[0].leave();
  await settled();
  assert.deepEqual(given, ["a"]);
});

test("what had no room is tried again later, and can be taken back meanwhile", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { things, given, open, handOver } = waiting("a", "b");
  handOver.onState("live");
  open[0].fail(new Error("the outbox is full"));
  await settled();
  assert.deepEqual([given, handOver.leaving], [["a"], null]);
  things.shift();
  mock.timers.tick(5_000);
  assert.deepEqual(given, ["a", "b"]);
  mock.timers.reset();
});
