// What an engine says, written down: each scene is a list of events, as `reduce` takes them.

export const NOW = Date.UTC(2026, 4, 20, 15, 42);
const MINUTE = 60_000;
const DAY = 1440 * MINUTE;

/** A pattern as large as a code of version 5. It is not one: nothing can be linked by it. */
function pattern() {
  const width = 45;
  const dark = new Array(width * width).fill(false);
  for (let y = 4; y < 41; y += 1) for (let x = 4; x < 41; x += 1) dark[y * width + x] = (x * 7 + y * 13 + x * y) % 5 < 2;
  for (const [left, top] of [[4, 4], [34, 4], [4, 34]]) {
    for (let y = -1; y < 8; y += 1) for (let x = -1; x < 8; x += 1) {
      const ring = Math.max(Math.abs(x - 3), Math.abs(y - 3));
      dark[(top + y) * width + left + x] = ring !== 2 && ring !== 4;
    }
  }
  return { width, dark, text_id: 1 };
}

const code = () => [{ event: "code", qr: pattern(), at: NOW - 9_000, shown_for_s: 30 }];

const linked = () => [
  { event: "can", what: ["media", "react", "edit", "delete"] },
  { event: "linked", account: "Ada Lovelace", companion: "d2", label: "Chromium on Linux", relay: "relay.example", since: NOW - 3 * DAY },
  { event: "link_state", state: "live", at: NOW },
  { event: "phone", battery: 64, charging: true, lastSeen: NOW - 4 * MINUTE },
  { event: "chats", chats: [
    { chat: 1, title: "Grace Hopper", last_text: "Then I will bring the moth.", last_time_ms: NOW - 2 * MINUTE, unread: 2 },
    { chat: 2, title: "Reading group", last_text: "Katherine: chapter four on Thursday", last_time_ms: NOW - 49 * MINUTE, unread: 0 },
    { chat: 3, title: "نورا", last_text: "أراك غدًا في المكتبة", last_time_ms: NOW - DAY, unread: 0 },
    { chat: 4, title: "Annie Easley", last_text: "The photos from the launch", last_time_ms: NOW - 2 * DAY, unread: 0 },
    { chat: 5, title: "A group whose name goes on for longer than any list is wide", last_text: "Nobody reads this far, and that is fine", last_time_ms: NOW - 9 * DAY, unread: 140 },
  ] },
];

const message = (id, author, minutesAgo, text, more = {}) =>
  ({ chat: 1, id, author, time_ms: NOW - minutesAgo * MINUTE, text, state: author === "" ? "read" : "received", ...more });

const reactions = (...all) => all.map(([author, reaction]) => ({ author, reaction }));

const change = (key, of, more) => ({ key, chat: 1, message: of, state: "waiting", ...more });

const device = (serial, label, minutesAgo, more = {}) =>
  ({ companion: `d${serial}`, serial, label, linked_ms: NOW - 12 * DAY, seen_ms: NOW - minutesAgo * MINUTE, status: "active", ...more });

const devices = () => [
  device(1, "Firefox on Windows", 26 * 60), device(2, "Chromium on Linux", 6, { linked_ms: NOW - 3 * DAY }),
  device(3, "A browser whose name was chosen by somebody with much time", 9 * 1440, { status: "suspended" }), device(4, "Safari on iPad", 0, { seen_ms: 0, linked_ms: NOW - 4 * MINUTE, status: "pending" }),
];

const talk = () => [
  ...linked(),
  { event: "open_chat", chat: 1 },
  { event: "page", chat: 1, where: "anew", more: false, messages: [
    message(1, "Grace Hopper", 1500, "Are you coming on Wednesday?"),
    message(2, "", 1496, "Yes. Is there still room for one more?"),
    message(3, "Grace Hopper", 62, "Always. The programme is at https://example.org/programme, doors open at six."),
    message(4, "Grace Hopper", 61, "Bring a coat, the hall is cold."),
    message(5, "", 40, "Noted. Here is what I have so far:"),
    message(6, "", 39, "", { media: { content: "c1", type: "application/pdf", name: "Notes on the engine.pdf", size: 1_843_200 }, state: "delivered" }),
    message(7, "Grace Hopper", 12, "I read it on the train. Section three is the best part.", { reply: { author: "", text: "Noted. Here is what I have so far:" } }),
    message(8, "", 4, "Thank you! I still have doubts about the table on page nine, where the numbers of the last column do not add up.", { state: "delivered" }),
    message(9, "Grace Hopper", 2, "Then I will bring the moth."),
  ] },
];

