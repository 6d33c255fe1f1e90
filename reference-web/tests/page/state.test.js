// The page's pure functions, without a browser: `node --test reference-web/tests/page`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { applied, grouped, isNothing, isSettled, overlaid, replacedBy } from "../../page/overlay.js";
import { WINDOW, initial, isPresent, reduce, shownChats } from "../../page/state.js";
import { kindOf, nameParts, savedName, servedType, shownName } from "../../page/media_types.js";
import { chatView } from "../../page/views/chat.js";
import { chatsView } from "../../page/views/chats.js";
import { pageView } from "../../page/views/frame.js";
import { linked, preview } from "../../page/views/texts.js";
import { changeFailed, day, describe, deviceState, isolated, linkState, putBack, size, waitLeft, when } from "../../page/strings.js";
import { NOW, SCENES } from "./scenes.js";

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
  const state = play([page("anew", [5]), { event: "draft", chat: 1, text: "later" }, { event: "edit", message: message(5) }, { event: "edit_text", chat: 1, text: "five" }]);
  assert.deepEqual([state.edits[1].text, state.drafts[1]], ["five", "later"]);
  assert.deepEqual(reduce(state, { event: "edit_done", chat: 1 }).edits, {});
  assert.deepEqual(reduce(state, { event: "message_removed", chat: 1, id: 5 }).edits, {});
  assert.deepEqual(reduce(state, { event: "message", message: message(5, { text: "", deleted: true }) }).edits, {});
  assert.equal(reduce(state, { event: "message_removed", chat: 1, id: 6 }).edits[1].text, "five");
  assert.deepEqual(reduce(state, { event: "reply_to", chat: 1, message: message(5) }).edits, {});
});

test("an edit in progress stays when another chat is opened, and follows its message to the name that the phone gives it", () => {
  const held = { ...message(null), author: "", client_id: "h1", state: "waiting", held: true };
  let state = play([page("anew", []), { event: "message", message: held }, { event: "edit", message: held }, { event: "edit_text", chat: 1, text: "better" }]);
  state = play([{ event: "open_chat", chat: 2 }, { event: "edit", message: { ...message(9), chat: 2 } }, { event: "close_chat" }, { event: "open_chat", chat: 1 }], state);
  assert.deepEqual([state.edits[1].text, state.edits[2].text], ["better", "9"]);
  state = play([{ event: "message", message: { ...held, held: undefined, client_id: "c7", replaces: "h1" } }, { event: "message", message: { ...message(6), author: "", client_id: "c7" } }], state);
  assert.deepEqual([state.edits[1].message.id, state.edits[1].text], [6, "better"]);
});

test("what waits is known of every chat, until the phone has made a message of it or it is withdrawn", () => {
  const waiting = (client_id, chat, more) => ({ ...message(null), chat, author: "", client_id, state: "waiting", ...more });
  let state = play([{ event: "unsent", messages: [waiting("h1", 1), waiting("c2", 2)] }, { event: "message", message: waiting("h3", 3) }]);
  assert.deepEqual(Object.keys(state.unsent), ["h1", "c2", "h3"]);
  state = play([{ event: "message", message: waiting("c4", 1, { replaces: "h1" }) }, { event: "message_removed", chat: 3, client_id: "h3" }], state);
  assert.deepEqual(Object.keys(state.unsent), ["c2", "c4"]);
  state = reduce(state, { event: "message", message: { ...message(7), chat: 2, author: "", client_id: "c2" } });
  assert.deepEqual(Object.keys(state.unsent), ["c4"]);
});

test("what comes below a user who has scrolled up is counted, once each, and not what the user sent or what only changed", () => {
  const come = (id, more) => ({ event: "message", message: message(id, more) });
  let state = play([...SCENES.chats(), { event: "open_chat", chat: 1 }, page("anew", [5, 6]), come(7), { event: "place", isAway: true }]);
  assert.equal(state.below[1], undefined, "what came while the user was at the end was seen");
  state = play([come(8), come(9), come(9, { edited: true }), come(5, { edited: true }), come(10, { author: "" }), come(3, { chat: 2 })], state);
  assert.deepEqual(state.below, { 1: 2 });
  assert.equal(reduce(state, { event: "place", isAway: false }).below[1], 0);
});

