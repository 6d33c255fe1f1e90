// The reactions below a message, and the choice of one. A reaction is a text that a contact chose: it is
// isolated from other text, and its width is limited.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { grouped, ownReaction } from "../overlay.js";
import { names } from "../strings.js";

const CHOICES = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

export function reactionsView(state, message, act) {
  if (!message.reactions?.length) return null;
  return h("ul", { class: message.reacting ? "reactions waits" : "reactions", key: "reactions", "aria-label": "Reactions" }, grouped(message.reactions).map(({ reaction, authors, own }) =>
    h("li", { key: reaction }, h("button", {
      type: "button", "aria-pressed": own ? "true" : "false", title: `From ${names(authors)}`, disabled: !state.can.includes("react"),
      on: { click: () => act({ verb: "react", message, reaction: own ? "" : reaction }) },
    }, h("bdi", { class: "reaction" }, reaction), authors.length > 1 && h("span", { class: "count" }, ` ${authors.length}`), h("span", { class: "hidden" }, ` from ${names(authors)}`)))));
}

export function reactionChoice(message, act) {
  const own = ownReaction(message);
  const close = ({ currentTarget }) => {
    const details = currentTarget.closest("details");
    details.open = false;
    details.firstChild.focus();
  };
  return h("details", {
    class: "react", on: {
      focusout: ({ currentTarget, relatedTarget }) => { if (relatedTarget && !currentTarget.contains(relatedTarget)) currentTarget.open = false; },
      keydown: (event) => { if (event.key === "Escape" && event.currentTarget.open) close(event); },
    },
  },
  h("summary", { class: "round", "aria-label": "React", title: "React" }, icon("react")),
  h("div", { class: "react-choices", role: "group", "aria-label": "Reactions to choose from" }, CHOICES.map((reaction) =>
    h("button", {
      type: "button", "aria-label": `React with ${reaction}`, "aria-pressed": own === reaction ? "true" : "false",
      on: { click: (event) => { close(event); act({ verb: "react", message, reaction: own === reaction ? "" : reaction }); } },
    }, reaction))));
}
