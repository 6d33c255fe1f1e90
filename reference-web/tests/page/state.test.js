// The page's pure functions, without a browser: `node --test reference-web/tests/page`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { applied, grouped, isSettled, overlaid } from "../../page/overlay.js";
import { WINDOW, initial, isPresent, reduce, shownChats } from "../../page/state.js";
import { kindOf, nameParts, savedName, servedType } from "../../page/media_types.js";
import { chatView, linked } from "../../page/views/chat.js";
import { changeFailed, day, describe, deviceState, size, when } from "../../page/words.js";
import { SCENES } from "./scenes.js";

const play = (events, state = initial()) => events.reduce(reduce, state);
const message = (id, more = {}) => ({ chat: 1, id, author: "A", time_ms: id, text: `${id}`, state: "received", ...more });
const page = (where, ids, more = {}) => ({ event: "page", chat: 1, where, messages: ids.map((id) => message(id)), more: true, ...more });
const ids = (state) => state.pages[1].messages.map((one) => one.id);

test("an event does not change the state before it, and one that is not known changes nothing", () => {
  const before = play(SCENES.chat());
  const copy = structuredClone(before);
  play(SCENES.states(), before);
  assert.deepEqual(before, copy);
  assert.equal(reduce(before, { event: "of a later version" }), before);
});

test("every scene leads to a state", () => {
  for (const [name, events] of Object.entries(SCENES)) assert.ok(play(events()).pages, name);
});

test("what paused the link is over when the phone talks to this page again", () => {
  for (const dead of ["displaced", "suspended", "diverged"]) {
    const state = play([...SCENES.chat(), { event: dead }]);
    assert.equal(state.dead, dead);
    assert.equal(reduce(state, { event: "link_state", state: "peer_silent" }).dead, dead);
    assert.equal(reduce(state, { event: "link_state", state: "live" }).dead, null);
  }
  assert.equal(play([...SCENES.chat(), { event: "replaced" }, { event: "link_state", state: "live" }]).dead, "replaced");
});

test("messages stand in the order of the phone's ids, each once", () => {
  const state = play([page("anew", [5, 6]), { event: "message", message: message(8) }, { event: "message", message: message(7) }, { event: "message", message: message(6, { text: "anew" }) }]);
  assert.deepEqual(ids(state), [5, 6, 7, 8]);
  assert.equal(state.pages[1].messages[1].text, "anew");
});

test("a text that waits comes last, and gives its place to the one that the phone made of it", () => {
  const waiting = { ...message(null), author: "", client_id: "c1", state: "waiting" };
  let state = play([page("anew", [5]), { event: "message", message: waiting }, { event: "message", message: message(6) }]);
  assert.deepEqual(ids(state), [5, 6, null]);
  state = reduce(state, { event: "message", message: { ...message(7), author: "", client_id: "c1" } });
  assert.deepEqual(ids(state), [5, 6, 7]);
});

test("a chat holds a window of its messages, and knows at which side there are more", () => {
  const stretch = (from) => Array.from({ length: WINDOW }, (_, index) => from + index);
  let state = play([page("anew", stretch(1000)), page("older", [998, 999])]);
  assert.equal(ids(state).length, WINDOW);
  assert.equal(ids(state)[0], 998);
  assert.equal(state.pages[1].newer, true);
  assert.equal(reduce(state, { event: "message", message: message(5000) }).pages[1].messages.length, WINDOW, "what is beyond the window is not shown");
  state = reduce(state, page("newer", [1298, 1299], { newer: false }));
  assert.equal(ids(state).at(-1), 1299);
  assert.equal(state.pages[1].newer, false);
  assert.equal(state.pages[1].more, true);
});

test("a message that is older than what is shown makes no gap when it changes", () => {
  const state = play([page("anew", [5, 6]), { event: "message", message: message(2, { edited: true }) }]);
  assert.deepEqual(ids(state), [5, 6]);
  assert.deepEqual(ids(play([page("older", [2], { more: false }), { event: "message", message: message(1) }], state)), [1, 2, 5, 6]);
});

const change = (kind, more) => ({ kind, chat: 1, message: 5, state: "waiting", ...more });
const edit = (was, text, more) => change("edit", { was, text, ...more });
const react = (was, reaction, more) => change("react", { was, reaction, ...more });
const own = (reaction) => ({ author: "", reaction });
const moth = { author: "Grace", reaction: "🦋" };

test("what the user wants of a message is shown over it, in order, and over no other", () => {
  const row = message(5, { reactions: [moth] });
  const copy = structuredClone(row);
  const shown = overlaid(row, [edit("5", "five"), react("", "👍"), edit("five", "V"), react("👍", "😮")]);
  assert.deepEqual([shown.text, shown.edited, shown.saving], ["V", true, true]);
  assert.deepEqual([shown.reactions, shown.reacting], [[own("😮"), moth], true]);
  assert.deepEqual(overlaid(shown, [react("😮", "")]).reactions, [moth]);
  assert.equal(overlaid(row, [change("delete")]).deleting, true);
  assert.deepEqual(row, copy, "the row itself stays");
  for (const other of [{ message: 6 }, { chat: 2 }]) assert.equal(overlaid(row, [edit("5", "five", other)]), row);
});

