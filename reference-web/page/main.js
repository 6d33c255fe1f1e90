// Connects the engine with the views. Events change the state, the state is drawn at most once a frame, and
// actions of the user go to the engine.

import { Address } from "./address.js";
import { render } from "./dom.js";
import { initial, reduce } from "./state.js";
import { pageView } from "./views/frame.js";

const host = document.getElementById("page");
let state = initial();
/** The promise of the engine, which resolves once it has started. */
const started = Promise.withResolvers();
let due = false;
let composer = null;

function emit(event) {
  const covered = state.sheet !== null;
  state = reduce(state, event);
  // The address may name a chat, which can be opened once it is in the list.
  if (event.event === "chats") address.arrive(state);
  if (FORGETS.has(event.event)) address.forget();
  if (!covered && state.sheet !== null) address.cover();
  if (covered && state.sheet === null) address.uncover();
  schedule();
}

/** The events after which the page has no chats any more. */
const FORGETS = new Set(["logged_out", "revoked", "cleared"]);

const address = new Address({
  open: (chat) => { if (chat !== state.open && state.chats.some((one) => one.chat === chat)) openChat(chat); },
  close: () => { emit({ event: "close_chat" }); run({ verb: "close" }); },
  /** Closes the open dialog. Returns whether there was one. */
  uncover: () => { const covers = state.sheet !== null; if (covers) emit({ event: "sheet", what: null }); return covers; },
});

function schedule() {
  if (due) return;
  due = true;
  // A browser draws no frames of a hidden page and delays its timers, but the page's title must stay current.
  if (document.hidden) queueMicrotask(draw);
  else requestAnimationFrame(draw);
}

// A frame that was requested before the page was hidden or frozen may never come, so it is requested again.
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
  // If the focused button was removed, the focus moves to the button's message, or else to the list of
  // messages.
  if (message && !focus.isConnected) (message.isConnected ? message : before.list).focus({ preventScroll: true });
  const unread = state.chats.filter((chat) => chat.unread > 0).length;
  document.title = unread > 0 ? `(${unread}) Handfast` : "Handfast";
}

/**
 * Whether the list of messages sticks to its end: the list was scrolled to the end, and the user has not
 * scrolled up since.
 */
let end = { is: true, top: 0 };
/** By chat, where the user has scrolled to: the topmost visible message, and its distance from the top. */
const places = new Map();

/** Returns the list of messages, the first visible message, and the position of that message. */
function place() {
  const list = document.querySelector(".messages");
  if (!list || end.is) return { list };
  const top = list.getBoundingClientRect().top;
  const anchor = [...list.querySelectorAll("article")].find((message) => message.getBoundingClientRect().bottom > top);
  return { list, anchor, at: anchor?.getBoundingClientRect().top };
}

/**
 * Restores the scroll position after drawing: at the end of the list, or at the same message as before,
 * whatever was added around that message.
 */
function restore(before) {
  const list = document.querySelector(".messages");
  if (!list) return;
  if (before.list !== list) comeBack(list);
  else if (end.is) toEnd(list);
  else if (before.anchor?.isConnected) list.scrollTop += before.anchor.getBoundingClientRect().top - before.at;
  // If the list is already at an end, the browser sends no scroll event, and the view would not request more
  // messages. So an event is sent here.
  list.dispatchEvent(new Event("scroll"));
  look(list);
}

/** Scrolls a chat that was opened: to its end, or to where the user had scrolled to. */
function comeBack(list) {
  const place = places.get(state.open);
  const anchor = place && list.querySelector(`article[data-name="${CSS.escape(place.name)}"]`);
  end = { is: !anchor, top: 0 };
  if (!anchor) return toEnd(list);
  list.scrollTop += anchor.getBoundingClientRect().top - list.getBoundingClientRect().top - place.by;
  end.top = list.scrollTop;
}

/** Stores where the user has scrolled to in the open chat. */
function keepPlace() {
  if (state.open === null) return;
  const { list, anchor, at } = place();
  if (anchor) places.set(state.open, { name: anchor.dataset.name, by: at - list.getBoundingClientRect().top });
  else places.delete(state.open);
}

function toEnd(list) {
  list.scrollTop = list.scrollHeight;
  end = { is: true, top: list.scrollTop };
}

