// The state of the page as a pure function of events from the engine and the user: `reduce(state, event)`. It
// reads neither the document nor a clock: an event that needs the time contains it as `at`, in milliseconds
// since 1970.

/**
 * How many messages of a chat are loaded at most. Older and newer ones are loaded again when the user
 * scrolls.
 */
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
  /** By chat, the edit in progress: the message, and the text typed so far. */
  edits: {},
  at: null,
  /**
   * Whether the user has scrolled up in the open chat; and by chat, how many messages have arrived below
   * since then.
   */
  isAway: false,
  below: {},
  /** The waiting and refused messages by `client_id`; and by chat the newest message. */
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
  /** The name under which the phone lists this browser. It is set after the user logged out. */
  farewell: null,
});

/** Returns the digits typed so far, at most two, after one more key was pressed. */
function typedAfter(typed, key) {
  if (key === "Backspace") return typed.slice(0, -1);
  return /^[0-9]$/.test(key) && typed.length < 2 ? typed + key : typed;
}

/**
 * Returns the state of pairing after a code was given up. If a phone had scanned it (`asks`), no new code is
 * shown until the user asks for one. What is known of the failure depends on the pairing's step.
 */
function burntPair(pair, { code, asks }) {
  // The phone may have made the link, so the page waits for the phone's confirmation.
  if (pair?.step === "unconfirmed") return pair;
  return asks ? { step: "ended", burnt: code, during: pair?.step, failures: (pair?.failures ?? 0) + 1 } : { step: "starting", burnt: code, failures: pair?.failures };
}

/** Returns the state after an event. Unknown events are ignored. */
export function reduce(state, event) {
  const step = STEPS[event.event];
  if (!step) return state;
  const next = { ...state, ...step(state, event) };
  return next.link.offline && isFromPhone(event) ? { ...next, link: { ...next.link, offline: false } } : next;
}

/**
 * Returns whether an event comes from the phone. Such an event proves that there is a network, whatever the
 * browser reports.
 */
const isFromPhone = ({ event, message }) => ["phone", "present", "typing"].includes(event) || (event === "message" && Boolean(message.id) && message.author !== "");

const STEPS = {
  // From here on: events about pairing.
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

  // From here on: events about the link.
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

  // From here on: events about chats and messages.
  chats: (s, e) => ({ chats: [...e.chats].sort((a, b) => b.last_time_ms - a.last_time_ms || a.chat - b.chat) }),
  page: (s, e) => ({ pages: { ...s.pages, [e.chat]: joined(s.pages[e.chat], e) } }),
  message: (s, e) => ({ ...withMessage(s, e.message), ...noted(s, e.message), ...(e.message.deleted ? unedited(s, e.message) : followed(s, e.message)) }),
  message_removed: (s, e) => ({
    ...onPage(s, e.chat, (all) => all.filter((one) => !isSame(one, e))),
    ...unedited(s, e),
    unsent: without(s.unsent, e.client_id),
  }),
  /** Replaces the waiting messages of all chats, when the page is loaded. */
  unsent: (s, e) => ({ unsent: Object.fromEntries(e.messages.map((one) => [one.client_id, one])) }),
  lasts: (s, e) => ({ lasts: { ...s.lasts, ...Object.fromEntries(e.messages.map((one) => [one.chat, one])) } }),
  changes: (s, e) => ({ changes: e.changes }),
  loading: (s, e) => ({ pages: { ...s.pages, [e.chat]: { ...page(s, e.chat), loading: e.what } } }),
  typing: (s, e) => ({ typing: { ...s.typing, [e.chat]: e.who } }),
  present: (s, e) => ({ present: e.chats }),

  // From here on: events about transfers and stored media, by content id.
  transfer: (s, e) => ({ transfers: { ...s.transfers, [e.content]: pick(e, ["direction", "offset", "size", "state", "code"]) } }),
  transfer_gone: (s, e) => ({ transfers: without(s.transfers, e.content) }),
  media: (s, e) => ({ media: { ...s.media, [e.content]: { ...s.media[e.content], ...pick(e, ["url", "thumbnail", "width", "height", "broken"]) } } }),

  // From here on: events from the user.
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

/** The dead ends that are over when the page is connected to the phone again. */
const HEALS = new Set(["displaced", "suspended", "diverged"]);

const pick = (from, names) => Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]));