export const SCENES = {
  "first-visit": () => code(),
  "code-burnt": () => [{ event: "code_burnt", code: "CODE_EXPIRED" }, ...code()],
  "relay-lost": () => [...code(), { event: "relay_lost" }],
  "check-code": () => [...code(), { event: "check_code", code: "4071" }],
  "number": () => [...code(), { event: "check_code", code: "4071" }, { event: "number_wanted", account: "Ada Lovelace" }],
  "number-typed": () => [...code(), { event: "check_code", code: "4071" }, { event: "number_wanted", account: "Ada Lovelace" }, { event: "digit", key: "0" }, { event: "digit", key: "7" }],
  "pairing-ended": () => [...code(), { event: "check_code", code: "4071" }, { event: "code_burnt", code: "PEER_GONE", asks: true }],
  "pairing-ended-twice": () => [
    ...code(), { event: "check_code", code: "4071" }, { event: "code_burnt", code: "PEER_GONE", asks: true },
    ...code(), { event: "check_code", code: "1402" }, { event: "number_wanted", account: "Ada Lovelace" }, { event: "code_burnt", code: "NOT_CONFIRMED", asks: true }],
  "unconfirmed": () => [...SCENES["finishing"](), { event: "unconfirmed", account: "Ada Lovelace", until: NOW + 23.7 * 60 * MINUTE }, { event: "code_burnt", code: "PEER_GONE", asks: false }],
  "finishing": () => [...SCENES["number-typed"](), { event: "number_sent" }],
  "chats": () => linked(),
  "chat": () => talk(),
  "changed": () => [
    ...talk(),
    { event: "present", chats: [1, 3] },
    { event: "message", message: message(4, "Grace Hopper", 61, "Bring a coat, the hall is cold.", { edited: true, reactions: reactions(["", "🙏"]) }) },
    { event: "message", message: message(5, "", 40, "Noted. Here is what I have so far:", { reactions: reactions(["Grace Hopper", "👍"], ["Katherine Johnson", "👍"], ["Annie Easley", "❤️"]) }) },
    { event: "message", message: message(8, "", 4, "Thank you!", { state: "delivered", edited: true }) },
    { event: "message", message: message(9, "Grace Hopper", 2, "Then I will bring the moth.", { reactions: reactions(["", "😂"], ["Katherine Johnson", "😂"]) }) },
  ],
  "changing": () => [
    ...SCENES.changed(),
    { event: "link_state", state: "peer_absent", at: NOW },
    { event: "changes", changes: [
      change(21, 3, { kind: "react", reaction: "👍", was: "" }),
      change(22, 6, { kind: "delete" }),
      change(23, 8, { kind: "edit", text: "Thank you! The table on page nine is right now.", was: "Thank you!" }),
    ] },
  ],
  "held": () => [
    ...SCENES.changed(),
    { event: "link_state", state: "peer_absent", at: NOW },
    { event: "changes", changes: [
      change(22, 6, { kind: "delete", held: true }),
      change(23, 8, { kind: "edit", text: "Thank you! The table on page nine is right now.", was: "Thank you!", held: true }),
    ] },
  ],
  "not-changed": () => [
    ...SCENES.changed(),
    { event: "changes", changes: [
      change(21, 6, { kind: "delete", state: "failed", code: "REFUSED" }),
      change(22, 8, { kind: "edit", text: "Thank you! The table on page nine is right now.", was: "Thank you!", state: "failed", code: "REFUSED" }),
      change(23, 9, { kind: "react", reaction: "👍", was: "😂", state: "failed", code: "LIMIT" }),
    ] },
  ],
  "editing": () => [
    ...SCENES.changed(),
    { event: "draft", chat: 1, text: "A text that waits meanwhile" },
    { event: "edit", message: message(8, "", 4, "Thank you!", { state: "delivered", edited: true }) },
    { event: "edit_text", text: "Thank you! The table on page nine" },
  ],
  "delete": () => [...talk(), { event: "sheet", what: { delete: message(5, "", 40, "Noted. Here is what I have so far:") } }],
  "states": () => [
    ...talk(),
    { event: "message", message: message(10, "", 1, "The library has it too.", { state: "sent" }) },
    { event: "message", message: message(null, "", 0, "And this one waits until the phone is back.", { state: "waiting", client_id: "a" }) },
    { event: "message", message: message(11, "", 0, "This one did not leave.", { state: "failed", error: "The contact's network refused it." }) },
    { event: "link_state", state: "peer_absent", at: NOW },
    { event: "draft", chat: 1, text: "See you at" },
    { event: "reply_to", chat: 1, message: message(9, "Grace Hopper", 2, "Then I will bring the moth.") },
  ],
  "transfer": () => [
    ...talk(),
    { event: "message", message: message(12, "", 1, "The recording", { state: "waiting", media: { content: "c2", type: "video/mp4", name: "lecture.mp4", size: 184_000_000 } }) },
    { event: "transfer", content: "c2", direction: "put", offset: 71_000_000, size: 184_000_000, state: "running" },
    { event: "message", message: message(13, "Grace Hopper", 0, "", { media: { content: "c3", type: "application/zip", name: "archive \u202Egpj.zip", size: 40_960 } }) },
    { event: "transfer", content: "c3", direction: "get", offset: 12_000, size: 40_960, state: "paused" },
    { event: "message", message: message(14, "Grace Hopper", 0, "", { media: { content: "c4", type: "audio/ogg", name: "moth.ogg", size: 912_000 } }) },
  ],
  "silent": () => [...talk(), { event: "link_state", state: "peer_silent", at: NOW }],
  "relay-down": () => [...talk(), { event: "link_state", state: "relay_down", at: NOW }],
  "full": () => [...talk(), { event: "full" }],
  "contended": () => [...talk(), { event: "contended", times: 1 }],
  "devices": () => [...talk(), { event: "devices", devices: devices() }, { event: "sheet", what: "devices" }],
  "only-device": () => [...talk(), { event: "sheet", what: "devices" }],
  "log-out": () => [...talk(), { event: "sheet", what: "log_out" }],
  "taken-over": () => [...talk(), { event: "replaced" }],
  "displaced": () => [...talk(), { event: "displaced" }, { event: "link_state", state: "peer_silent", at: NOW }, { event: "link_state", state: "relay_down", at: NOW }],
  "suspended": () => [...talk(), { event: "suspended" }],
  "diverged": () => [...talk(), { event: "diverged" }],
  "revoked": () => [...talk(), { event: "revoked" }],
  "unsupported": () => [{ event: "unsupported", text: "It keeps no databases for this page (IndexedDB). A private window may be the reason." }],
  "bidi-names": () => [...talk(), ...["\u202E", "\u2067", "\u200F"].flatMap((turner, index) => {
    const media = { content: `b${index}`, type: "application/zip", name: `invoice${turner}fdp.exe`, size: 40_960 };
    const one = message(20 + index * 2, "Grace Hopper", 0, "", { media });
    return [{ event: "message", message: one }, { event: "message", message: message(21 + index * 2, "", 0, "Is this safe?", { reply_to: one.id, state: "sent" }) }, { event: "reply_to", chat: 1, message: one },
      { event: "sheet", what: { delete: one } }];
  }), { event: "chats", chats: [{ chat: 1, title: "Grace Hopper", last_text: "invoice\u202Efdp.exe", last_time_ms: NOW, unread: 0 }] }],
  "links": () => [...talk(), ...["http://\u0430\u0440\u0440\u04CF\u0435.com", "Log in at https://bank.com@evil.example/ please", "https://example.com/\u202Emoc.live", "www.example.com, or ada@example.org, or +44 (0)20 7946 0018"].map((text, index) =>
    ({ event: "message", message: message(20 + index, "Mallory", 0, text) }))],
  "no-match": () => [...linked(), { event: "filter", text: "nobody at all" }],
  "no-messages-away": () => [...linked(), { event: "open_chat", chat: 1 }, { event: "page", chat: 1, where: "anew", more: false, messages: [] }, { event: "loading", chat: 1, what: "older" }, { event: "link_state", state: "peer_absent", at: NOW }],
  "scrolled-up": () => [...talk(), { event: "place", isAway: true }, { event: "message", message: message(20, "Grace Hopper", 0, "Are you there?") }],
  "deleted": () => [...talk(), { event: "message", message: message(5, "", 40, "", { deleted: true, state: "read" }) }, { event: "message", message: message(20, "Grace Hopper", 0, "Which one?", { reply_to: 5 }) }, { event: "message", message: message(21, "Grace Hopper", 0, "", { deleted: true }) }],
  "withdraw": () => [...talk(), { event: "link_state", state: "peer_absent", at: NOW }, { event: "message", message: message(null, "", 0, "And this one waits here.", { state: "waiting", held: true, client_id: "h1" }) }, { event: "at", message: "h1" }],
  // What a message goes through, one step after the other: each must look as if it had come like that.
  "ticks": () => [...talk(), ...["waiting", "sent", "delivered", "read"].map((state) => ({ event: "message", message: message(state === "waiting" ? null : 20, "", 0, "From the clock to two ticks", { state, client_id: "c1" }) })),
    ...["waiting", "sent", "delivered"].map((state) => ({ event: "message", message: message(state === "waiting" ? null : 21, "", 0, "To two ticks", { state, client_id: "c2" }) })),
    ...["waiting", "sent"].map((state) => ({ event: "message", message: message(state === "waiting" ? null : 22, "", 0, "To one tick", { state, client_id: "c3" }) })), { event: "at", message: 9 }, { event: "at", message: null }],
  "reading": () => [...talk(), { event: "media", content: "f1", width: 480, height: 360 },
    { event: "message", message: message(null, "", 0, "", { state: "waiting", client_id: "f1", media: { content: "f1", type: "image/jpeg", name: "photo.jpg", size: 4_000_000 } }) },
    { event: "transfer", content: "f1", direction: "put", offset: 1_000_000, size: 4_000_000, state: "reading" },
    { event: "message", message: message(null, "", 0, "", { state: "waiting", client_id: "f2", media: { content: "f2", type: "video/mp4", name: "lecture.mp4", size: 184_000_000 } }) },
    { event: "transfer", content: "f2", direction: "put", offset: 0, size: 184_000_000, state: "failed", code: "UNREAD" }],
  "offline": () => [...talk(), { event: "network", isThere: false }, { event: "link_state", state: "peer_silent", at: NOW }],
  "cleared": () => [...talk(), { event: "cleared" }],
  "from-cache": () => [{ event: "not_paired" }],
  "logged-out": () => [...talk(), { event: "logged_out", label: "Chromium on Linux" }, ...code()],
  "hostile": () => [...linked(), { event: "open_chat", chat: 1 }, { event: "page", chat: 1, where: "anew", more: false, messages: HOSTILE.map((text, index) =>
    message(index + 1, text.slice(0, 40), 30, text, { reactions: reactions(["", text], [text, text], [`${text}.`, `${text}.`]), reply: { author: text, text }, media: { content: `h${index}`, type: text.slice(0, 30), name: text, size: 1 } })) },
    ...HOSTILE.map((text, index) => ({ event: "media", content: `h${index}`, url: text, thumbnail: text })),
    { event: "devices", devices: HOSTILE.map((text, index) => device(index + 1, text, 60)) },
    { event: "changes", changes: HOSTILE.slice(0, 4).map((text, index) => change(index, index + 1, { kind: "edit", text, was: "", state: "failed", code: text })) },
    ...HOSTILE.slice(0, 4).map((text, index) => ({ event: "transfer", content: `h${index}`, direction: text, offset: 1, size: 2, state: "failed", code: text }))],
};

SCENES["hostile-devices"] = () => [...SCENES.hostile(), { event: "sheet", what: "devices" }];

/** Texts that a page must only ever show. */
const HOSTILE = [
  "<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "\"><svg onload=alert(1)>", "javascript:alert(1)", "https://example.org/\"onmouseover=alert(1)",
  "data:text/html,<script>alert(1)</script>", "\u202Egnp.exe", "{{constructor.constructor('alert(1)')()}}", "a".repeat(2000), "\u0000\u0007\uFFFD", "mailto:a@example.org?subject=<b>",
];
