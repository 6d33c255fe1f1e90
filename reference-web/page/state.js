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
  editing: null,
  at: null,
  typing: {},
  present: [],
  changes: [],
  transfers: {},
  media: {},
  devices: [],
  notice: null,
  sheet: null,
  can: [],
});

/** The state after an event. What it does not know it ignores. */
export function reduce(state, event) {
  const step = STEPS[event.event];
  return step ? { ...state, ...step(state, event) } : state;
}

const STEPS = {
  // Linking.
  code: (s, e) => ({ dead: null, pair: { ...fresh(s), step: "code", qr: e.qr, shownAt: e.at, shownFor: e.shown_for_s } }),
  check_code: (s, e) => ({ pair: { ...s.pair, step: "check", code: e.code } }),
  confirm_nn: (s, e) => ({ pair: { ...s.pair, step: "nn", nn: e.nn, account: e.account } }),
  nn_answered: (s, e) => ({ pair: { ...s.pair, step: e.yes ? "finishing" : "declined" } }),
  code_burnt: (s, e) => ({ pair: { step: "starting", burnt: e.code } }),
  relay_lost: (s) => (s.pair ? { pair: { ...s.pair, relayLost: true } } : {}),
  relay_found: (s) => (s.pair ? { pair: { ...s.pair, relayLost: false } } : {}),
  linked: (s, e) => ({ pair: null, dead: null, link: { ...s.link, ...pick(e, ["account", "companion", "label", "relay", "since"]) } }),

  // The link.
  link_state: (s, e) => ({ link: { ...s.link, state: e.state, stateAt: e.at }, dead: e.state === "live" && HEALS.has(s.dead) ? null : s.dead }),
  phone: (s, e) => ({ link: { ...s.link, ...pick(e, ["battery", "charging", "lastSeen"]) } }),
  full: (s) => ({ link: { ...s.link, full: true }, pair: s.pair && { step: "starting", burnt: "FULL" } }),
  room: (s) => ({ link: { ...s.link, full: false } }),
  contended: (s, e) => ({ link: { ...s.link, contended: e.times } }),
  contended_seen: (s) => ({ link: { ...s.link, contended: 0 } }),
  replaced: () => ({ dead: "replaced" }),
  displaced: () => ({ dead: "displaced" }),
  taking_back: () => ({ dead: null }),
  suspended: () => ({ dead: "suspended" }),
  diverged: () => ({ dead: "diverged" }),
  revoked: () => ({ ...initial(), dead: "revoked" }),
  unsupported: (s, e) => ({ dead: "unsupported", deadText: e.text }),
  broken: (s, e) => ({ dead: "broken", deadText: e.text }),
  can: (s, e) => ({ can: e.what }),
  devices: (s, e) => ({ devices: [...e.devices].sort((a, b) => b.seen_ms - a.seen_ms) }),

  // Chats and messages.
  chats: (s, e) => ({ chats: [...e.chats].sort((a, b) => b.last_time_ms - a.last_time_ms || a.chat - b.chat) }),
  page: (s, e) => ({ pages: { ...s.pages, [e.chat]: joined(s.pages[e.chat], e) } }),
  message: (s, e) => withMessage(s, e.message),
  message_removed: (s, e) => ({
    ...onPage(s, e.chat, (all) => all.filter((one) => (e.client_id ? one.client_id !== e.client_id : one.id !== e.id))),
    editing: e.id && s.editing?.message.chat === e.chat && s.editing.message.id === e.id ? null : s.editing,
  }),
  changes: (s, e) => ({ changes: e.changes }),
  loading: (s, e) => ({ pages: { ...s.pages, [e.chat]: { ...page(s, e.chat), loading: e.what } } }),
  typing: (s, e) => ({ typing: { ...s.typing, [e.chat]: e.who } }),
  present: (s, e) => ({ present: e.chats }),

  // Transfers, and what is here, by content.
  transfer: (s, e) => ({ transfers: { ...s.transfers, [e.content]: pick(e, ["direction", "offset", "size", "state", "code"]) } }),
  transfer_gone: (s, e) => ({ transfers: without(s.transfers, e.content) }),
  media: (s, e) => ({ media: { ...s.media, [e.content]: { ...s.media[e.content], ...pick(e, ["url", "thumbnail", "width", "height", "broken"]) } } }),

  // What the user did.
  open_chat: (s, e) => ({ open: e.chat, editing: null, sheet: null }),
  close_chat: () => ({ open: null, editing: null }),
  filter: (s, e) => ({ filter: e.text }),
  draft: (s, e) => ({ drafts: { ...s.drafts, [e.chat]: e.text } }),
  reply_to: (s, e) => ({ replies: { ...s.replies, [e.chat]: e.message }, editing: null }),
  edit: (s, e) => ({ editing: { message: e.message, text: e.text ?? e.message.text } }),
  edit_text: (s, e) => (s.editing ? { editing: { ...s.editing, text: e.text } } : {}),
  edit_done: () => ({ editing: null }),
  at: (s, e) => ({ at: e.message }),
  sheet: (s, e) => ({ sheet: e.what }),
  notice: (s, e) => ({ notice: e.text }),
};

/** Dead ends that are over when the phone talks to this page again. */
const HEALS = new Set(["displaced", "suspended", "diverged"]);

const pick = (from, names) => Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]));

const without = (from, name) => Object.fromEntries(Object.entries(from).filter(([key]) => key !== name));

const fresh = (s) => (s.pair?.burnt ? { burnt: s.pair.burnt } : { relayLost: s.pair?.relayLost });

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

/** A message that is new or changed. It replaces the one that waited under its `client_id`, or under the name it `replaces`. */
function withMessage(s, message) {
  const known = page(s, message.chat);
  const isSame = (one) => (message.id !== null && one.id === message.id) || (one.client_id && [message.client_id, message.replaces].includes(one.client_id));
  const at = known.messages.findIndex(isSame);
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
