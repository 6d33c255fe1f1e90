// What the page shows, as a pure function of what the engine said and what the user did: `reduce(state, event)`.
// No document, no clock: an event that needs the time carries it as `at`, in milliseconds since 1970.

/** How many messages of a chat are held at once. Older and newer ones are asked for again. */
export const WINDOW = 300;

export const initial = () => ({
  dead: null,
  pair: null,
  link: { state: null, account: "", since: 0 },
  chats: [],
  filter: "",
  open: null,
  pages: {},
  drafts: {},
  replies: {},
  /** Edits in progress, by chat: the message and its text so far. */
  edits: {},
  at: null,
  /** Whether the user has scrolled up in the open chat, and how many messages came below since, by chat. */
  isAway: false,
  below: {},
  /** What waits for the phone or was refused, by the name that this page gave it; the newest message of each chat. */
  unsent: {},
  lasts: {},
  typing: {},
  present: [],
  changes: [],
  transfers: {},
  media: {},
  devices: [],
  notice: null,
  sheet: null,
  can: [],
  /** What this browser was called on the phone, after the user logged out. */
  farewell: null,
});

/** The two digits of the number, after a key. */
function typedAfter(typed, key) {
  if (key === "Backspace") return typed.slice(0, -1);
  return /^[0-9]$/.test(key) && typed.length < 2 ? typed + key : typed;
}

/** An attempt that ended after a phone had scanned: no other code before the user asks. What is known of the end depends on where it was. */
/** The first visit after a code that is of no more use; `asks`: the user is asked whether to show another. */
function burntPair(pair, { code, asks }) {
  // Its end is not the last word: the phone's is waited for.
  if (pair?.step === "unconfirmed") return pair;
  return asks ? { step: "ended", burnt: code, during: pair?.step, failures: (pair?.failures ?? 0) + 1 } : { step: "starting", burnt: code, failures: pair?.failures };
}

/** The state after an event. What it does not know it ignores. */
export function reduce(state, event) {
  const step = STEPS[event.event];
  if (!step) return state;
  const next = { ...state, ...step(state, event) };
  return next.link.offline && isFromPhone(event) ? { ...next, link: { ...next.link, offline: false } } : next;
}

/** What comes from the phone shows that there is a network, whatever the computer says. */
const isFromPhone = ({ event, message }) => ["phone", "present", "typing"].includes(event) || (event === "message" && Boolean(message.id) && message.author !== "");