test("what the phone refused is put back, and named", () => {
  const refused = edit("5", "five", { state: "failed", code: "REFUSED" });
  assert.deepEqual(overlaid(message(5), [refused]), message(5, { refused }));
  assert.equal(changeFailed(refused), "This was not edited. Your phone does not allow it.");
  assert.match(changeFailed(change("delete", { code: "INTERNAL" })), /not deleted.*INTERNAL/);
});

test("a change is over when the phone's row says the same", () => {
  assert.equal(isSettled(edit("5", "five"), message(5, { text: "five", edited: true })), true);
  assert.equal(isSettled(edit("5", "five"), message(5)), false);
  assert.equal(isSettled(react("", "👍"), message(5, { reactions: [own("👍"), moth] })), true);
  assert.equal(isSettled(react("", "👍"), message(5, { reactions: [{ author: "Grace", reaction: "👍" }] })), false);
  assert.equal(isSettled(react("👍", ""), message(5)), true);
  assert.equal(isSettled(change("delete"), message(5)), false, "the row of a deleted message is gone");
});

test("what the phone has done stays, but not over what is newer", () => {
  assert.deepEqual(applied(edit("5", "five"), message(5)), message(5, { text: "five", edited: true }));
  const newer = message(5, { text: "by another device", edited: true, reactions: [own("😢")] });
  assert.equal(applied(edit("5", "five"), newer), newer);
  assert.equal(applied(react("", "👍"), newer), newer);
  assert.deepEqual(applied(react("😢", ""), newer).reactions, []);
  assert.equal(applied(change("delete"), newer), null);
});

test("reactions are counted by what they are", () => {
  assert.deepEqual(grouped([own("👍"), moth, { author: "Ada", reaction: "👍" }]), [
    { reaction: "👍", authors: ["", "Ada"], own: true }, { reaction: "🦋", authors: ["Grace"], own: false },
  ]);
  assert.deepEqual(grouped(), []);
});

test("an edit leaves alone what is written and not sent, and ends when its message is gone", () => {
  const state = play([page("anew", [5]), { event: "draft", chat: 1, text: "later" }, { event: "edit", message: message(5) }, { event: "edit_text", text: "five" }]);
  assert.deepEqual([state.editing.text, state.drafts[1]], ["five", "later"]);
  assert.equal(reduce(state, { event: "edit_done" }).editing, null);
  assert.equal(reduce(state, { event: "message_removed", chat: 1, id: 5 }).editing, null);
  assert.equal(reduce(state, { event: "message_removed", chat: 1, id: 6 }).editing, state.editing);
  assert.equal(reduce(state, { event: "reply_to", chat: 1, message: message(5) }).editing, null);
});

test("who is there is known while the phone is connected", () => {
  const state = play([...SCENES.chats(), { event: "present", chats: [1, 3] }]);
  assert.deepEqual([1, 2, 3].map((chat) => isPresent(state, chat)), [true, false, true]);
  assert.equal(isPresent(reduce(state, { event: "present", chats: [3] }), 1), false);
  assert.equal(isPresent(reduce(state, { event: "link_state", state: "peer_absent" }), 1), false);
});

test("a linked device says when it was there", () => {
  const of = (more, isThis = false) => deviceState({ status: "active", seen_ms: 0, ...more }, isThis, 0);
  assert.deepEqual([of({}), of({}, true), of({ status: "suspended" }), of({ status: "pending" })], ["never connected", "this browser", "paused on your phone", "not confirmed yet"]);
  assert.match(of({ seen_ms: 1 }), /^last seen /);
});

test("only the message where the user is has more than one button for what can be done", () => {
  const named = (tree) => [tree.props?.["aria-label"], ...(tree.children ?? []).flatMap(named)].filter(Boolean);
  const actions = (state) => named(chatView(state, () => {}, 0)).filter((name) => ["Actions", "Reply", "React", "Edit", "Delete"].includes(name));
  let state = play([...SCENES.chats(), { event: "open_chat", chat: 1 }, page("anew", [5, 6]), { event: "message", message: message(7, { author: "" }) }]);
  assert.deepEqual(actions(state), ["Actions", "Actions", "Actions"]);
  assert.deepEqual(actions(reduce(state, { event: "at", message: 6 })), ["Actions", "Reply", "React", "Actions"]);
  assert.deepEqual(actions(reduce(state, { event: "at", message: 7 })), ["Actions", "Actions", "Reply", "React", "Edit", "Delete"]);
  state = play([{ event: "can", what: [] }, { event: "at", message: 7 }], state);
  assert.deepEqual(actions(state), ["Actions", "Actions", "Reply"]);
});

