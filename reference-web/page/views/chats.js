// The list of chats: search, unread counts, last messages.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { isPresent, shownChats } from "../state.js";
import { isolated, messageState, when } from "../strings.js";
import { mark } from "./linking.js";
import { preview } from "./texts.js";

export function chatsView(state, act, now) {
  const chats = shownChats(state);
  const waits = newestWaiting(state);
  // The Tab key reaches only this row; the arrow keys reach the others.
  const stop = chats.some((one) => one.chat === state.open) ? state.open : chats[0]?.chat;
  return h("nav", { class: "chats", "aria-label": "Chats" },
    h("header", { class: "bar" },
      h("div", { class: "brand" }, mark(), h("bdi", { class: "account" }, state.link.account || "Handfast")),
      h("button", { class: "round", type: "button", "aria-label": "Linked devices and log out", on: { click: () => act({ event: "sheet", what: "devices" }) } }, icon("device"))),
    h("div", { class: "search", role: "search" },
      icon("search"),
      h("input", {
        type: "search", placeholder: "Search chats", "aria-label": "Search chats", autocomplete: "off",
        set: { value: state.filter }, on: { input: (event) => act({ event: "filter", text: event.target.value }) },
      })),
    chats.length === 0 ? h("p", { class: "empty", key: "empty", role: "status" }, state.filter.trim() ? "No chat matches." : emptyText(state))
      : h("ul", { class: "chat-list", key: "list", on: { keydown: arrows } }, chats.map((chat) => chatRow(state, chat, waits.get(chat.chat), chat.chat === stop, act, now))));
}

const emptyText = (state) => (state.link.state === "live" ? "No chats yet." : "Chats appear once your phone answers.");

/** By chat, the description of its row as last drawn, which is reused until something in the row changes. */
const drawn = new Map();

function chatRow(state, chat, waits, isStop, act, now) {
  const isOpen = state.open === chat.chat;
  const draft = isOpen ? "" : state.drafts[chat.chat];
  const time = Math.max(chat.last_time_ms, waits?.time_ms ?? 0);
  const at = time > 0 ? when(time, now) : "";
  const isThere = isPresent(state, chat.chat);
  const own = waits ?? ownLast(state, chat);
  const of = [own, chat.title, chat.last_text, time, chat.unread, at, isOpen, isStop, draft, Boolean(state.typing[chat.chat]), isThere, act];
  const known = drawn.get(chat.chat);
  if (known?.of.every((one, index) => one === of[index])) return known.tree;
  const tree = describeRow(chat, own, time, at, isOpen, isStop, draft, state.typing[chat.chat], isThere, act);
  drawn.set(chat.chat, { of, tree });
  return tree;
}

/** Returns by chat the newest message that waits or was refused. */
function newestWaiting({ unsent }) {
  const newest = new Map();
  for (const one of Object.values(unsent)) if (!(newest.get(one.chat)?.time_ms > one.time_ms)) newest.set(one.chat, one);
  return newest;
}

/** Returns the newest message of a chat if the user wrote it. */
function ownLast(state, { chat, last_message: newest }) {
  const last = state.lasts[chat];
  return last && last.id === newest && last.author === "" ? last : null;
}

/** Describes the last message of a chat in one line. */
function lastLine(chat, own) {
  const said = own && !own.deleted && messageState(own);
  if (!said) return h("bdi", {}, isolated(chat.last_text));
  return [h("span", { class: `own-state state-${own.state}` }, icon(said.icon, said.text)), h("span", { class: "hidden" }, "You: "), own.id ? h("bdi", {}, isolated(chat.last_text)) : preview(own)];
}

function describeRow(chat, own, time, at, isOpen, isStop, draft, typing, isThere, act) {
  const last = typing ? h("span", { class: "typing-word" }, "typing …")
    : draft ? [h("span", { class: "draft-word" }, "Draft: "), h("bdi", {}, isolated(draft))] : lastLine(chat, own);
  return h("li", { key: `chat-${chat.chat}` },
    h("button", {
      type: "button", class: "chat-row", tabindex: isStop ? 0 : -1, "aria-current": isOpen ? "true" : null,
      on: { click: () => act({ verb: "open", chat: chat.chat }) },
    },
    avatar(chat.title, chat.chat, isThere),
    h("span", { class: "chat-text" },
      h("span", { class: "chat-top" },
        h("bdi", { class: "chat-title" }, chat.title),
        at && h("time", { datetime: new Date(time).toISOString() }, at)),
      h("span", { class: "chat-bottom" },
        h("span", { class: "chat-last" }, last),
        chat.unread > 0 && h("span", { class: "unread", "aria-label": `${chat.unread} unread` }, chat.unread > 99 ? "99+" : chat.unread)))));
}

/** Moves the focus between the rows with the arrow keys. */
function arrows(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const rows = [...event.currentTarget.querySelectorAll("button")];
  const next = rows[rows.indexOf(document.activeElement) + step];
  if (next) {
    event.preventDefault();
    next.focus();
  }
}

/** Draws the round mark of a chat, with a dot while its contact is online. */
export function avatar(title, id, isThere) {
  const letter = [...title.trim()][0] ?? "?";
  return h("span", { class: "avatar-box" },
    h("span", { class: `avatar hue-${Number(id) % 6}`, "aria-hidden": "true" }, letter.toLocaleUpperCase()),
    isThere && h("span", { class: "there", role: "img", "aria-label": "Online" }));
}
