// Icons as strokes on a grid of 24 units, in the colour of the surrounding text.

import { h } from "./dom.js";

const STROKES = {
  back: ["M15 5l-7 7 7 7"],
  search: ["M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13z", "M15.5 15.5L20 20"],
  send: ["M4 12l16-8-6 16-3-6.5z", "M11 13.5L20 4"],
  picture: ["M4 5h16v14H4z", "M4 16l5-5 4 4 3-3 4 4", "M15 9h.01"],
  attach: ["M19 11l-7.5 7.5a4.5 4.5 0 0 1-6.4-6.4L13 4.300a3 3 0 0 1 4.300 4.300L9.600 16.300a1.500 1.500 0 0 1-2.200-2.100L14 7.500"],
  close: ["M6 6l12 12", "M18 6L6 18"],
  reply: ["M9 7l-5 5 5 5", "M4 12h9a7 7 0 0 1 7 7"],
  react: ["M12 20.500a8.500 8.500 0 1 0 0-17 8.500 8.500 0 0 0 0 17z", "M8.500 14a4.200 4.200 0 0 0 7 0", "M9 9.500v.01", "M15 9.500v.01"],
  copy: ["M9 9h11v11H9z", "M15 9V4H4v11h5"],
  edit: ["M4 20h4L19 9l-4-4L4 16z"],
  remove: ["M5 7h14", "M10 4h4", "M7 7l1 13h8l1-13"],
  more: ["M6 12h.01", "M12 12h.01", "M18 12h.01"],
  device: ["M4 5h16v11H4z", "M2 20h20"],
  phone: ["M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1z", "M11 18h2"],
  waiting: ["M12 20.500a8.500 8.500 0 1 0 0-17 8.500 8.500 0 0 0 0 17z", "M12 7.500V12l3 2"],
  sent: ["M5 12.500l4.500 4.500L19 7.500"],
  delivered: ["M2.500 12.500L7 17l9-9.500", "M11 15.500l1.500 1.500 9-9.500"],
  failed: ["M12 20.500a8.500 8.500 0 1 0 0-17 8.500 8.500 0 0 0 0 17z", "M12 7.500v5.500", "M12 16.500v.01"],
  file: ["M7 3h7l4 4v14H7z", "M14 3v4h4"],
  play: ["M8 5l11 7-11 7z"],
  pause: ["M8 5v14", "M16 5v14"],
  download: ["M12 4v11", "M7 10.500l5 5 5-5", "M5 20h14"],
  down: ["M6 9l6 6 6-6"],
  link: ["M10 14a4 4 0 0 0 5.700 0l3-3a4 4 0 0 0-5.700-5.700l-1 1", "M14 10a4 4 0 0 0-5.700 0l-3 3a4 4 0 0 0 5.700 5.700l1-1"],
  warn: ["M12 4L2.500 20h19z", "M12 10v4.500", "M12 17.500v.01"],
};

/** Draws an icon. If it has a `label`, screen readers announce it; otherwise it is decoration. */
export function icon(name, label) {
  const says = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  const paths = STROKES[name].map((d) => h("path", { d }));
  return h("svg", { class: `icon icon-${name}`, viewBox: "0 0 24 24", ...says }, paths);
}
