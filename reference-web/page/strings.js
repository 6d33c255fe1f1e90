// The texts of the page for its states and errors, in one place so that the wording is the same everywhere.

/** The reasons why a code was given up, by error code. */
const BURNT = {
  CODE_EXPIRED: "Nobody answered in time.",
  TIMEOUT: "The phone did not answer in time.",
  CHECK_CODE_WRONG: "Wrong digits were typed on the phone.",
  REFUSED: "The phone declined this device.",
  NOT_CONFIRMED: "The number was not the phone's, or you stopped.",
  HANDSHAKE_FAILED: "What came from the phone does not fit this code. Somebody may have come between.",
  CANCELLED: "Linking was stopped on the phone.",
  PEER_GONE: "The phone went away.",
  CODE_TAKEN: "Another phone holds this code. If that was not you, check who can see your screen.",
  FULL: "This browser has no room left to keep the link. Free some space on this computer first.",
  NO_COMMON_VERSION: "The phone speaks another version of Handfast. Update its app, then reload this page.",
  RELAY_NAME_MISMATCH: "The relay calls itself by another name than this page knows it by. Tell whoever serves this page.",
};

/** Why a phone left before it agreed to link. Until then it cannot send an error code. */
const LEFT_AT_CHECK = "Your phone ended it: wrong digits were typed there, somebody said no, or it lost its connection.";

/** Returns why an attempt to link ended, by error code and the step at which it ended. */
export const pairingEnded = (code, during) => (code === "PEER_GONE" && during === "check" ? LEFT_AT_CHECK : codeBurnt(code));

export const codeBurnt = (code) => BURNT[code] ?? `Linking did not work (${code}).`;

/** Returns a remaining time in words, from milliseconds. */
export function waitLeft(left) {
  const minutes = Math.max(1, Math.ceil(left / 60_000));
  if (minutes > 90) return `${Math.ceil(minutes / 60)} hours`;
  return minutes === 1 ? "one minute" : `${minutes} minutes`;
}

/**
 * Bidirectional control characters that affect all text after them. Writing Hebrew or Arabic needs none of
 * them.
 */
const TURNERS = /[\u202A-\u202E\u2066-\u2069\u200E\u200F\u061C]/gu;

/**
 * Removes bidirectional control characters from a contact's text that is shown in one line, because they
 * could disguise a file name in that line.
 */
export const isolated = (text) => text.replace(TURNERS, "");

/** Returns the banner for the state of the link. The banner's `tone` is `off`, `wait` or `good`. */
export function linkState(link, now) {
  if (link.full) {
    return { tone: "off", title: "No room left", text: "This browser cannot keep anything more. Free some space on this computer: the page goes on by itself. Your phone keeps everything." };
  }
  if (link.forgotten) {
    return { tone: "off", title: "Link this browser again", text: "It was put back to an earlier state, too far to go on: its profile was restored or copied. What waits in your chats may have been sent, and stays here. Copy what you need, then log out under linked devices and link again." };
  }
  if (link.outdated) return { tone: "off", ...OUTDATED[link.outdated] };
  if (link.offline) {
    return { tone: "off", title: "This computer is offline", text: "What you write is kept here, and goes out when there is a network again." };
  }
  switch (link.state) {
    case "relay_down":
      return { tone: "off", title: "No connection", text: "This computer cannot reach the relay, or the relay lets no pages of this address connect any more. Trying again." };
    case "peer_absent":
      return { tone: "off", title: "Phone not reachable", text: seen(link, now, "Make sure that your phone has a connection.") };
    case "waking":
      return { tone: "wait", title: "Waking your phone", text: "This can take a few seconds." };
    case "peer_silent":
      return { tone: "wait", title: "Waiting for your phone", text: seen(link, now, "It is there, but has not answered yet.") };
    case "live":
      return { tone: "good", title: "Connected to your phone", text: battery(link) };
    default:
      return { tone: "wait", title: "Connecting", text: "" };
  }
}

const OUTDATED = {
  phone: { title: "Your phone's app is too old", text: "Update it. What you write waits here, and nothing is lost." },
  page: { title: "This page is too old for your phone", text: "Load it again. What you write waits here, and nothing is lost." },
};

const PUT_BACK = {
  companion: { title: "This browser was put back to an earlier state", text: "Its profile was restored from a backup, or copied, and both copies ran. No text is sent twice. If you did neither, remove this device on your phone." },
  phone: { title: "Your phone was put back to an earlier state", text: "It was restored from a backup, or copied, and both copies ran. What it had only since then may be missing there." },
};

/**
 * Returns the text for the user when a side was restored from a copy. The side `companion` is this browser.
 */
export const putBack = (who) => PUT_BACK[who];

const seen = (link, now, text) => (link.lastSeen ? `Last seen ${when(link.lastSeen, now)}. ${text}` : text);

function battery(link) {
  if (link.battery === undefined) return "";
  return `Phone battery ${link.battery} %${link.charging ? ", charging" : ""}`;
}