test("a revoked page forgets everything that it showed", () => {
  const state = reduce(play(SCENES.chat()), { event: "revoked" });
  assert.equal(state.dead, "revoked");
  assert.doesNotMatch(JSON.stringify(state), /Grace|moth|Ada/);
});

test("a page whose place was taken says so until it is connected again", () => {
  const taken = play(SCENES.displaced());
  assert.equal(taken.dead, "displaced");
  assert.equal(reduce(taken, { event: "link_state", state: "live" }).dead, null);
  assert.equal(reduce(taken, { event: "taking_back" }).dead, null);
});

test("an answer shows what it answers, once that is loaded", () => {
  const state = play([...SCENES.chats(), { event: "open_chat", chat: 1 }, page("anew", [5, 6]), { event: "message", message: message(7, { text: "yes", reply_to: 5 }) }]);
  const quotes = (tree) => (tree.tag === "blockquote" ? [JSON.stringify(tree)] : (tree.children ?? []).flatMap(quotes));
  assert.equal(quotes(chatView(state, () => {}, 0)).length, 1);
  assert.match(quotes(chatView(state, () => {}, 0))[0], /"text":"5"/);
  assert.equal(quotes(chatView(reduce(state, { event: "message_removed", chat: 1, id: 5 }), () => {}, 0)).length, 0, "it is gone");
});

test("chats are searched by title and last message, whatever the case", () => {
  const state = play([...SCENES.chats(), { event: "filter", text: " MOTH " }]);
  assert.deepEqual(shownChats(state).map((chat) => chat.chat), [1]);
  assert.deepEqual(shownChats({ ...state, filter: "nobody at all" }), []);
});

test("only addresses of the web and of mail become links", () => {
  const links = (text) => linked(text).filter((part) => part.tag === "a").map((part) => part.props.href);
  assert.deepEqual(links("see https://example.org/a, and mailto:a@example.org."), ["https://example.org/a", "mailto:a@example.org"]);
  for (const text of ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "https://", "xhttps://example.org"]) assert.deepEqual(links(text), [], text);
  assert.equal(linked("a https://example.org b").map((part) => part.tag ? "L" : part).join(""), "a L b");
});

test("a name keeps its extension apart, whichever way it is written", () => {
  assert.deepEqual(nameParts("a\u202Egpj.exe"), ["a\u202Egpj", ".exe"]);
  assert.deepEqual(nameParts("notes"), ["notes", ""]);
  assert.deepEqual(nameParts(".profile"), [".profile", ""]);
  assert.deepEqual(nameParts(""), ["file", ""]);
});

test("only what is on the list is shown; all else is a file that is saved", () => {
  assert.deepEqual(["image/png", "video/mp4", "audio/wav"].map(kindOf), ["image", "video", "audio"]);
  for (const type of ["image/svg+xml", "text/html", "application/xhtml+xml", "application/pdf", "IMAGE/PNG", "image/png; x", "constructor", "__proto__", ""]) {
    assert.equal(kindOf(type), "file", type);
    assert.equal(servedType(type), "application/octet-stream", type);
  }
  assert.equal(savedName("photo.png", "image/png"), "photo.png");
  assert.equal(savedName("photo.html", "image/png"), "photo.png");
  assert.equal(savedName("a\u202Egnp.exe", "image/png"), "a_gnp.png");
  assert.equal(savedName("../../.profile", "application/zip"), "__.._.profile");
  assert.equal(savedName("", "text/html"), "file");
});

test("what is sent stands under its name until the phone has made a message of it", () => {
  const file = { ...message(null), author: "", client_id: "f1", state: "waiting" };
  let state = play([page("anew", [5]), { event: "message", message: file }, { event: "message", message: { ...file, client_id: "c9", replaces: "f1" } }]);
  assert.deepEqual(state.pages[1].messages.map((one) => one.client_id), [undefined, "c9"]);
  state = play([{ event: "message", message: { ...message(6), author: "", client_id: "c9" } }], state);
  assert.deepEqual(ids(state), [5, 6]);
  state = play([{ event: "message", message: file }, { event: "message_removed", chat: 1, client_id: "f1" }], state);
  assert.deepEqual(ids(state), [5, 6]);
});

test("sizes and times are for people", () => {
  assert.deepEqual([0, 999, 1000, 12_345, 999_600, 2 ** 31].map(size), ["0 B", "999 B", "1.0 kB", "12 kB", "1.0 MB", "2.1 GB"]);
  const now = new Date(2026, 4, 20, 15).getTime();
  assert.equal(day(now, now), "Today");
  assert.equal(day(now - 86_400_000, now), "Yesterday");
  assert.equal(when(now - 86_400_000, now), "yesterday");
});

test("a browser is named, not told by its fingerprint", () => {
  const of = (userAgent) => describe({ userAgent });
  assert.equal(of("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/148.0.0.0 Safari/537.36"), "Chrome on Linux");
  assert.equal(of("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"), "Firefox on Linux");
  assert.equal(of("something else"), "Browser");
});