const without = (from, name) => Object.fromEntries(Object.entries(from).filter(([key]) => key !== String(name)));

/**
 * Returns what stays of the pairing's state when a new code is shown: why the last code was given up, and the
 * number of failed attempts in a row.
 */
const fresh = (s) => {
  const kept = s.pair?.burnt && s.pair.step !== "ended" ? { burnt: s.pair.burnt } : { relayLost: s.pair?.relayLost };
  return { ...kept, failures: s.pair?.failures };
};

const page = (s, chat) => s.pages[chat] ?? { messages: [], more: true, newer: false };

const onPage = (s, chat, change) => ({ pages: { ...s.pages, [chat]: { ...page(s, chat), messages: change(page(s, chat).messages) } } });

/**
 * Adds messages to the loaded messages of a chat: older ones in front, newer ones behind. With `anew` they
 * replace the loaded ones.
 */
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

/**
 * Returns whether `name` identifies a message: by the phone's id, or by its current or former `client_id`.
 */
export const isSame = (one, name) =>
  (Boolean(name.id) && one.id === name.id) || (Boolean(one.client_id) && [name.client_id, name.replaces].includes(one.client_id));

/** Ends the edit, the reply and the dialog that refer to a message which was deleted. */
function unedited(s, gone) {
  const { chat } = gone;
  const isGone = (message) => message && message.chat === chat && isSame(message, gone);
  return {
    edits: isGone(s.edits[chat]?.message) ? without(s.edits, chat) : s.edits,
    replies: isGone(s.replies[chat]) ? without(s.replies, chat) : s.replies,
    sheet: isGone(s.sheet?.picture) || isGone(s.sheet?.delete) ? null : s.sheet,
  };
}

/** Keeps an edit in progress when its message gets the phone's id, or another `client_id`. */
function followed(s, { chat, id, client_id, replaces }) {
  const edit = s.edits[chat];
  if (!edit || !isSame(edit.message, { id, client_id, replaces })) return {};
  return { edits: { ...s.edits, [chat]: { ...edit, message: { ...edit.message, id, client_id } } } };
}

/**
 * Updates what is known of a chat besides its loaded messages: the waiting messages, the newest one, and the
 * number of new ones below the visible part.
 */
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

/**
 * Adds or replaces a message. A message with an id replaces the waiting one of the same `client_id`, or of
 * the one in `replaces`.
 */
function withMessage(s, message) {
  const known = page(s, message.chat);
  const at = known.messages.findIndex((one) => isSame(one, message));
  // An event about the waiting message may be late: it must not replace the message that the phone has made
  // of it.
  if (at >= 0 && known.messages[at].id && !message.id) return {};
  if (at >= 0) return onPage(s, message.chat, (all) => all.with(at, message));
  // A message outside the loaded range is not added: it is loaded when the user scrolls there.
  const oldest = known.messages.find((one) => one.id)?.id;
  if (known.newer || (known.more && message.id && message.id < oldest)) return {};
  return onPage(s, message.chat, (all) => [...all, message].sort(order).slice(-WINDOW));
}

/** Sorts by the phone's ids; messages without one come last. */
const order = (a, b) => (a.id ?? Infinity) - (b.id ?? Infinity) || 0;

/** Returns whether the contact of a chat is online. That is known only while the phone is connected. */
export const isPresent = (state, chat) => state.link.state === "live" && state.present.includes(chat);

/** Returns the chats whose title or last message contains the text in the search field. */
export function shownChats(state) {
  const wanted = state.filter.trim().toLocaleLowerCase();
  if (!wanted) return state.chats;
  return state.chats.filter((chat) => `${chat.title}\n${chat.last_text}`.toLocaleLowerCase().includes(wanted));
}
