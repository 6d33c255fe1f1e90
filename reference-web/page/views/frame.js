// The whole page for a state: pairing, a dead end (a screen with one button), or the chats with banner and
// dialogs.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { DEAD_ENDS, deviceState, linkState, putBack, when } from "../strings.js";
import { chatView } from "./chat.js";
import { chatsView } from "./chats.js";
import { linkingView, mark } from "./linking.js";
import { viewer } from "./media.js";
import { preview } from "./texts.js";

/**
 * Describes the page. `now` is the time in milliseconds since 1970. `act` is called with the user's actions,
 * which go to the engine, and with events, which go to `state.js`.
 */
export function pageView(state, now, act) {
  if (state.dead) return deadEnd(state, act);
  if (state.pair || !state.link.account) return linkingView(state.pair, now, act, state.farewell);
  return h("div", { class: state.open === null ? "app on-list" : "app on-chat", key: "app" },
    h("a", { class: "skip", href: "#main", on: { click: toMain } }, "To the messages"),
    banner(state, act, now),
    h("div", { class: "panes" }, chatsView(state, act, now), chatView(state, act, now)),
    state.notice && h("div", { class: "toast", role: "status" }, h("p", {}, state.notice),
      h("button", { type: "button", class: "round", "aria-label": "Close", on: { click: () => act({ event: "notice", text: null }) } }, icon("close"))),
    sheet(state, act, now));
}

/**
 * Moves the focus to the messages. The link's address must not change, because its fragment names the open
 * chat.
 */
function toMain(event) {
  event.preventDefault();
  document.querySelector("#main .messages, #main")?.focus();
}

function banner(state, act, now) {
  const { tone, title, text } = linkState(state.link, now);
  return h("div", { class: "banners" },
    h("div", { class: `banner tone-${tone}`, role: "status" }, h("span", { class: "dot", "aria-hidden": "true" }), h("strong", {}, title), text && h("span", {}, text)),
    state.link.putBack && h("div", { class: "banner tone-warn", role: "alert" }, icon("warn"),
      h("strong", {}, putBack(state.link.putBack).title), h("span", {}, putBack(state.link.putBack).text),
      h("button", { type: "button", class: "quiet", on: { click: () => act({ event: "put_back_seen" }) } }, "I know")),
    state.link.contended > 0 && h("div", { class: "banner tone-warn", role: "alert" }, icon("warn"),
      h("strong", {}, "This place was taken over by somebody else"),
      h("span", {}, "Another browser with this device's keys connected. If that was not you, remove this device on your phone."),
      h("button", { type: "button", class: "quiet", on: { click: () => act({ event: "contended_seen" }) } }, "Dismiss")));
}

function deadEnd(state, act) {
  const end = DEAD_ENDS[state.dead];
  return h("main", { class: "dead-end", id: "main", key: `dead-${state.dead}` },
    h("div", { class: "dead-card", role: "alert" },
      h("header", { class: "brand" }, mark(), h("span", {}, "Handfast")),
      h("span", { class: "dead-icon" }, icon(end.icon)),
      h("h1", {}, end.title),
      h("p", {}, state.deadText && !end.verb ? state.deadText : end.text),
      state.deadText && end.verb && h("p", { class: "small" }, state.deadText),
      end.verb && h("button", { class: "primary", type: "button", on: { click: () => act({ verb: end.verb }) } }, end.action)));
}

function sheet(state, act, now) {
  if (!state.sheet) return null;
  // When a dialog is closed by `close()`, the browser returns the focus to where it was before.
  const close = ({ currentTarget }) => currentTarget.closest("dialog").close();
  const { picture } = state.sheet;
  const body = state.sheet === "devices" ? devices(state, act, now) : state.sheet === "log_out" ? logOut(act, close)
    : picture ? viewer(picture, state.media[picture.media.content], act) : deleting(state.sheet.delete, act, close);
  return h("dialog", {
    class: picture ? "sheet viewer" : "sheet", key: `sheet-${typeof state.sheet === "string" ? state.sheet : Object.keys(state.sheet)[0]}`, "aria-labelledby": "sheet-title",
    made: (node) => queueMicrotask(() => node.isConnected && !node.open && node.showModal()), on: { close: () => act({ event: "sheet", what: null }) },
  },
  h("button", { class: "round sheet-close", type: "button", "aria-label": "Close", on: { click: close } }, icon("close")), body);
}

function devices(state, act, now) {
  const { link } = state;
  const isListed = state.devices.some((one) => one.companion === link.companion);
  const fact = (name, value) => value && [h("dt", {}, name), h("dd", {}, h("bdi", {}, value))];
  return [
    h("h1", { id: "sheet-title" }, "Linked devices"),
    h("section", { "aria-label": "This device" },
      h("h2", {}, icon("device"), "This browser"),
      h("dl", {}, fact("Account", link.account), fact("Relay", link.relay),
        !isListed && [fact("Name of this device", link.label), fact("Linked", link.since ? when(link.since, now) : "")])),
    state.devices.length > 0 && h("section", {},
      h("h2", {}, icon("phone"), "Linked to your phone"),
      h("ul", { class: "devices" }, state.devices.map((one) => deviceRow(one, one.companion === link.companion, now)))),
    h("p", { class: "small" }, "To remove a device, open linked devices on your phone."),
    h("button", { type: "button", class: "danger", on: { click: () => act({ event: "sheet", what: "log_out" }) } }, "Log out here"),
  ];
}

function deviceRow(device, isThis, now) {
  return h("li", { class: "device", key: device.serial, "aria-current": isThis ? "true" : null }, icon("device"),
    h("span", { class: "device-text" },
      h("bdi", {}, device.label || "Unnamed device"),
      h("span", { class: "small" }, deviceState(device, isThis, now), `, linked ${when(device.linked_ms, now)}`)));
}

function logOut(act, close) {
  return [
    h("h1", { id: "sheet-title" }, "Log out of this browser?"),
    h("p", {}, "Its keys and the messages that it holds are deleted here. Your phone keeps everything. Texts that still wait for your phone are lost."),
    h("p", {}, "Your phone is not told. It lists this browser until you remove it there, under linked devices."),
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "danger", on: { click: () => act({ verb: "logOut" }) } }, "Log out"),
      h("button", { type: "button", on: { click: close } }, "Stay")),
  ];
}

function deleting(message, act, close) {
  return [
    h("h1", { id: "sheet-title" }, "Delete this message?"),
    h("p", { class: "quoted", dir: "auto" }, preview(message)),
    h("p", {}, "It is deleted for everybody in this chat and on all your devices. Who has seen it already may remember or have kept it."),
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "danger", on: { click: (event) => { close(event); act({ verb: "delete", message }); } } }, "Delete"),
      h("button", { type: "button", on: { click: close } }, "Keep")),
  ];
}