const texts = (tree) => (tree.text !== undefined ? tree.text : (tree.children ?? []).map(texts).join(""));
const all = (tree, is) => [...is(tree) ? [tree] : [], ...(tree.children ?? []).flatMap((child) => all(child, is))];

test("a chat without messages says whether there are none, or the phone that has them cannot be reached", () => {
  const head = (events) => texts(all(chatView(play([...SCENES.chats(), { event: "open_chat", chat: 1 }, ...events]), () => {}, 0), (one) => one.props?.class === "messages-head")[0]);
  const away = { event: "link_state", state: "peer_absent" };
  const asked = [page("anew", [], { more: false }), { event: "loading", chat: 1, what: "older" }];
  assert.match(head([...asked, away]), /has the messages of this chat. It cannot be reached/);
  assert.match(head([page("anew", [5]), { event: "loading", chat: 1, what: "older" }, away]), /has the older messages. It cannot be reached/);
  assert.equal(head(asked), "", "they are on their way");
  assert.equal(head([...asked, page("older", [], { more: false }), away]), "No messages yet.");
  assert.equal(head([...asked, page("older", [5], { more: false }), away]), "This is the beginning of the chat.");
});

test("the list of chats shows what waits, and how far the user's own last message has come", () => {
  const last = (state) => all(chatsView(state, () => {}, 0), (one) => one.props?.class === "chat-last")[0];
  const row = { event: "chats", chats: [{ chat: 1, title: "Grace", last_message: 7, last_text: "seven", last_time_ms: 7, unread: 0 }] };
  let state = play([...SCENES.chats(), row, { event: "lasts", messages: [message(7, { author: "", state: "delivered" })] }]);
  assert.equal(texts(last(state)), "You: seven");
  assert.equal(all(last(state), (one) => one.props?.["aria-label"] === "Delivered").length, 1);
  assert.equal(texts(last(reduce(state, { event: "message", message: message(8, { chat: 1 }) }))), "seven", "what the row says is somebody's who is not known yet");
  state = reduce(state, { event: "message", message: { ...message(null), author: "", client_id: "h1", text: "while the phone is down", state: "waiting" } });
  assert.equal(texts(last(state)), "You: while the phone is down");
  assert.equal(all(last(state), (one) => one.props?.["aria-label"] === "Waiting for your phone").length, 1);
});

test("a deleted message leaves that it was there, and what answered it says so", () => {
  const state = play([...SCENES.chats(), { event: "open_chat", chat: 1 }, page("anew", [5, 6]), { event: "message", message: message(7, { reply_to: 5 }) }, { event: "message", message: message(8, { reply_to: 2 }) },
    { event: "message", message: { chat: 1, id: 5, author: "A", time_ms: 5, text: "", state: "received", deleted: true } }, { event: "message", message: { chat: 1, id: 9, author: "", time_ms: 9, text: "", state: "read", deleted: true } }]);
  const view = chatView(state, () => {}, 0);
  const deleted = all(view, (one) => one.props?.class === "deleted").map(texts);
  assert.deepEqual(deleted, ["This message was deleted.", "A deleted message", "An earlier message", "You deleted this message."]);
  const article = all(view, (one) => one.props?.["data-id"] === 5)[0];
  assert.equal(all(article, (one) => one.tag === "button").length, 0, "nothing can be done with it");
});

test("of a deleted message nothing is left where the user was about to do something with it", () => {
  const gone = { event: "message", message: { chat: 1, id: 5, author: "A", time_ms: 5, text: "", state: "received", deleted: true } };
  const before = [...SCENES.chats(), { event: "open_chat", chat: 1 }, page("anew", [5, 6])];
  for (const begun of [{ event: "reply_to", chat: 1, message: message(5) }, { event: "edit", message: message(5) }, { event: "sheet", what: { delete: message(5) } }, { event: "sheet", what: { picture: message(5) } }]) {
    const state = play([...before, begun, gone]);
    assert.deepEqual([state.replies[1], state.edits[1], state.sheet], [undefined, undefined, null]);
    const other = play([...before, begun, { event: "message", message: { ...gone.message, id: 6 } }]);
    assert.notDeepEqual([other.replies[1], other.edits[1], other.sheet], [undefined, undefined, null]);
  }
});

