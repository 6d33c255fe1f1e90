// The open chat in the address of the page, in a window of a few lines: `node --test reference-web/tests/page`.

import assert from "node:assert/strict";
import { test } from "node:test";

/** As much of a browser's history as the page uses. */
class Window {
  entries = [{ state: null, hash: "" }];
  at = 0;
  constructor(hash = "") {
    this.entries[0].hash = hash;
    const window = this;
    globalThis.location = { pathname: "/", get hash() { return window.entries[window.at].hash; } };
    globalThis.addEventListener = (_, then) => { window.moved = then; };
    const hashOf = (url) => (url.startsWith("#") ? url : "");
    globalThis.history = {
      get state() { return window.entries[window.at].state; },
      pushState: (state, _, url) => { window.entries = [...window.entries.slice(0, window.at + 1), { state, hash: hashOf(url) }]; window.at += 1; },
      replaceState: (state, _, url) => { window.entries[window.at] = { state, hash: hashOf(url) }; },
      back: () => window.go(-1),
      forward: () => window.go(1),
    };
  }
  go(by) {
    if (this.at + by < 0) return void (this.isLeft = true);
    if (this.at + by >= this.entries.length) return;
    this.at += by;
    this.moved();
  }
}

async function opened(hash) {
  const window = new Window(hash);
  const { Address } = await import("../../page/address.js");
  const page = { open: null, sheet: null };
  const address = new Address({ open: (chat) => { page.open = chat; }, close: () => { page.open = null; }, uncover: () => { const covers = page.sheet !== null; page.sheet = null; return covers; } });
  const open = (chat) => { address.open(chat, page.open); page.open = chat; };
  return { window, page, address, open };
}

test("Back goes from chat to chat and to the list, and leaves the page after that alone", async () => {
  const { window, page, open } = await opened("");
  open(5);
  open(6);
  window.go(-1);
  assert.equal(page.open, 5);
  window.go(1);
  assert.equal(page.open, 6);
  window.go(-1);
  window.go(-1);
  assert.equal(page.open, null);
  window.go(-1);
  assert.equal(window.isLeft, true);
});

test("the way back to the list leaves nothing behind in the history", async () => {
  const { window, page, address, open } = await opened("");
  open(5);
  address.close();
  assert.deepEqual([page.open, window.at], [null, 0]);
  open(5);
  open(6);
  address.close();
  assert.deepEqual([page.open, globalThis.location.hash], [null, ""]);
});

test("the chat in the address is opened when the chats are known, if it is one of them", async () => {
  const chats = [{ chat: 5 }, { chat: 6 }];
  for (const [hash, open] of [["#chat-6", 6], ["#chat-7", null], ["#main", null], ["", null], ["#chat-6x", null], ["#chat-", null]]) {
    const { page, address } = await opened(hash);
    address.arrive({ chats: [], open: null });
    address.arrive({ chats, open: null });
    assert.equal(page.open, open, hash);
    page.open = null;
    address.arrive({ chats, open: null });
    assert.equal(page.open, null, "once");
  }
});

test("Back closes what lies over a chat or the list, and stays there", async () => {
  for (const chat of [5, null]) {
    const { window, page, address, open } = await opened("");
    if (chat) open(chat);
    const { at } = window;
    page.sheet = "devices";
    address.cover();
    window.go(-1);
    address.uncover();
    assert.deepEqual([page.sheet, page.open, window.at, window.isLeft], [null, chat, at, undefined]);
  }
});

test("what is closed by its button leaves nothing behind in the history", async () => {
  const { window, page, address, open } = await opened("");
  open(5);
  page.sheet = "devices";
  address.cover();
  page.sheet = null;
  address.uncover();
  assert.deepEqual([page.open, window.at, globalThis.location.hash], [5, 1, "#chat-5"]);
});

test("after log-out no chat stands in the address", async () => {
  const { address, open } = await opened("");
  open(5);
  address.forget();
  assert.equal(globalThis.location.hash, "");
});