const STEPS = {
  // Linking.
  code: (s, e) => ({ dead: null, pair: { ...fresh(s), step: "code", qr: e.qr, shownAt: e.at, shownFor: e.shown_for_s } }),
  check_code: (s, e) => ({ pair: { ...s.pair, step: "check", code: e.code } }),
  number_wanted: (s, e) => ({ pair: { ...s.pair, step: "number", typed: "", account: e.account } }),
  digit: (s, e) => ({ pair: { ...s.pair, typed: typedAfter(s.pair.typed ?? "", e.key) } }),
  number_sent: (s) => ({ pair: { ...s.pair, step: "finishing", typed: "" } }),
  code_burnt: (s, e) => ({ pair: burntPair(s.pair, e) }),
  unconfirmed: (s, e) => ({ pair: { step: "unconfirmed", ...pick(e, ["account", "until"]), failures: s.pair?.failures } }),
  relay_lost: (s) => (s.pair ? { pair: { ...s.pair, relayLost: true } } : {}),
  relay_found: (s) => (s.pair ? { pair: { ...s.pair, relayLost: false } } : {}),
  linked: (s, e) => ({ pair: null, dead: null, farewell: null, link: { ...s.link, ...pick(e, ["account", "companion", "label", "relay", "since"]) } }),

  // The link.
  link_state: (s, e) => ({ link: { ...s.link, state: e.state, stateAt: e.at, ...e.state === "live" && { outdated: null } }, dead: e.state === "live" && HEALS.has(s.dead) ? null : s.dead }),
  phone: (s, e) => ({ link: { ...s.link, ...pick(e, ["battery", "charging", "lastSeen"]) } }),
  network: (s, e) => ({ link: { ...s.link, offline: !e.isThere } }),
  full: (s) => ({ link: { ...s.link, full: true }, pair: s.pair && { step: "starting", burnt: "FULL" } }),
  room: (s) => ({ link: { ...s.link, full: false } }),
  contended: (s, e) => ({ link: { ...s.link, contended: e.times } }),
  put_back: (s, e) => ({ link: { ...s.link, putBack: e.who } }),
  put_back_seen: (s) => ({ link: { ...s.link, putBack: null } }),
  forgotten: (s) => ({ link: { ...s.link, forgotten: true } }),
  outdated: (s, e) => ({ link: { ...s.link, outdated: e.who } }),
  contended_seen: (s) => ({ link: { ...s.link, contended: 0 } }),
  replaced: () => ({ dead: "replaced" }),
  displaced: () => ({ dead: "displaced" }),
  taking_back: () => ({ dead: null }),
  suspended: () => ({ dead: "suspended" }),
  diverged: () => ({ dead: "diverged" }),
  revoked: () => ({ ...initial(), dead: "revoked" }),
  cleared: () => ({ ...initial(), dead: "cleared" }),
  not_paired: () => ({ ...initial(), dead: "cached" }),
  logged_out: (s, e) => ({ ...initial(), farewell: e.label }),
  unsupported: (s, e) => ({ dead: "unsupported", deadText: e.text }),
  broken: (s, e) => ({ dead: "broken", deadText: e.text }),
  can: (s, e) => ({ can: e.what }),
  devices: (s, e) => ({ devices: [...e.devices].sort((a, b) => b.seen_ms - a.seen_ms) }),

  // Chats and messages.
  chats: (s, e) => ({ chats: [...e.chats].sort((a, b) => b.last_time_ms - a.last_time_ms || a.chat - b.chat) }),
  page: (s, e) => ({ pages: { ...s.pages, [e.chat]: joined(s.pages[e.chat], e) } }),
  message: (s, e) => ({ ...withMessage(s, e.message), ...noted(s, e.message), ...(e.message.deleted ? unedited(s, e.message) : followed(s, e.message)) }),
  message_removed: (s, e) => ({
    ...onPage(s, e.chat, (all) => all.filter((one) => !isSame(one, e))),
    ...unedited(s, e),
    unsent: without(s.unsent, e.client_id),
  }),
  /** All that waits, of every chat, when the page is loaded. */
  unsent: (s, e) => ({ unsent: Object.fromEntries(e.messages.map((one) => [one.client_id, one])) }),
  lasts: (s, e) => ({ lasts: { ...s.lasts, ...Object.fromEntries(e.messages.map((one) => [one.chat, one])) } }),
  changes: (s, e) => ({ changes: e.changes }),
  loading: (s, e) => ({ pages: { ...s.pages, [e.chat]: { ...page(s, e.chat), loading: e.what } } }),
  typing: (s, e) => ({ typing: { ...s.typing, [e.chat]: e.who } }),
  present: (s, e) => ({ present: e.chats }),

  // Transfers, and what is here, by content.
  transfer: (s, e) => ({ transfers: { ...s.transfers, [e.content]: pick(e, ["direction", "offset", "size", "state", "code"]) } }),
  transfer_gone: (s, e) => ({ transfers: without(s.transfers, e.content) }),
  media: (s, e) => ({ media: { ...s.media, [e.content]: { ...s.media[e.content], ...pick(e, ["url", "thumbnail", "width", "height", "broken"]) } } }),

  // What the user did.
  open_chat: (s, e) => ({ open: e.chat, sheet: null, isAway: false }),
  close_chat: () => ({ open: null, isAway: false }),
  place: (s, e) => ({ isAway: e.isAway, below: e.isAway ? s.below : { ...s.below, [s.open]: 0 } }),
  filter: (s, e) => ({ filter: e.text }),
  draft: (s, e) => ({ drafts: { ...s.drafts, [e.chat]: e.text } }),
  reply_to: (s, e) => ({ replies: { ...s.replies, [e.chat]: e.message }, edits: without(s.edits, e.chat) }),
  edit: (s, e) => ({ edits: { ...s.edits, [e.message.chat]: { message: e.message, text: e.text ?? e.message.text } } }),
  edit_text: (s, e) => (s.edits[e.chat] ? { edits: { ...s.edits, [e.chat]: { ...s.edits[e.chat], text: e.text } } } : {}),
  edit_done: (s, e) => ({ edits: without(s.edits, e.chat) }),
  at: (s, e) => ({ at: e.message }),
  sheet: (s, e) => ({ sheet: e.what }),
  notice: (s, e) => ({ notice: e.text }),
};

/** Dead ends that are over when the phone talks to this page again. */
const HEALS = new Set(["displaced", "suspended", "diverged"]);

const pick = (from, names) => Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]));

const without = (from, name) => Object.fromEntries(Object.entries(from).filter(([key]) => key !== String(name)));