test("what waits at this browser can be copied, changed and withdrawn; what is on its way only copied", () => {
  const named = (events) => all(chatView(play([...SCENES.chats(), { event: "open_chat", chat: 1 }, page("anew", []), ...events]), () => {}, 0), (one) => one.tag === "article").flatMap((one) => all(one, (node) => node.tag === "button").map((node) => node.props["aria-label"] ?? texts(node)));
  const waiting = (more) => [{ event: "message", message: { ...message(null), author: "", client_id: "h1", text: "later", state: "waiting", ...more } }, { event: "at", message: "h1" }];
  assert.deepEqual(named(waiting({ held: true })), ["Copy the text", "Edit", "Do not send"]);
  assert.deepEqual(named(waiting({})), ["Copy the text"]);
  assert.deepEqual(named(waiting({ state: "failed", error: "no" })), ["Try again", "Copy the text", "Remove"]);
});

test("of what is held of a message the last is taken back first, and what is on its way not at all", () => {
  const [text, remove] = [change("edit", { text: "V", was: "5", held: true }), change("delete", { held: true })];
  assert.equal(overlaid(message(5), [text]).undo, text);
  assert.equal(overlaid(message(5), [text, remove]).undo, remove);
  assert.equal(overlaid(message(5), [text, react("", "x", { held: true })]).undo, text, "a reaction is pressed again");
  for (const sent of [change("edit", { text: "V", was: "5" }), change("delete")]) assert.equal("undo" in overlaid(message(5), [sent]), false);
  assert.equal("undo" in overlaid(message(5), [change("delete", { state: "failed", code: "REFUSED" })]), false);
});

test("a held change gives its place to the next of its kind, unless another kind stands behind it", () => {
  const [text, reaction] = [change("edit", { held: true }), change("react", { held: true })];
  const of = (changes, kind) => replacedBy(changes, { chat: 1, id: 5 }, kind);
  assert.equal(of([text], "edit"), text);
  assert.equal(of([text, change("edit", { state: "failed" })], "edit"), text);
  assert.equal(of([text, reaction], "edit"), undefined);
  assert.equal(of([text, reaction], "react"), reaction);
  assert.equal(of([text], "delete"), undefined);
  assert.equal(of([change("edit")], "edit"), undefined, "it has left");
  assert.equal(of([{ ...text, message: 6 }, { ...text, chat: 2 }], "edit"), undefined);
});

test("what is asked for back to what the phone has is nothing", () => {
  assert.equal(isNothing(change("edit", { text: "5", was: "5" })), true);
  assert.equal(isNothing(change("edit", { text: "V", was: "5" })), false);
  assert.equal(isNothing(change("react", { reaction: "", was: "" })), true);
  assert.equal(isNothing(change("react", { reaction: "x", was: "" })), false);
  assert.equal(isNothing(change("delete")), false);
});

test("an edit and a deletion that wait here can be taken back; those on their way cannot", () => {
  const pressed = [];
  const buttons = (changes) => all(chatView(play([...SCENES.chats(), { event: "open_chat", chat: 1 }, page("anew", [5]), { event: "changes", changes }]), (action) => pressed.push(action), 0), (one) => one.props?.class === "held").flatMap((one) => all(one, (node) => node.tag === "button"));
  for (const [kind, label] of [["edit", "Keep the old text"], ["delete", "Do not delete it"]]) {
    const waiting = change(kind, { text: "V", was: "5" });
    const [button, ...more] = buttons([{ ...waiting, held: true }]);
    assert.deepEqual([texts(button), more], [label, []]);
    button.props.on.click();
    assert.deepEqual([pressed.at(-1).verb, pressed.at(-1).message.undo.kind], ["undo", kind]);
    assert.deepEqual(buttons([waiting]), []);
  }
});