document.addEventListener("scroll", ({ target: list }) => {
  if (!list.matches?.(".messages")) return;
  const isNear = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  // If newer messages exist that are not loaded, the end of the list is not the end of the chat.
  end = { is: !state.pages[state.open]?.newer && (isNear || (end.is && list.scrollTop >= end.top)), top: list.scrollTop };
  if (state.isAway === end.is) emit({ event: "place", isAway: !end.is });
  look(list);
}, true);

/** By chat, the last message that was reported to the phone as seen. */
const readTo = new Map();

/** Reports the visible messages as seen. Others must not be reported, because the contact is told. */
function look(list) {
  const chat = state.chats.find((one) => one.chat === state.open);
  if (!chat?.unread || document.hidden || state.sheet) return;
  const { top, bottom } = list.getBoundingClientRect();
  const isSeen = (box) => box.height > 0 && box.top < bottom && box.bottom > top && (box.bottom <= bottom + 1 || box.top < (top + bottom) / 2);
  const seen = [...list.querySelectorAll("article[data-id]")].findLast((message) => isSeen(message.getBoundingClientRect()));
  const id = Number(seen?.dataset.id ?? 0);
  if (id <= (readTo.get(state.open) ?? 0)) return;
  readTo.set(state.open, id);
  run({ verb: "seen", chat: state.open, id });
}

// Pictures and players change their height when they are loaded, so the scroll position is restored then.
for (const type of ["load", "loadedmetadata"]) {
  document.addEventListener(type, ({ target }) => {
    const list = target.closest?.(".messages");
    if (list && end.is) toEnd(list);
  }, true);
}

/** The events that change the content of the input field. */
const WRITES = new Set(["reply_to", "edit", "edit_done"]);

/** Handles an action. Events of the views only change the state; actions with an effect go to the engine. */
function act(action) {
  if (action.event) {
    if (action.event === "close_chat") return address.close();
    emit(action);
    if (WRITES.has(action.event)) {
      // The input field must change before the next key is pressed, so the page is drawn at once.
      draw();
      composer?.focus();
    }
    if (WRITES.has(action.event) || action.event === "edit_text") keepWritten(action.chat ?? action.message.chat);
    return undefined;
  }
  const own = OWN[action.verb];
  return own ? own(action) : run(action);
}

/** Stores what the user is writing in a chat: the text, the message that it answers, an edit in progress. */
function keepWritten(chat, isTyped = false) {
  run({ verb: "draft", chat, text: state.drafts[chat] ?? "", reply: state.replies[chat], edit: state.edits[chat], isTyped });
}

/** Opens a chat where the user had scrolled to. */
function openChat(chat) {
  keepPlace();
  return run({ verb: "open", chat, keep: places.has(chat) && state.pages[chat] !== undefined });
}

/** Scrolls to the end of a chat, so that the user sees the sent message. */
async function toNewest(chat) {
  if (state.pages[chat]?.newer) await run({ verb: "newest", chat });
  if (chat !== state.open) return;
  end.is = true;
  emit({ event: "place", isAway: false });
  draw();
}

