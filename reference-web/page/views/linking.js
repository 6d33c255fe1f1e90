// The screens of pairing: the code with its remaining time, the check code, and the number that the phone
// shows.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { codeBurnt, pairingEnded, waitLeft } from "../strings.js";

const STEPS = ["Scan", "Check code", "Number", "Done"];
const AT = { starting: 0, code: 0, check: 1, number: 2, ended: 0, finishing: 3, unconfirmed: 3 };
const KEYPAD = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "Backspace"];

/** `farewell` is set after the user logged out: the name under which the phone lists this browser. */
export function linkingView(pair, now, act, farewell) {
  const step = pair?.step ?? "starting";
  return h("main", { class: "linking", id: "main", tabindex: "-1" },
    h("div", { class: "linking-card" },
      h("header", { class: "brand" }, mark(), h("span", {}, "Handfast")),
      farewell !== null && farewell !== undefined && h("p", { class: "note", role: "status" }, icon("phone"), h("span", {}, "You are logged out here. Your phone does not know that yet: open linked devices on it, and remove ", h("bdi", { class: "strong" }, farewell || "this browser"), ".")),
      h("div", { class: "linking-body" }, BODIES[step](pair ?? {}, now, act)),
      h("ol", { class: "steps", "aria-label": "Steps" }, STEPS.map((name, index) =>
        h("li", { class: index < AT[step] ? "past" : "", "aria-current": index === AT[step] ? "step" : null }, name))),
    ),
    h("p", { class: "small print" }, "Your phone keeps the account, the messages and the media. What passes between it and this page is "
      + "sealed end to end: a relay on the way cannot read it. Whoever serves this page can, so use one of a server that you trust."),
  );
}

const BODIES = {
  // An empty line stands where the remaining time will be shown, so that nothing moves when the code appears.
  starting: (pair) => [
    notes(pair),
    h("div", { class: "code-area", key: "no-code" }, frame(h("div", { class: "spinner", role: "status", "aria-label": "Getting a code" })), h("p", { class: "small", "aria-hidden": "true" }, "\u00A0")),
    howTo(),
  ],

  code: (pair, now) => {
    const left = Math.max(0, Math.ceil(pair.shownFor - (now - pair.shownAt) / 1000));
    return [
      notes(pair),
      h("div", { class: "code-area", key: pair.qr.text_id },
        frame(qrCode(pair.qr), left / pair.shownFor),
        h("p", { class: "small", "aria-hidden": "true" }, left > 0 ? `A new code in ${left} s` : "A new code is coming")),
      howTo(),
    ];
  },

  check: (pair, now, act) => [
    h("h1", { tabindex: "-1", made: focus }, "Type this on your phone"),
    h("p", { class: "digits", role: "status", "aria-label": `Check code ${[...pair.code].join(" ")}` }, [...pair.code].map((digit) => h("span", { "aria-hidden": "true" }, digit))),
    h("p", {}, "When the digits are right, your phone shows this page's name and address and asks whether to link it. This page goes on once you agree there."),
    h("p", { class: "small" }, "Never read these digits to anybody."),
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "stop", on: { click: () => act({ verb: "stopPairing" }) } }, "My phone does not ask")),
  ],

  number: (pair, now, act) => {
    const typed = pair.typed ?? "";
    const send = () => typed.length === 2 && act({ verb: "number", digits: typed });
    const press = (event) => {
      const key = event.key;
      if (event.ctrlKey || event.metaKey || event.altKey || !(key === "Backspace" || /^[0-9]$/.test(key))) return;
      event.preventDefault();
      act({ verb: "digit", key });
    };
    return [
      h("h1", {}, "Type the two digits that your phone shows now"),
      h("p", {}, "Account: ", h("bdi", { class: "strong" }, pair.account)),
      h("div", { class: "digits typed", tabindex: "0", made: focus, role: "group", "aria-label": `The number from your phone: ${typed.length} of 2 digits typed`, on: { keydown: press } },
        [0, 1].map((at) => h("span", { "aria-hidden": "true", class: at === typed.length ? "next" : "" }, typed[at] ?? ""))),
      h("div", { class: "keypad", role: "group", "aria-label": "Digits", on: { keydown: press } },
        KEYPAD.map((key) => h("button", { type: "button", tabindex: "-1", "aria-label": key === "Backspace" ? "Delete the last digit" : null, on: { click: () => act({ verb: "digit", key }) } },
          key === "Backspace" ? "\u232b" : key))),
      h("div", { class: "buttons" },
        h("button", { type: "button", class: "link", disabled: typed.length < 2, on: { click: send } }, "Link"),
        h("button", { type: "button", class: "stop", on: { click: () => act({ verb: "stopPairing" }) } }, "My phone shows no number")),
    ];
  },

  ended: (pair, now, act) => [
    h("h1", { tabindex: "-1", made: focus }, "Nothing was linked"),
    h("p", { role: "status" }, pairingEnded(pair.burnt, pair.during)),
    pair.failures > 1 && h("p", { class: "note", role: "alert" }, icon("warn"),
      h("span", {}, "This keeps failing. Somebody may be between this page and your phone: do it in another place or network.")),
    h("p", {}, "If your phone says that it is linked, open ", h("b", {}, "Linked devices"), " there and remove it."),
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "new-code", on: { click: () => act({ verb: "newCode" }) } }, "Show a new code")),
  ],

  unconfirmed: (pair, now, act) => [
    h("h1", { tabindex: "-1", made: focus }, "Not confirmed yet"),
    h("p", { role: "status" }, "The phone of ", h("bdi", { class: "strong" }, pair.account), " may have linked this page, but its last word did not come. If it did, this page goes on by itself as soon as your phone is reachable. It waits ", waitLeft(pair.until - now), " for that."),
    h("p", {}, "To start over instead, show a new code. If your phone lists this page under ", h("b", {}, "Linked devices"), ", remove it there."),
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "new-code", on: { click: () => act({ verb: "newCode" }) } }, "Show a new code")),
  ],

  finishing: (pair) => [
    h("h1", {}, "Linking"),
    h("div", { class: "spinner", "aria-hidden": "true" }),
    h("p", { role: "status" }, "Waiting for the last word of the phone of ", h("bdi", {}, pair.account ?? ""), "."),
  ],
};