test("a computer that is offline is told as that at once, until something comes all the same", () => {
  const title = (state, offline) => linkState({ state, offline }, 0).title;
  assert.deepEqual(["live", "peer_silent", "relay_down", "peer_absent", null].map((state) => title(state, true)), Array(5).fill("This computer is offline"));
  assert.equal(title("peer_silent", false), "Waiting for your phone");
  const offline = play([...SCENES.chat(), { event: "network", isThere: false }]);
  assert.equal(offline.link.offline, true);
  for (const own of [{ event: "chats", chats: offline.chats }, { event: "message", message: { ...message(null), author: "", client_id: "h1" } }, { event: "open_chat", chat: 1 }]) assert.equal(reduce(offline, own).link.offline, true);
  for (const theirs of [{ event: "message", message: message(20) }, { event: "phone", battery: 1 }, { event: "present", chats: [] }]) assert.equal(reduce(offline, theirs).link.offline, false);
  assert.equal(play([{ event: "network", isThere: true }], offline).link.offline, false);
});

test("after log-out the page says what to do on the phone, until a phone is linked", () => {
  const state = play([...SCENES.chat(), { event: "logged_out", label: "Chrome on Linux" }, ...SCENES["first-visit"]()]);
  assert.match(texts(pageView(state, 0, () => {})), /open linked devices on it, and remove Chrome on Linux/);
  assert.doesNotMatch(JSON.stringify(state), /Grace|moth|Ada/);
  assert.doesNotMatch(texts(pageView(play(SCENES["first-visit"]()), 0, () => {})), /logged out/);
  assert.equal(play(SCENES.chats(), state).farewell, null);
});

// req: HSK-135, HSK-165, HSK-166
test("a link that the phone has not confirmed is said to be so, can be dropped, and goes on when the phone confirms it", () => {
  const said = [];
  const state = play(SCENES.unconfirmed());
  const view = pageView(state, NOW, (action) => said.push(action));
  assert.match(texts(view), /phone of Ada Lovelace may have linked this page.*It waits 24 hours for that.*To start over.*remove it there/);
  all(view, (node) => node.props?.class === "new-code")[0].props.on.click();
  assert.deepEqual(said, [{ verb: "newCode" }]);
  assert.equal(state.link.account, "");
  assert.deepEqual([29_000, 60_001, 90 * 60_000, 91 * 60_000, 24 * 3_600_000].map(waitLeft), ["one minute", "2 minutes", "90 minutes", "2 hours", "24 hours"]);
  assert.equal(play(SCENES.chats(), state).pair, null);
  assert.equal(play([{ event: "unlinked" }, ...SCENES["first-visit"]()], state).pair.step, "code");
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
  assert.match(quotes(chatView(reduce(state, { event: "message_removed", chat: 1, id: 5 }), () => {}, 0))[0], /An earlier message/, "it is gone");
});

test("chats are searched by title and last message, whatever the case", () => {
  const state = play([...SCENES.chats(), { event: "filter", text: " MOTH " }]);
  assert.deepEqual(shownChats(state).map((chat) => chat.chat), [1]);
  assert.deepEqual(shownChats({ ...state, filter: "nobody at all" }), []);
});

test("of what looks like an address only those of the web and of mail become links", () => {
  const links = (text) => linked(text).filter((part) => part.tag === "a").map((part) => part.props.href);
  assert.deepEqual(links("see https://example.org/a, and mailto:a@example.org."), ["https://example.org/a", "mailto:a@example.org"]);
  for (const text of ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "https://", "xhttps://example.org"]) assert.deepEqual(links(text), [], text);
  assert.equal(linked("a https://example.org b").map((part) => part.tag ? "L" : part).join(""), "a L b");
});

test("a link says where it leads if its letters say something else", () => {
  const shown = (text) => linked(text).filter((part) => part.tag === "a").map(texts).join();
  for (const [text, leads] of [
    ["http://\u0430\u0440\u0440\u04CF\u0435.com", "xn--80ak6aa92e.com"], ["https://m\u00FCnchen.de/weg", "xn--mnchen-3ya.de"], ["www.\u0435xample.com", "www.xn--xample-2of.com"],
    ["https://bank.com@evil.example/", "evil.example"], ["https://bank.com:pw@evil.example", "evil.example"], ["https://bank.com%2Flogin@evil.example/", "evil.example"],
    ["https://bank.com\\@evil.example", "bank.com"], ["https://bank.com\u3002evil.de", "bank.com.evil.de"], ["https://%65vil.com/", "evil.com"], ["http://2130706433/", "127.0.0.1"],
  ]) assert.equal(shown(text), `${text} (leads to ${leads})`);
  for (const text of ["https://example.org/a", "HTTPS://Example.org:8443/x", "https://example.org:443/", "https://example.org?x", "https://example.org/\u0430\u0440\u0440", "mailto:a@example.org?subject=b"]) assert.equal(shown(text), text);
});

