// Texts of others in the page: where one line stands for a message, and where addresses become links.

import { h } from "../dom.js";
import { shownName } from "../media_types.js";
import { isolated } from "../strings.js";

/** A message in one line: its text, or the name of its file. */
export function preview({ text, media }) {
  return h("bdi", {}, text ? isolated(text) : shownName(media?.name ?? ""));
}

/** Names of hosts that are written without anything in front of them, by their endings: names of files look alike. */
const BARE = "com|org|net|edu|gov|int|info|io|eu|ch|de|at|fr|it|es|nl|uk|ie|se|no|dk|fi|pl|pt|jp|in|br|ca|au";
/** Letters that an address may have: none that is not seen, or turns the direction of what stands beside it. */
const LETTER = "[^\\s<>\"'\\u{60}\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]";
const ADDRESS = new RegExp(
  `\\b(?:https?://|mailto:)${LETTER}+|(?<![\\p{L}\\p{N}@./:_-])(?:www\\.[\\p{L}\\p{N}-]+\\.${LETTER}+|(?:[a-z0-9-]+\\.)+(?:${BARE})(?:/${LETTER}*|(?![\\p{L}\\p{N}@.-]))`
  + `|[\\w.+-]+@(?:[a-z0-9-]+\\.)+[a-z]{2,})|(?<![\\p{L}\\p{N}+])\\+[1-9](?:[ \\u{a0}\\u{202f}./()-]{0,2}\\d){7,14}(?![\\p{L}\\p{N}@])`, "giu",
);

/**
 * The text, with addresses of web pages and mail as links, and telephone numbers that begin with their country: other digits may be a date
 * or a price. Nothing else becomes one. A link that leads to another host than its letters seem to say, since they are of several scripts
 * or stand in front of an @, has the name of that host behind it.
 */
export function linked(text) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(ADDRESS)) {
    const address = found[0].replace(/[.,:;!?)\]}]+$/u, "");
    const url = parsed(address);
    if (!url) continue;
    parts.push(text.slice(at, found.index));
    const leads = elsewhere(address, url);
    parts.push(h("a", { href: url.href, target: "_blank", rel: "noopener noreferrer" }, h("bdi", {}, address), leads && h("span", { class: "leads" }, " (leads to ", h("bdi", {}, leads), ")")));
    at = found.index + address.length;
  }
  parts.push(text.slice(at));
  return parts.filter((part) => part !== "");
}

function parsed(address) {
  try {
    const url = new URL(full(address));
    return ["http:", "https:", "mailto:", "tel:"].includes(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

/** An address with what is left out when it is written for people: its scheme, and of numbers all but the digits that are dialled. */
function full(address) {
  if (/^(?:https?:|mailto:)/iu.test(address)) return address;
  if (/^[^/]*@/u.test(address)) return `mailto:${address}`;
  return address.startsWith("+") ? `tel:${address.replace("(0)", "").replace(/[^+\d]/gu, "")}` : `https://${address}`;
}

/** Where a link leads, unless it begins with just that. */
function elsewhere(address, { protocol, host }) {
  if (protocol === "mailto:" || protocol === "tel:") return null;
  const rest = address.replace(/^https?:\/\//iu, "").toLowerCase();
  const name = rest.slice(0, host.length);
  const behind = rest.slice(host.length).replace(/^:\d*/u, "");
  return name === host && /^(?:[/?#]|$)/u.test(behind) ? null : host;
}