/** Returns the icon and the text for a message's state of delivery. */
export function messageState(message) {
  switch (message.state) {
    case "waiting": return { icon: "waiting", text: "Waiting for your phone" };
    case "accepted": return { icon: "waiting", text: "On your phone, not sent yet" };
    case "sent": return { icon: "sent", text: "Sent" };
    case "delivered": return { icon: "delivered", text: "Delivered" };
    case "read": return { icon: "delivered", text: "Read" };
    case "failed": return { icon: "failed", text: message.error ?? "Not sent" };
    default: return null;
  }
}

const CHANGE_FAILED = { edit: "This was not edited.", delete: "This was not deleted.", react: "Your reaction was not taken." };
const CHANGE_REASONS = {
  GONE: "Your phone does not have the message any more.",
  REFUSED: "Your phone does not allow it.",
  LIMIT: "The message has as many reactions as it can have.",
};

/** Returns the text that tells why a change of a message failed. */
export const changeFailed = ({ kind, code }) => `${CHANGE_FAILED[kind]} ${CHANGE_REASONS[code] ?? `Your phone refused it (${code}).`}`;

/** Returns the authors of a reaction, in one line. */
export const names = (authors) => authors.map((author) => author || "you").join(", ");

/** Returns the state of a linked device, in words. */
export function deviceState({ status, seen_ms: seen }, isThis, now) {
  if (isThis) return "this browser";
  if (status === "suspended") return "paused on your phone";
  if (status === "pending") return "not confirmed yet";
  return seen > 0 ? `last seen ${when(seen, now)}` : "never connected";
}

/** The screens of dead ends, each with the action of its button. */
export const DEAD_ENDS = {
  replaced: {
    icon: "device", title: "Handfast is open in another tab or window",
    text: "Only one can be connected at a time. Nothing is lost.", action: "Use it here", verb: "takeOver",
  },
  displaced: {
    icon: "warn", title: "Another browser took this place",
    text: "A browser with the keys of this device is connected in place of this one. If you did not copy this browser yourself, remove this device on your phone.",
    action: "Use it here", verb: "takeOver",
  },
  suspended: {
    icon: "pause", title: "Your phone has paused this device",
    text: "Your phone does not talk to it for now. What you have here stays, and this page goes on by itself when your phone allows it again. To go on at once, link this device again.",
    action: "Link this device again", verb: "logOut",
  },
  diverged: {
    icon: "warn", title: "A copy of this device was seen",
    text: "Two browsers hold the keys of this link: it was copied or restored, or this computer crashed. To be safe, "
      + "your phone talks to neither. If you did not copy it yourself, remove this device on your phone.",
    action: "Link this device again", verb: "logOut",
  },
  revoked: {
    icon: "link", title: "This device is no longer linked",
    text: "It was removed on your phone. Its keys and messages are deleted here.", action: "Link again", verb: "startAnew",
  },
  cleared: {
    icon: "warn", title: "The link to your phone is lost",
    text: "The data of this page were cleared in this browser, and with them the keys and all that it held. Your phone keeps everything. "
      + "On it, under linked devices, remove this browser, then link it again.", action: "Link again", verb: "startAnew",
  },
  cached: {
    icon: "warn", title: "There is no network",
    text: "This browser is not linked, and this page comes from what the browser had kept of it. To link a phone it has to be loaded again.", action: "Reload", verb: "reload",
  },
  unsupported: { icon: "warn", title: "This browser cannot run Handfast", text: "" },
  broken: {
    icon: "warn", title: "Handfast has stopped",
    text: "Nothing that was confirmed is lost.", action: "Reload", verb: "reload",
  },
};

const TIME = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const WEEKDAY = new Intl.DateTimeFormat(undefined, { weekday: "long" });
const DATE = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const SHORT = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

export const time = (ms) => TIME.format(ms);

const dayNumber = (ms) => Math.floor((ms - new Date(ms).getTimezoneOffset() * 60_000) / 86_400_000);

/** Returns the heading over the messages of a day. */
export function day(ms, now = Date.now()) {
  const ago = dayNumber(now) - dayNumber(ms);
  if (ago === 0) return "Today";
  if (ago === 1) return "Yesterday";
  return ago > 1 && ago < 7 ? WEEKDAY.format(ms) : DATE.format(ms);
}

/** Returns a short time: the time of day for today, or else the day. */
export function when(ms, now = Date.now()) {
  const ago = dayNumber(now) - dayNumber(ms);
  if (ago === 0) return time(ms);
  if (ago === 1) return "yesterday";
  return ago > 1 && ago < 7 ? WEEKDAY.format(ms) : SHORT.format(ms);
}

export const sameDay = (a, b) => dayNumber(a) === dayNumber(b);

/** Returns a size in bytes as text with a decimal unit. */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB"];
  let value = bytes;
  let unit = -1;
  while (value >= 999.5 && unit < 2) { value /= 1000; unit += 1; }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

const BROWSERS = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chromium/", "Chromium"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]];
const SYSTEMS = [["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS", "Mac"], ["CrOS", "ChromeOS"], ["Linux", "Linux"]];

/** Returns this browser's name for the phone: browser and system only, so that it is no fingerprint. */
export function describe({ userAgent }) {
  const of = (table) => table.find(([mark]) => userAgent.includes(mark))?.[1];
  return [of(BROWSERS) ?? "Browser", of(SYSTEMS)].filter(Boolean).join(" on ");
}
