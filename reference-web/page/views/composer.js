// The input for a message: text is sent by button or Enter, files are chosen by a button (main.js handles
// paste and drop). Above it stands the message that is answered or edited.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { preview } from "./texts.js";

/** The longest text, in bytes of UTF-8 (spec, limits: TEXT_LEN_MAX). */
export const TEXT_LEN_MAX = 8192;

const encoder = new TextEncoder();

const excess = (text) => encoder.encode(text).length - TEXT_LEN_MAX;
const canSend = (text) => text.trim() !== "" && excess(text) <= 0;

export function composer(state, chat, act) {
  const editing = state.edits[chat.chat]?.message;
  const text = editing ? state.edits[chat.chat].text : state.drafts[chat.chat] ?? "";
  const over = excess(text);
  const reply = state.replies[chat.chat];
  // The text is read from the input field, because the drawn state may be older than the last key pressed.
  const send = (form) => {
    const field = form.querySelector("textarea");
    const { value } = field;
    if (!canSend(value)) return;
    // The input field is cleared before the next frame, so that what the user types until then belongs to the
    // next text.
    field.value = editing ? state.drafts[chat.chat] ?? "" : "";
    act(editing ? { verb: "edit", message: editing, text: value } : { verb: "send", chat: chat.chat, text: value, reply });
  };
  const stop = () => act(editing ? { event: "edit_done", chat: chat.chat } : { event: "reply_to", chat: chat.chat, message: null });
  return h("form", { class: "composer", key: `composer-${chat.chat}`, "aria-label": editing ? "Edit a message" : "Write a message", on: { submit: (event) => { event.preventDefault(); send(event.currentTarget); } } },
    (editing || reply) && h("div", { class: "composer-about", key: "about" }, icon(editing ? "edit" : "reply"),
      h("p", { role: "status" }, editing ? "Editing" : ["Reply to ", h("bdi", {}, reply.author === "" ? "yourself" : reply.author)], ": ", preview(editing ?? reply)),
      h("button", { type: "button", class: "round", "aria-label": editing ? "Stop editing" : "Do not reply", on: { click: stop } }, icon("close"))),
    over > 0 && h("p", { class: "problem", key: "over", role: "alert" }, `This is too long by ${over} bytes. Send it in parts.`),
    h("div", { class: "composer-row", key: "row" },
      state.can.includes("media") && !editing && h("label", { class: "round attach", key: "attach", title: "Attach files" }, icon("attach"),
        h("input", { type: "file", class: "hidden", multiple: true, "aria-label": "Attach files", on: { change: ({ target }) => { act({ verb: "attach", chat: chat.chat, files: [...target.files] }); target.value = ""; } } })),
      h("textarea", {
        rows: 1, placeholder: "Message", "aria-label": editing ? "New text" : "Message", dir: "auto", spellcheck: "true", set: { value: text }, made: (node) => act({ verb: "composer_made", node }),
        on: {
          input: ({ target }) => act(editing ? { event: "edit_text", chat: chat.chat, text: target.value } : { verb: "draft", chat: chat.chat, text: target.value }),
          keydown: (event) => {
            if (event.isComposing) return;
            if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); send(event.currentTarget.form); }
            else if (event.key === "Escape" && (editing || reply)) stop();
          },
        },
      }),
      h("button", { class: "round send", type: "submit", "aria-label": editing ? "Save the edit" : "Send", disabled: !canSend(text) }, icon(editing ? "sent" : "send"))));
}
