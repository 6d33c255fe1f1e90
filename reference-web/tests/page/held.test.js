// Which messages are here: ranges of ids, without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";

import { WINDOW, belongs, bring, endWindow, extend, hold, lowOf, newest, rangeBefore, rangeOfPage } from "../../page/held.js";

const range = (low, high, isWindow = false) => ({ low, high, isWindow });
const upTo = (count, from = 1) => Array.from({ length: count }, (_, at) => from + at);

test("ranges that touch are one, and a gap stays a gap", () => {
  assert.deepEqual(hold([], 5, 9), [range(5, 9)]);
  assert.deepEqual(hold([range(5, 9)], 11, 20), [range(5, 9), range(11, 20)]);
  assert.deepEqual(hold([range(5, 9), range(11, 20, true)], 10, 10), [range(5, 20, true)]);
  assert.deepEqual(hold([range(5, 9), range(30, 40, true)], 0, 12), [range(0, 12), range(30, 40, true)]);
  assert.deepEqual(hold([range(1, 2), range(4, 5), range(7, 8)], 2, 7), [range(1, 8)]);
});

test("what is older than a message stands in the range that ends before it", () => {
  const ranges = [range(0, 9), range(20, 40, true)];
  assert.deepEqual(rangeBefore(ranges, 30), ranges[1]);
  assert.equal(rangeBefore(ranges, 20), undefined, "behind the gap nothing is next");
  assert.deepEqual(rangeBefore(ranges, 10), ranges[0]);
  assert.equal(rangeBefore([], 5), undefined);
});

test("a window goes on with what its collection brings, unless that is told anew", () => {
  assert.deepEqual(extend([range(0, 9), range(20, 40, true)], 43), [range(0, 9), range(20, 43, true)]);
  assert.deepEqual(extend([range(20, 40, true)], 30), [range(20, 40, true)]);
  assert.deepEqual(extend(endWindow([range(20, 40, true)]), 90), [range(20, 40)]);
});

test("a changed message belongs where nothing is missing, or where the window is about to be", () => {
  const ranges = [range(3, 9), range(20, 40, true)];
  for (const [id, does] of [[2, false], [3, true], [9, true], [10, false], [19, false], [20, true], [41, true]]) assert.equal(belongs(ranges, id), does, `${id}`);
  assert.equal(belongs([], 5), false);
});

test("a window that is not full is the whole chat", () => {
  assert.equal(lowOf(upTo(WINDOW - 1, 7)), 0);
  assert.equal(lowOf(upTo(WINDOW, 7)), 7);
  assert.equal(lowOf(upTo(WINDOW + 5, 7)), 12);
});

test("pages of a snapshot and of history say what they cover", () => {
  assert.deepEqual(bring(bring(null, [9, 8]), [7]), { count: 3, low: 7, high: 9 });
  assert.equal(bring(null, []), null);
  assert.deepEqual(rangeOfPage([7, 5], 9, true), { low: 5, high: 8 });
  assert.deepEqual(rangeOfPage([7, 5], 9, false), { low: 0, high: 8 });
  assert.deepEqual(rangeOfPage([7, 5], 0, true), { low: 5, high: 7 });
  assert.deepEqual(rangeOfPage([], 9, false), { low: 0, high: 8 });
  assert.equal(rangeOfPage([], 0, false), null);
  assert.deepEqual(newest(hold([range(0, 8)], 30, 40)), range(30, 40));
});
