// Joins the engine and the views: events go into the state, the state is drawn once a frame, what the user does goes to the engine.

import { render } from "./dom.js";
import { initial, reduce } from "./state.js";
import { pageView } from "./views/frame.js";

const host = document.getElementById("page");
let state = initial();
let engine = null;
let due = false;
let composer = null;

function emit(event) {
  state = reduce(state, event);
  schedule();
}

function schedule() {
  if (due) return;
  due = true;
  // A hidden page draws no frames and has few timers, and still has to keep its title.
  if (document.hidden) queueMicrotask(draw);
  else requestAnimationFrame(draw);
}

// A frame that was asked for before the page was hidden or frozen may never come.
for (const type of ["visibilitychange", "resume"]) {
  document.addEventListener(type, () => {
    due = false;
    schedule();
  });
}

function draw() {
  due = false;
  const before = place();
  const focus = document.activeElement;
  const message = focus.closest("article");
  render(host, pageView(state, Date.now(), act));
  restore(before);
  // A button of a message that is gone: the focus stays at the message, or else in the list.
  if (message && !focus.isConnected) (message.isConnected ? message : before.list).focus({ preventScroll: true });
  const unread = state.chats.filter((chat) => chat.unread > 0).length;
  document.title = unread > 0 ? `(${unread}) Handfast` : "Handfast";
}

/** Whether the list of messages is to stay at its end: it was there, and the user has not scrolled up since. */
let end = { is: true, top: 0 };

/** The list of messages, and the first message that is seen, with its place. */
function place() {
  const list = document.querySelector(".messages");
  if (!list || end.is) return { list };
  const top = list.getBoundingClientRect().top;
  const anchor = [...list.querySelectorAll("article")].find((message) => message.getBoundingClientRect().bottom > top);
  return { list, anchor, at: anchor?.getBoundingClientRect().top };
}

/** Stays at the end if it was there; else stays at the same message, whatever came or went around it. */
function restore(before) {
  const list = document.querySelector(".messages");
  if (!list) return;
  if (before.list !== list) end.is = true;
  if (end.is) toEnd(list);
  else if (before.anchor?.isConnected) list.scrollTop += before.anchor.getBoundingClientRect().top - before.at;
  // Who is at an end of what is loaded already does not scroll there any more: the view looks for itself.
  list.dispatchEvent(new Event("scroll"));
}

function toEnd(list) {
  list.scrollTop = list.scrollHeight;
  end = { is: true, top: list.scrollTop };
}

document.addEventListener("scroll", ({ target: list }) => {
  if (!list.matches?.(".messages")) return;
  const isNear = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  // The end of what is loaded is not that of the chat while there is newer.
  end = { is: !state.pages[state.open]?.newer && (isNear || (end.is && list.scrollTop >= end.top)), top: list.scrollTop };
}, true);

// Pictures and players take their place when they are loaded.
for (const type of ["load", "loadedmetadata"]) {
  document.addEventListener(type, ({ target }) => {
    const list = target.closest?.(".messages");
    if (list && end.is) toEnd(list);
  }, true);
}

/** Events that change what is written in the field. */
const WRITES = new Set(["reply_to", "edit", "edit_done"]);

/** What the user does: events of the views change the state alone, verbs go to the engine. */
function act(action) {
  if (action.event) {
    emit(action);
    if (action.event === "close_chat") run({ verb: "close" });
    if (WRITES.has(action.event)) {
      // At once: the next key belongs to what is written now.
      draw();
      composer?.focus();
    }
    return;
  }
  const own = OWN[action.verb];
  if (own) own(action);
  else run(action);
}

const OWN = {
  composer_made: ({ node }) => {
    composer = node;
    // Who chose the chat in the list writes in it next; a touch would only bring up the keys of the screen.
    if (document.activeElement.matches(".chat-row") && !matchMedia("(pointer: coarse)").matches) queueMicrotask(() => node.focus());
  },
  draft: ({ chat, text }) => {
    emit({ event: "draft", chat, text });
    run({ verb: "draft", chat, text });
  },
  send: (action) => {
    emit({ event: "draft", chat: action.chat, text: "" });
    emit({ event: "reply_to", chat: action.chat, message: null });
    run(action, () => OWN.draft(action));
  },
  edit: (action) => {
    act({ event: "edit_done" });
    if (action.text !== action.message.text) run(action, () => emit({ event: "edit", ...action, verb: undefined }));
  },
  confirm: (action) => {
    emit({ event: "nn_answered", yes: action.yes });
    run(action);
  },
  older: ({ chat }) => run({ verb: "older", chat, before: state.pages[chat]?.messages.find((one) => one.id)?.id ?? 0 }),
  newer: ({ chat }) => run({ verb: "newer", chat, after: state.pages[chat]?.messages.findLast((one) => one.id)?.id ?? 0 }),
  takeOver: (action) => {
    if (state.dead === "displaced") emit({ event: "taking_back" });
    run(action);
  },
  // These must work without an engine too.
  reload: () => location.reload(),
  startAnew: () => location.reload(),
  logOut: async (action) => {
    state = initial();
    await run(action);
  },
};

async function run(action, undo) {
  try {
    await engine?.act(action);
  } catch (error) {
    undo?.();
    emit({ event: "notice", text: `That did not work: ${error.message}` });
  }
}

/** What this browser lacks, in words. */
function lacks() {
  if (!window.isSecureContext) return "Its address is not secure. Open it with https.";
  if (typeof WebAssembly !== "object") return "It does not run WebAssembly.";
  if (!window.indexedDB) return "It keeps no databases for this page (IndexedDB). A private window may be the reason.";
  if (!navigator.locks || !window.BroadcastChannel) return "It cannot keep two tabs apart (Web Locks). A newer version can.";
  return null;
}

async function start() {
  const missing = lacks();
  if (missing) return emit({ event: "unsupported", text: missing });
  schedule();
  // The ring of the code and the words about time go on by themselves.
  setInterval(() => { if (state.pair || !document.hidden) schedule(); }, 1000);
  const { Engine } = await import("./engine.js");
  engine = await Engine.start(emit);
}

start().catch((error) => emit({ event: "broken", text: error.message }));
