// Texts of contacts in the page: a message in one line, and links in a text.

import { h } from "../dom.js";
import { shownName } from "../media_types.js";
import { isolated } from "../strings.js";

/** Describes a message in one line: its text, or the name of its file. */
export function preview({ text, media }) {
  return h("bdi", {}, text ? isolated(text) : shownName(media?.name ?? ""));
}

/**
 * The top-level domains of host names that become links without a scheme. Names under other domains look like
 * file names.
 */
const BARE = "com|org|net|edu|gov|int|info|io|eu|ch|de|at|fr|it|es|nl|uk|ie|se|no|dk|fi|pl|pt|jp|in|br|ca|au";
/** The characters that a URL may contain: none that is invisible or changes the direction of writing. */
const LETTER = "[^\\s<>\"'\\u{60}\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]";
const ADDRESS = new RegExp(
  `\\b(?:https?://|mailto:)${LETTER}+|(?<![\\p{L}\\p{N}@./:_-])(?:www\\.[\\p{L}\\p{N}-]+\\.${LETTER}+|(?:[a-z0-9-]+\\.)+(?:${BARE})(?:/${LETTER}*|(?![\\p{L}\\p{N}@.-]))`
  + `|[\\w.+-]+@(?:[a-z0-9-]+\\.)+[a-z]{2,})|(?<![\\p{L}\\p{N}+])\\+[1-9](?:[ \\u{a0}\\u{202f}./()-]{0,2}\\d){7,14}(?![\\p{L}\\p{N}@])`, "giu",
);

/**
 * Describes a text with links: URLs of web pages, mail addresses, and telephone numbers with a country code,
 * because other digits may be a date or a price. If the host of a link is not what its letters seem to say,
 * as with mixed scripts or an @ sign, the host is written behind the link.
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

/**
 * Completes the address of a link: adds the scheme that people leave out, and reduces a telephone number to
 * the digits to dial.
 */
function full(address) {
  if (/^(?:https?:|mailto:)/iu.test(address)) return address;
  if (/^[^/]*@/u.test(address)) return `mailto:${address}`;
  return address.startsWith("+") ? `tel:${address.replace("(0)", "").replace(/[^+\d]/gu, "")}` : `https://${address}`;
}

/** Returns the host of a link, unless the link's text begins with exactly that host. */
function elsewhere(address, { protocol, host }) {
  if (protocol === "mailto:" || protocol === "tel:") return null;
  const rest = address.replace(/^https?:\/\//iu, "").toLowerCase();
  const name = rest.slice(0, host.length);
  const behind = rest.slice(host.length).replace(/^:\d*/u, "");
  return name === host && /^(?:[/?#]|$)/u.test(behind) ? null : host;
}
