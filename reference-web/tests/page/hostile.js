// Shows 500 hostile texts in seven places each, in the real views, and looks whether any of them became more than text. What it found
// stands in `document.documentElement.dataset.found`, as JSON.

import { render } from "/page/dom.js";
import { shownName } from "/page/media_types.js";
import { initial, reduce } from "/page/state.js";
import { pageView } from "/page/views/frame.js";
import { isolated } from "/page/strings.js";

const PAYLOADS = [
  "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "<iframe src=javascript:alert(1)>", "<body onload=alert(1)>",
  "<a href=javascript:alert(1)>x</a>", "<base href=//evil.example>", "<meta http-equiv=refresh content=0;url=//evil.example>", "<object data=//evil.example>", "<embed src=//evil.example>",
  "<form action=//evil.example><button>x</button></form>", "<style>*{display:none}</style>", "<link rel=stylesheet href=//evil.example>", "<math><mi xlink:href=javascript:alert(1)>", "<video src=x onerror=alert(1)>",
  "<details open ontoggle=alert(1)>", "<input autofocus onfocus=alert(1)>", "<template><script>alert(1)</script></template>", "<!--><script>alert(1)</script>", "]]><script>alert(1)</script>",
  "\"><script>alert(1)</script>", "' onmouseover='alert(1)", "\" onfocus=\"alert(1)\" autofocus=\"", "`onload=alert(1)`", "</textarea><script>alert(1)</script>",
  "</title><script>alert(1)</script>", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "data:text/html,<script>alert(1)</script>",
  "vbscript:msgbox(1)", "blob:https://evil.example/1", "filesystem:https://evil.example/1", "view-source:javascript:alert(1)", "intent://evil.example#Intent;end",
  "https://user:password@evil.example/", "https://evil.example/\"onclick=alert(1)", "https://evil.example/'><img src=x onerror=alert(1)>", "mailto:a@evil.example?body=<script>alert(1)</script>", "https://xn--pple-43d.example/",
  "{{constructor.constructor('alert(1)')()}}", "${alert(1)}", "<%= alert(1) %>", "__proto__", "constructor",
  "\u202Egnp.exe", "\u2066\u2067\u2068 abc \u2069", "\u0000\u0001\u001B[31m\u0007", "\uD800 \uDFFF", "a\u0300".repeat(200),
];

const WRAPPERS = [
  (text) => text, (text) => text.toUpperCase(), (text) => `"'>${text}`, (text) => `${text}\u0000${text}`, (text) => text.replaceAll("<", "&lt;").replaceAll("\"", "&quot;"),
  (text) => encodeURIComponent(text.toWellFormed()), (text) => `\u202E${text}`, (text) => `https://example.org/?q=${text}`, (text) => `\n\r\t${text}\n`, (text) => `${text}.svg`,
];

const TEXTS = WRAPPERS.flatMap((wrap, at) => PAYLOADS.map((payload, index) => `${at}-${index} ${wrap(payload)}`));
const BATCH = 50;
const NOW = Date.UTC(2026, 4, 20, 15, 42);

const faults = [];
let shown = 0;
for (const name of ["alert", "confirm", "prompt", "print", "open"]) window[name] = () => { faults.push(`${name} was called`); };
document.addEventListener("securitypolicyviolation", (event) => faults.push(`the policy was violated: ${event.violatedDirective} ${event.blockedURI}`));
window.addEventListener("error", (event) => faults.push(`an error: ${event.message}`), true);

function messages(texts) {
  return texts.map((text, index) => ({
    chat: 1, id: index + 1, author: "Mallory", time_ms: NOW - index, text, state: "failed", error: "Not sent", reactions: [{ author: text, reaction: text }], reply: { author: text, text },
    media: { content: `c${index}`, type: "application/pdf", name: text, size: 1 },
  }));
}

function stateOf(texts) {
  return [
    { event: "linked", account: texts[0], label: texts[1], relay: texts[2], since: NOW },
    { event: "can", what: ["media"] },
    { event: "chats", chats: texts.map((text, index) => ({ chat: index + 1, title: text, last_text: text, last_time_ms: NOW - index, unread: 1 })) },
    { event: "open_chat", chat: 1 },
    { event: "page", chat: 1, where: "anew", more: false, messages: messages(texts) },
    { event: "devices", devices: texts.map((text, index) => ({ companion: `d${index}`, serial: index, label: text, linked_ms: NOW, seen_ms: NOW - index, status: "active" })) },
    { event: "draft", chat: 1, text: texts[3] },
    { event: "notice", text: texts[4] },
    { event: "sheet", what: "devices" },
  ].reduce(reduce, initial());
}

/** What a node shows, without what the page says of a link. */
function shownIn(node) {
  const copy = node.cloneNode(true);
  for (const said of copy.querySelectorAll(".leads")) said.remove();
  return copy.textContent;
}

/** `as`: how a text is shown there, without what turns the direction of a line. */
function look(place, nodes, texts, as = (text) => text) {
  const all = nodes.map(shownIn);
  texts.map(as).forEach((text, index) => {
    if (all[index] === text) shown += 1;
    else faults.push(`${place}: ${JSON.stringify(text)} is shown as ${JSON.stringify(all[index])}`);
  });
}

const every = (selector) => [...document.querySelectorAll(selector)];

function audit() {
  for (const node of every("#page script, #page iframe, #page object, #page embed, #page base, #page meta, #page link, #page style, #page math, #page template")) faults.push(`an element: ${node.outerHTML.slice(0, 60)}`);
  for (const node of every("#page *")) {
    for (const { name, value } of node.attributes) {
      if (name.startsWith("on")) faults.push(`an attribute: ${name}=${value}`);
      if (["href", "src", "action", "formaction", "data", "srcdoc"].includes(name)) faults.push(...badAddress(node, name, value));
    }
  }
}

function badAddress(node, name, value) {
  if (node.tagName === "A" && name === "href" && value === "#main") return [];
  const isLink = node.tagName === "A" && name === "href" && (["http:", "https:", "mailto:"].includes(node.protocol) || /^tel:\+\d+$/u.test(value));
  return isLink && node.rel.includes("noopener") && node.target === "_blank" ? [] : [`an address: ${node.tagName} ${name}=${value}`];
}

for (let from = 0; from < TEXTS.length; from += BATCH) {
  const texts = TEXTS.slice(from, from + BATCH);
  render(document.getElementById("page"), pageView(stateOf(texts), NOW, () => {}));
  look("text", every("article > .text"), texts);
  look("quote", every("blockquote p"), texts, isolated);
  look("preview", every(".chat-last bdi"), texts, isolated);
  look("reaction", every(".reaction"), texts);
  look("file name", every(".file-name"), texts, shownName);
  look("device name", every(".device bdi"), texts);
  look("chat title", every(".chat-title"), texts);
  audit();
  // What loads or runs late has the time to do so.
  await new Promise((ok) => setTimeout(ok, 20));
}
document.documentElement.dataset.found = JSON.stringify({ texts: TEXTS.length, shown, faults: faults.slice(0, 20) });