test("an address ends before what is not seen or turns the direction", () => {
  for (const turner of ["\u202E", "\u2066", "\u200F", "\u200B", "\u00AD", "\u2028"]) {
    assert.deepEqual(linked(`https://example.com/${turner}moc.live`).map((part) => part.tag ? part.props.href : part), ["https://example.com/", `${turner}moc.live`]);
  }
});

test("names of hosts and addresses of mail are links without anything in front of them; names of files are not", () => {
  const links = (text) => linked(text).filter((part) => part.tag === "a").map((part) => part.props.href);
  assert.deepEqual(links("www.example.com, example.org/x and ada.l@example.org!"), ["https://www.example.com/", "https://example.org/x", "mailto:ada.l@example.org"]);
  for (const text of ["notes.txt", "main.rs", "e.g. this", "a.b", "readme.md", "photo.jpg", "1.5", "x@y", "@example.org", "../example.org", "C:example.org"]) assert.deepEqual(links(text), [], text);
});

test("telephone numbers with a country in front are links; other digits are not", () => {
  const links = (text) => linked(text).filter((part) => part.tag === "a").map((part) => part.props.href);
  for (const [text, href] of [
    ["Call +44 (0)20 7946 0018.", "tel:+442079460018"], ["+1 (555) 010-9999", "tel:+15550109999"], ["tel:+4930123456", "tel:+4930123456"], ["(+49.30.123-456)", "tel:+4930123456"],
    ["+123456789012345", "tel:+123456789012345"], ["+12345678", "tel:+12345678"],
  ]) assert.deepEqual(links(text), [href], text);
  for (const text of [
    "030 123456", "2026-11-29 10:15", "+1234567", "+1234567890123456", "2+12345678", "++12345678", "+0123456789", "+12345678a", "*#06#", "+49*123*4567#89", "+49  -  30123456", "192.168.100.200",
  ]) assert.deepEqual(links(text), [], text);
  assert.deepEqual(links("+4930123456@example.org, https://example.org/+4930123456"), ["mailto:+4930123456@example.org", "https://example.org/+4930123456"]);
});

test("in a line of text no name and no text of others turns the direction", () => {
  for (const turner of ["\u202E", "\u202D", "\u2067", "\u200F", "\u061C"]) {
    assert.equal(shownName(`invoice${turner}fdp.exe`), "invoice_fdp.exe");
    assert.equal(isolated(`echo: invoice${turner}fdp.exe`), "echo: invoicefdp.exe");
    assert.equal(texts(preview({ text: "", media: { name: `invoice${turner}fdp.exe` } })), "invoice_fdp.exe");
  }
  assert.equal(isolated("\u05E9\u05DC\u05D5\u05DD \u0623\u0631\u0627\u0643"), "\u05E9\u05DC\u05D5\u05DD \u0623\u0631\u0627\u0643");
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

test("a side that was put back is told until the user has seen it", () => {
  // req: RES-034, RES-040
  for (const who of ["companion", "phone"]) {
    const told = play([{ event: "put_back", who }, { event: "link_state", state: "live", at: 1 }]);
    assert.equal(told.link.putBack, who);
    assert.match(putBack(who).text, /restored from a backup, or copied/u);
    assert.equal(reduce(told, { event: "put_back_seen" }).link.putBack, null);
  }
});

test("a page that cannot go on with its commands says so, and keeps what waits", () => {
  // req: RES-038
  const waits = { ...message(null), author: "", client_id: "c1", state: "waiting" };
  const state = play([page("anew", [5]), { event: "message", message: waits }, { event: "forgotten" }]);
  assert.match(linkState(state.link, 0).text, /link again/u);
  assert.equal(state.unsent.c1.state, "waiting");
});

test("an older side is named until they talk", () => {
  for (const [who, words] of [["phone", /phone's app/u], ["page", /This page/u]]) {
    const state = play([{ event: "outdated", who }]);
    assert.match(linkState(state.link, 0).title, words);
    assert.equal(linkState(reduce(state, { event: "link_state", state: "live", at: 1 }).link, 0).tone, "good");
  }
});
