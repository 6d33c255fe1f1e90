// The open chat: its messages with separators between days, and the actions for each message.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { overlaid } from "../overlay.js";
import { isPresent, isSame } from "../state.js";
import { changeFailed, day, messageState, sameDay, time } from "../strings.js";
import { avatar } from "./chats.js";
import { composer } from "./composer.js";
import { mediaView } from "./media.js";
import { reactionChoice, reactionsView } from "./reactions.js";
import { linked, preview } from "./texts.js";

/** Within this distance from an end of the loaded messages, in pixels, more are requested. */
const NEAR = 600;

export function chatView(state, act, now) {
  const chat = state.chats.find((one) => one.chat === state.open);
  if (!chat) return emptyView();
  const page = state.pages[chat.chat] ?? { messages: [], more: true, loading: "anew" };
  return h("main", { class: "chat", id: "main", key: `main-${chat.chat}`, "aria-label": `Chat with ${chat.title}` },
    h("header", { class: "bar" },
      h("button", { class: "round back", type: "button", "aria-label": "Back to the chats", on: { click: () => act({ event: "close_chat" }) } }, icon("back")),
      avatar(chat.title, chat.chat),
      h("div", { class: "chat-name" },
        h("h1", {}, h("bdi", {}, chat.title)),
        h("p", { class: "small", role: "status" }, state.typing[chat.chat] ? [h("bdi", {}, state.typing[chat.chat]), " is typing"] : isPresent(state, chat.chat) ? "Online" : ""))),
    messagesView(state, chat, page, act, now),
    composer(state, chat, act));
}

function emptyView() {
  return h("main", { class: "chat chat-none", id: "main", key: "main-none" }, h("h1", { class: "hidden" }, "No chat is open"), h("p", {}, "Choose a chat to read and write."));
}

function messagesView(state, chat, page, act, now) {
  const scrolled = (event) => {
    const list = event.currentTarget;
    if (page.loading) return;
    if (list.scrollTop < NEAR && page.more) act({ verb: "older", chat: chat.chat });
    else if (page.newer && list.scrollHeight - list.scrollTop - list.clientHeight < NEAR) act({ verb: "newer", chat: chat.chat });
  };
  const changes = state.changes.filter((one) => one.chat === chat.chat);
  const messages = changes.length ? page.messages.map((one) => overlaid(one, changes)) : page.messages;
  const known = new Map(messages.map((one) => [one.id, one]));
  return h("div", { class: "messages-box", key: `messages-box-${chat.chat}` }, h("div", {
    class: "messages", key: `messages-${chat.chat}`, tabindex: "0", role: "log", "aria-label": "Messages", "aria-live": page.loading ? "off" : "polite",
    on: { scroll: scrolled },
  },
  h("div", { class: "messages-head", role: "status" },
    page.loading === "older" || page.loading === "anew" ? loadingView(state, page, messages)
      : page.more ? h("button", { type: "button", class: "quiet", on: { click: () => act({ verb: "older", chat: chat.chat }) } }, "Older messages")
        : h("span", { class: "small" }, messages.length ? "This is the beginning of the chat." : "No messages yet.")),
  messages.flatMap((message, index) => {
    const before = messages[index - 1];
    const separator = !before || !sameDay(before.time_ms, message.time_ms);
    const joined = before && !separator && before.author === message.author && message.time_ms - before.time_ms < 300_000;
    return [
      separator && h("h2", { class: "day", key: `day-${day(message.time_ms, now)}-${message.id}` }, day(message.time_ms, now)),
      messageView(state, message, joined, known.get(message.reply_to), act),
    ];
  })), toNewest(state, chat, page, act));
}

/** Shows that messages are being loaded, or that they cannot be loaded because the phone is not connected. */
function loadingView(state, page, messages) {
  if (page.loading === "anew" || state.link.state === "live") return h("span", { class: "spinner small-spinner", "aria-label": "Loading messages" });
  return h("span", { class: "small" }, messages.some((one) => one.id) ? "Your phone has the older messages. It cannot be reached now." : "Your phone has the messages of this chat. It cannot be reached now.");
}

/** The button that scrolls to the newest messages, with the number of messages that arrived below. */
function toNewest(state, chat, page, act) {
  if (!state.isAway && !page.newer) return null;
  const below = state.below[chat.chat] ?? 0;
  return h("button", {
    type: "button", class: "round to-newest", key: "to-newest", "aria-label": below ? `To the newest messages, ${below} new` : "To the newest messages", on: { click: () => act({ verb: "newest", chat: chat.chat }) },
  }, icon("down"), below > 0 && h("span", { class: "unread", "aria-hidden": "true" }, below > 99 ? "99+" : below));
}

const WAITS = "Waits for your phone";

const drawn = new WeakMap();

/**
 * Returns the description of a message. It is cached until something in it changes, because a chat has
 * hundreds of messages, and is drawn for each event.
 */
function messageView(state, message, joined, replied, act) {
  const { content } = message.media ?? {};
  const edit = state.edits[message.chat];
  const isInEdit = edit !== undefined && isSame(message, edit.message);
  const isAt = state.at === nameOf(message);
  const of = [state.media[content], state.transfers[content], joined, replied, state.can, isInEdit, isAt, act];
  const known = drawn.get(message);
  if (known && known.of.every((one, index) => one === of[index])) return known.tree;
  const tree = describeMessage(state, message, joined, replied, isInEdit, isAt, act);
  drawn.set(message, { of, tree });
  return tree;
}