const focus = (node) => queueMicrotask(() => node.focus());

function notes(pair) {
  return [
    pair.burnt && h("p", { class: "note", role: "alert" }, icon("warn"), h("span", {}, codeBurnt(pair.burnt), " Here is a new code.")),
    pair.relayLost && h("p", { class: "note", role: "alert" }, icon("warn"), h("span", {}, "The relay cannot be reached, or it lets no pages of this address connect. Trying again.")),
  ];
}

function howTo() {
  return h("div", { class: "how-to", key: "how-to" },
    h("h1", {}, "Link your phone"),
    h("ol", {},
      h("li", {}, "Open the app on your phone."),
      h("li", {}, "Choose ", h("b", {}, "Linked devices"), ", then ", h("b", {}, "Link a device"), "."),
      h("li", {}, "Point the phone at the code on this screen. Each code works for a minute at most.")),
    h("p", {}, "The phone will ask for four digits. If this page shows digits and your phone asks for none, somebody else scanned it."),
    h("p", { class: "small" }, "Only scan a code from inside the app, and only one on a screen of your own."));
}

/**
 * Draws a frame around the code. A ring shows `left`, the fraction of the code's time that remains, from 1 to
 * 0.
 */
function frame(inside, left) {
  const ring = { class: "ring", x: 2, y: 2, width: 96, height: 96, rx: 9, pathLength: 100 };
  return h("div", { class: "code-frame" },
    h("svg", { class: "ring-box", viewBox: "0 0 100 100", "aria-hidden": "true" },
      h("rect", { ...ring, class: "ring ring-rest" }),
      left !== undefined && h("rect", { ...ring, "stroke-dasharray": `${(left * 100).toFixed(1)} 100` })),
    inside);
}

/** Draws a QR code as one path: dark modules on white, including the quiet zone. */
function qrCode({ width, dark }) {
  let path = "";
  for (let y = 0; y < width; y += 1) {
    for (let x = 0; x < width; x += 1) {
      let run = 0;
      while (x + run < width && dark[y * width + x + run]) run += 1;
      if (run) path += `M${x} ${y}h${run}v1h-${run}z`;
      x += run;
    }
  }
  return h("svg", { class: "code", viewBox: `0 0 ${width} ${width}`, role: "img", "aria-label": "Code to be scanned with the phone", "shape-rendering": "crispEdges" },
    h("rect", { class: "code-light", width, height: width }), h("path", { class: "code-dark", d: path }));
}

export function mark() {
  return h("svg", { class: "mark", viewBox: "0 0 32 32", "aria-hidden": "true" },
    h("path", { d: "M11.500 20.500a6 6 0 0 1 0-9l3-3a6 6 0 0 1 8.500 8.500l-1.500 1.500" }),
    h("path", { d: "M20.500 11.500a6 6 0 0 1 0 9l-3 3a6 6 0 0 1-8.500-8.500l1.500-1.500" }));
}
