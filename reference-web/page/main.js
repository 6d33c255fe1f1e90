// Joins the engine and the views: events go into the state, the state is drawn once a frame, what the user does goes to the engine.

import { Address } from "./address.js";
import { render } from "./dom.js";
import { initial, reduce } from "./state.js";
import { pageView } from "./views/frame.js";

const host = document.getElementById("page");
let state = initial();
/** The engine, once it has started. */
const started = Promise.withResolvers();
let due = false;
let composer = null;

function emit(event) {
  const covered = state.sheet !== null;
  state = reduce(state, event);
  // The chat in the address is opened as soon as there is one.
  if (event.event === "chats") address.arrive(state);
  if (FORGETS.has(event.event)) address.forget();
  if (!covered && state.sheet !== null) address.cover();
  if (covered && state.sheet === null) address.uncover();
  schedule();
}

/** Events after which no chat is there any more. */
const FORGETS = new Set(["logged_out", "revoked", "cleared"]);

const address = new Address({
  open: (chat) => { if (chat !== state.open && state.chats.some((one) => one.chat === chat)) openChat(chat); },
  close: () => { emit({ event: "close_chat" }); run({ verb: "close" }); },
  /** Whether something lies over the page, which goes first when the user goes back. */
  uncover: () => { const covers = state.sheet !== null; if (covers) emit({ event: "sheet", what: null }); return covers; },
});

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
/** Where the user was in chats that are not open: the message at the top, and how far from there. */
const places = new Map();

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
  if (before.list !== list) comeBack(list);
  else if (end.is) toEnd(list);
  else if (before.anchor?.isConnected) list.scrollTop += before.anchor.getBoundingClientRect().top - before.at;
  // Who is at an end of what is loaded already does not scroll there any more: the view looks for itself.
  list.dispatchEvent(new Event("scroll"));
  look(list);
}

/** A chat was opened: at its end, or where the user was in it. */
function comeBack(list) {
  const place = places.get(state.open);
  const anchor = place && list.querySelector(`article[data-name="${CSS.escape(place.name)}"]`);
  end = { is: !anchor, top: 0 };
  if (!anchor) return toEnd(list);
  list.scrollTop += anchor.getBoundingClientRect().top - list.getBoundingClientRect().top - place.by;
  end.top = list.scrollTop;
}

/** The chat that is open is left: the place in it is kept. */
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
  // The end of what is loaded is not that of the chat while there is newer.
  end = { is: !state.pages[state.open]?.newer && (isNear || (end.is && list.scrollTop >= end.top)), top: list.scrollTop };
  if (state.isAway === end.is) emit({ event: "place", isAway: !end.is });
  look(list);
}, true);

/** Up to which message of each chat the phone was told that it is read. */
const readTo = new Map();

/** What is on the screen is read, and nothing else: the contact is told. */
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
    if (action.event === "close_chat") return address.close();
    emit(action);
    if (WRITES.has(action.event)) {
      // At once: the next key belongs to what is written now.
      draw();
      composer?.focus();
    }
    if (WRITES.has(action.event) || action.event === "edit_text") keepWritten(action.chat ?? action.message.chat);
    return undefined;
  }
  const own = OWN[action.verb];
  return own ? own(action) : run(action);
}

/** What is written in a chat and not sent is kept: the text, what it answers, an edit in progress. */
function keepWritten(chat, isTyped = false) {
  run({ verb: "draft", chat, text: state.drafts[chat] ?? "", reply: state.replies[chat], edit: state.edits[chat], isTyped });
}

/** Opens a chat, where the user was in it. */
function openChat(chat) {
  keepPlace();
  return run({ verb: "open", chat, keep: places.has(chat) && state.pages[chat] !== undefined });
}

/** To the end of the chat: what the user sends is seen. */
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
    // Who chose the chat in the list writes in it next; a touch would only bring up the keys of the screen.
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
      // It was not taken: it is written again, in front of what was written meanwhile.
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
  // These must work without an engine too.
  reload: () => location.reload(),
  startAnew: () => location.reload(),
  logOut: async (action) => {
    emit({ event: "logged_out", label: state.link.label });
    await run(action);
  },
};

// Files that are dropped or pasted anywhere are for the open chat. The browser would leave the page and open them.
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
    // Text that is pasted beside the field is for the field.
    composer.focus();
    composer.setRangeText(event.clipboardData.getData("text/plain"), composer.selectionStart, composer.selectionEnd, "end");
    composer.dispatchEvent(new Event("input"));
  }
});

/** Files for the open chat. */
function take({ files, items }) {
  const folders = [...items ?? []].some((item) => item.webkitGetAsEntry?.()?.isDirectory);
  if (state.dead || state.pair || !state.link.account || files.length === 0) return;
  if (folders) emit({ event: "notice", text: "Folders cannot be sent. Choose the files in them." });
  else if (!state.can.includes("media")) emit({ event: "notice", text: "This browser may not send files: your phone did not allow it." });
  else if (state.open === null) emit({ event: "notice", text: "Open the chat first to which the files are to be sent." });
  else if (state.edits[state.open]) emit({ event: "notice", text: "Finish the edit first, then send the files." });
  else OWN.attach({ verb: "attach", chat: state.open, files: [...files] });
}

// A file that is being read is lost with the page: the browser asks.
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
  emit({ event: "network", isThere: navigator.onLine });
  // The ring of the code and the words about time go on by themselves.
  setInterval(() => { if (state.pair || !document.hidden) schedule(); }, 1000);
  const { Engine } = await import("./engine.js");
  started.resolve(await Engine.start(emit));
}

start().catch((error) => emit({ event: "broken", text: error.message }));