/** What a new code keeps of the one before: why that was given up by itself, and how many attempts in a row have failed. */
const fresh = (s) => {
  const kept = s.pair?.burnt && s.pair.step !== "ended" ? { burnt: s.pair.burnt } : { relayLost: s.pair?.relayLost };
  return { ...kept, failures: s.pair?.failures };
};

const page = (s, chat) => s.pages[chat] ?? { messages: [], more: true, newer: false };

const onPage = (s, chat, change) => ({ pages: { ...s.pages, [chat]: { ...page(s, chat), messages: change(page(s, chat).messages) } } });

/** The window of a chat with another stretch joined on: older ones in front, newer ones behind, or all anew. */
function joined(old, e) {
  const known = old && e.where !== "anew" ? old.messages : [];
  const fresh = e.messages.filter((one) => !known.some((other) => other.id === one.id));
  const all = e.where === "older" ? [...fresh, ...known] : [...known, ...fresh];
  const cut = e.where === "older" ? all.slice(0, WINDOW) : all.slice(-WINDOW);
  const dropped = all.length - cut.length;
  return {
    messages: cut,
    more: e.where === "newer" ? (old?.more ?? true) || dropped > 0 : e.more,
    newer: e.where === "older" ? (old?.newer ?? false) || dropped > 0 : e.newer ?? false,
    loading: null,
  };
}

/** Whether a message is the one that `name` names: by the phone's id, by the name that this page gave it, or by the one it had before. */
export const isSame = (one, name) =>
  (Boolean(name.id) && one.id === name.id) || (Boolean(one.client_id) && [name.client_id, name.replaces].includes(one.client_id));

/** Of a message that is gone nothing is left where the user was about to do something with it. */
function unedited(s, gone) {
  const { chat } = gone;
  const isGone = (message) => message && message.chat === chat && isSame(message, gone);
  return {
    edits: isGone(s.edits[chat]?.message) ? without(s.edits, chat) : s.edits,
    replies: isGone(s.replies[chat]) ? without(s.replies, chat) : s.replies,
    sheet: isGone(s.sheet?.picture) || isGone(s.sheet?.delete) ? null : s.sheet,
  };
}

/** The message that is being edited has another name now: the edit is of that. */
function followed(s, { chat, id, client_id, replaces }) {
  const edit = s.edits[chat];
  if (!edit || !isSame(edit.message, { id, client_id, replaces })) return {};
  return { edits: { ...s.edits, [chat]: { ...edit, message: { ...edit.message, id, client_id } } } };
}

/** What is known of a chat beside its window: what waits in it, its newest message, and how many came below what the user sees. */
function noted(s, message) {
  const { chat, id } = message;
  const waits = without(without(s.unsent, message.client_id), message.replaces);
  if (!id) return { unsent: { ...waits, [message.client_id]: message } };
  const newest = Math.max(s.lasts[chat]?.id ?? 0, page(s, chat).messages.findLast((one) => one.id)?.id ?? 0);
  const isBelow = s.isAway && s.open === chat && message.author !== "" && id > newest;
  return {
    unsent: waits,
    lasts: id >= (s.lasts[chat]?.id ?? 0) ? { ...s.lasts, [chat]: message } : s.lasts,
    below: isBelow ? { ...s.below, [chat]: (s.below[chat] ?? 0) + 1 } : s.below,
  };
}

/** A message that is new or changed. It replaces the one that waited under its `client_id`, or under the name it `replaces`. */
function withMessage(s, message) {
  const known = page(s, message.chat);
  const at = known.messages.findIndex((one) => isSame(one, message));
  // What the phone made of a message is not taken back by what is told late of its waiting.
  if (at >= 0 && known.messages[at].id && !message.id) return {};
  if (at >= 0) return onPage(s, message.chat, (all) => all.with(at, message));
  // What is beyond the window comes when that is moved there.
  const oldest = known.messages.find((one) => one.id)?.id;
  if (known.newer || (known.more && message.id && message.id < oldest)) return {};
  return onPage(s, message.chat, (all) => [...all, message].sort(order).slice(-WINDOW));
}

/** By the phone's ids; what still waits for one comes last. */
const order = (a, b) => (a.id ?? Infinity) - (b.id ?? Infinity) || 0;

/** Whether a chat's contact is there, as the phone says while it is connected. */
export const isPresent = (state, chat) => state.link.state === "live" && state.present.includes(chat);

/** The chats that the filter leaves, by title and last message. */
export function shownChats(state) {
  const wanted = state.filter.trim().toLocaleLowerCase();
  if (!wanted) return state.chats;
  return state.chats.filter((chat) => `${chat.title}\n${chat.last_text}`.toLocaleLowerCase().includes(wanted));
}