const OWN = {
  composer_made: ({ node }) => {
    composer = node;
    // After choosing a chat by mouse or keyboard the user can type at once, because the input field gets the
    // focus. On a touch screen that would open the screen keyboard.
    if (document.activeElement.matches(".chat-row") && !matchMedia("(pointer: coarse)").matches) queueMicrotask(() => node.focus());
  },
  open: ({ chat }) => {
    if (chat === state.open) return;
    address.open(chat, state.open);
    openChat(chat);
  },
  newest: ({ chat }) => toNewest(chat),
  draft: ({ chat, text }) => {
    emit({ event: "draft", chat, text });
    keepWritten(chat, true);
  },
  send: async (action) => {
    const { chat, text, reply } = action;
    emit({ event: "draft", chat, text: "" });
    emit({ event: "reply_to", chat, message: null });
    await run(action, () => {
      // The text could not be stored. It returns to the input field, before what the user has written since.
      emit({ event: "draft", chat, text: [text, state.drafts[chat]].filter(Boolean).join("\n") });
      if (reply) emit({ event: "reply_to", chat, message: reply });
      keepWritten(chat);
    });
    toNewest(chat);
  },
  attach: async (action) => {
    await run(action);
    toNewest(action.chat);
  },
  edit: (action) => {
    const { chat } = action.message;
    act({ event: "edit_done", chat });
    if (action.text !== action.message.text) run(action, () => { emit({ event: "edit", message: action.message, text: action.text }); keepWritten(chat); });
  },
  copy: async ({ text }) => {
    const told = await navigator.clipboard.writeText(text).then(() => "The text is copied.", () => "The browser did not allow to copy the text.");
    emit({ event: "notice", text: told });
  },
  digit: ({ key }) => emit({ event: "digit", key }),
  number: (action) => {
    emit({ event: "number_sent" });
    run(action);
  },
  older: ({ chat }) => run({ verb: "older", chat, before: state.pages[chat]?.messages.find((one) => one.id)?.id ?? 0 }),
  newer: ({ chat }) => run({ verb: "newer", chat, after: state.pages[chat]?.messages.findLast((one) => one.id)?.id ?? 0 }),
  takeOver: (action) => {
    if (state.dead === "displaced") emit({ event: "taking_back" });
    run(action);
  },
  // These actions must work even if the engine could not start.
  reload: () => location.reload(),
  startAnew: () => location.reload(),
  logOut: async (action) => {
    emit({ event: "logged_out", label: state.link.label });
    await run(action);
  },
};

// Files that are dropped or pasted anywhere in the page are sent to the open chat. Otherwise the browser
// would leave the page to open them.
for (const type of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    if (![...event.dataTransfer?.types ?? []].includes("Files")) return;
    event.preventDefault();
    document.querySelector("main.chat:not(.chat-none)")?.classList.toggle("dropping", type === "dragover" && state.can.includes("media"));
    if (type === "drop") take(event.dataTransfer);
  });
}

document.addEventListener("paste", (event) => {
  const isField = event.target.closest?.("input, textarea") !== null;
  if (event.clipboardData.files.length > 0) {
    event.preventDefault();
    take(event.clipboardData);
  } else if (!isField && composer?.isConnected && !state.sheet) {
    // Text that is pasted outside the input field is inserted into it.
    composer.focus();
    composer.setRangeText(event.clipboardData.getData("text/plain"), composer.selectionStart, composer.selectionEnd, "end");
    composer.dispatchEvent(new Event("input"));
  }
});

/** Sends dropped or pasted files to the open chat. */
function take({ files, items }) {
  const folders = [...items ?? []].some((item) => item.webkitGetAsEntry?.()?.isDirectory);
  if (state.dead || state.pair || !state.link.account || files.length === 0) return;
  if (folders) emit({ event: "notice", text: "Folders cannot be sent. Choose the files in them." });
  else if (!state.can.includes("media")) emit({ event: "notice", text: "This browser may not send files: your phone did not allow it." });
  else if (state.open === null) emit({ event: "notice", text: "Open the chat first to which the files are to be sent." });
  else if (state.edits[state.open]) emit({ event: "notice", text: "Finish the edit first, then send the files." });
  else OWN.attach({ verb: "attach", chat: state.open, files: [...files] });
}

// Closing the page would interrupt the reading of a file, so the browser asks the user first.
window.addEventListener("beforeunload", (event) => {
  if (Object.values(state.transfers).some((one) => one.state === "reading")) event.preventDefault();
});

for (const type of ["online", "offline"]) window.addEventListener(type, () => emit({ event: "network", isThere: navigator.onLine }));

async function run(action, undo) {
  try {
    const engine = await started.promise;
    await engine.act(action);
  } catch (error) {
    undo?.();
    emit({ event: "notice", text: `That did not work: ${error.message}` });
  }
}

/** Returns what this browser lacks for the page, in words, or null. */
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
  emit({ event: "network", isThere: navigator.onLine });
  // The remaining time of a code changes without an event, and so do relative times such as "yesterday".
  setInterval(() => { if (state.pair || !document.hidden) schedule(); }, 1000);
  const { Engine } = await import("./engine.js");
  started.resolve(await Engine.start(emit));
}

start().catch((error) => emit({ event: "broken", text: error.message }));