const nameOf = (message) => message.client_id ?? message.id;

/**
 * `replied` is the message that this one answers, if that is loaded. `isAt` tells that this message's actions
 * are shown.
 */
function describeMessage(state, message, joined, replied, isInEdit, isAt, act) {
  const own = message.author === "";
  const classes = ["message", own ? "own" : "other", joined && "joined", message.state === "failed" && "failed", isInEdit && "in-edit"].filter(Boolean).join(" ");
  const look = () => act({ event: "at", message: nameOf(message) });
  return h("article", { class: classes, tabindex: "-1", key: `message-${nameOf(message)}`, "data-id": message.id, "data-name": nameOf(message), "aria-label": own ? "You" : message.author, on: isAt ? {} : { pointerenter: look } },
    !own && !joined && h("bdi", { class: "author" }, message.author),
    message.deleted ? h("p", { class: "deleted" }, own ? "You deleted this message." : "This message was deleted.")
      : message.deleting ? h("p", { class: "gone" }, "You deleted this message.") : content(state, message, replied, act),
    footer(message, own),
    message.state === "failed" && !message.deleted && h("p", { class: "problem", key: "problem", role: "alert" }, messageState(message).text, " ",
      h("button", { type: "button", class: "quiet", on: { click: () => act({ verb: "retry_message", message }) } }, "Try again")),
    message.undo && undoView(message, act),
    message.refused && refusedView(message, act),
    !message.deleting && !message.deleted && (message.id || message.text) && actions(state, message, own, isAt, look, act));
}

function content(state, message, replied, act) {
  return [
    message.reply_to || message.reply ? quote(message.reply ?? replied) : null,
    message.media && mediaView(message, state.media[message.media.content], state.transfers[message.media.content], act),
    message.text && h("p", { class: "text", dir: "auto" }, linked(message.text)),
    reactionsView(state, message, act),
  ];
}

function footer(message, own) {
  const said = message.deleted ? null : messageState(message);
  const waits = message.deleting || message.saving;
  return h("footer", {},
    message.edited && !message.deleting && h("span", {}, "edited"),
    h("time", { datetime: new Date(message.time_ms).toISOString() }, time(message.time_ms)),
    own && (waits || said) && h("span", { class: `state state-${waits ? "waiting" : message.state}`, title: waits ? WAITS : said.text },
      waits ? icon("waiting", WAITS) : icon(said.icon, said.text)));
}

/** The button to undo a change that has not left this browser. */
function undoView(message, act) {
  const label = message.deleting ? "Do not delete it" : "Keep the old text";
  return h("p", { class: "held", key: "undo" }, "This waits for your phone. ",
    h("button", { type: "button", class: "quiet", on: { click: () => act({ verb: "undo", message }) } }, label));
}

/** A change of a message that the phone refused, with the text that would be lost otherwise. */
function refusedView(message, act) {
  const button = (label, verb) => h("button", { type: "button", class: "quiet", on: { click: () => act({ verb, message }) } }, label);
  return h("div", { class: "problem", key: "refused", role: "alert" },
    h("p", {}, changeFailed(message.refused)),
    message.refused.text && h("blockquote", {}, h("p", { dir: "auto" }, message.refused.text)),
    button("Try again", "again"), button("Dismiss", "leave"));
}

/** The quoted message that another message answers. It may be deleted, or not loaded. */
function quote(reply) {
  if (!reply || reply.deleted || reply.deleting) return h("blockquote", { key: "quote" }, h("p", { class: "deleted" }, reply ? "A deleted message" : "An earlier message"));
  return h("blockquote", { key: "quote" }, h("bdi", { class: "author" }, reply.author === "" ? "You" : reply.author), h("p", { dir: "auto" }, preview(reply)));
}

/**
 * The actions for a message. Only one message shows its actions. The others have a single button, because a
 * chat has hundreds of messages.
 */
function actions(state, message, own, isAt, look, act) {
  const pressed = (name, label, click) => h("button", { type: "button", class: "round", "aria-label": label, title: label, on: { click } }, icon(name));
  const button = (name, label, action) => pressed(name, label, () => act(action));
  if (!isAt) return h("div", { class: "actions", key: "actions" }, pressed("more", "Actions", look));
  const can = (what) => state.can.includes(what);
  if (!message.id) {
    return h("div", { class: "actions", key: "actions", role: "group", "aria-label": "For this message" },
      pressed("copy", "Copy the text", () => act({ verb: "copy", text: message.text })),
      message.held && button("edit", "Edit", { event: "edit", message }),
      (message.held || message.state === "failed") && button("remove", message.held ? "Do not send" : "Remove", { verb: "withdraw", message }));
  }
  return h("div", { class: "actions", key: "actions", role: "group", "aria-label": "For this message" },
    button("reply", "Reply", { event: "reply_to", chat: message.chat, message }),
    can("react") && reactionChoice(message, act),
    own && can("edit") && message.text && !message.media && button("edit", "Edit", { event: "edit", message }),
    own && can("delete") && button("remove", "Delete", { event: "sheet", what: { delete: message } }));
}
