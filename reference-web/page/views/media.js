// Media in a message: pictures with a thumbnail, video and audio players, documents with size and name, and
// the progress of transfers.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { kindOf, nameParts, savedName, shownName } from "../media_types.js";
import { size } from "../strings.js";

/**
 * Describes the media of a message. `here` is what this page has of the media: `url`, displayed `width` and
 * `height`, `thumbnail`, `broken`.
 */
export function mediaView(message, here, transfer, act) {
  const { media } = message;
  const kind = here?.broken ? "file" : kindOf(media.type);
  const url = safe(here?.url);
  const label = `${{ image: "Picture", video: "Video", audio: "Sound" }[kind] ?? "File"} ${shownName(media.name)}`;
  const body = kind === "image" ? picture(message, here, label, act)
    : kind === "video" && url ? h("video", { class: "media", controls: true, preload: "metadata", src: url, "aria-label": label })
      : kind === "audio" && url ? [documentRow(media, kind), h("audio", { controls: true, preload: "metadata", src: url, "aria-label": label })] : documentRow(media, kind);
  return h("div", { class: `media-box media-${kind}`, "data-name": media.name }, body, progress(message, transfer, here, kind, act));
}

/** Returns a URL only if this page made it or serves it, because no other URL may be loaded. */
const safe = (url) => (url && (url.startsWith("blob:") || url.startsWith("/media/")) ? url : null);

/**
 * Describes a picture by its thumbnail, which is small. Until the thumbnail exists its place is reserved, so
 * that nothing moves.
 */
function picture(message, here, label, act) {
  const { media } = message;
  const source = safe(here?.thumbnail);
  if (!here?.width) return documentRow(media, "image");
  const { width, height } = here;
  return h("button", { type: "button", class: "picture", "aria-label": `Open ${label}`, on: { click: () => act({ verb: "view", message }) } },
    source ? h("img", { class: "media", key: "picture", src: source, alt: label, width, height, decoding: "async" })
      : h("canvas", { class: "media", key: "place", width, height, "aria-hidden": "true" }));
}

/** Describes a picture in full size. */
export function viewer({ media }, here, act) {
  const url = safe(here?.url);
  return [
    h("h1", { id: "sheet-title", class: "file-name" }, names(media.name)),
    here?.broken ? h("p", { role: "status" }, "It cannot be shown here.") : url ? h("img", { class: "viewed", src: url, alt: `Picture ${shownName(media.name)}` }) : h("p", { role: "status" }, "Your phone sends it …"),
    url && saving(media, url),
  ];
}

function documentRow(media, kind) {
  return h("div", { class: "document" }, icon(kind === "file" ? "file" : kind === "image" ? "picture" : "play"),
    h("span", { class: "document-text" },
      h("span", { class: "file-name" }, names(media.name)),
      h("span", { class: "small" }, size(media.size))));
}

function names(name) {
  const [stem, extension] = nameParts(shownName(name));
  return [h("bdi", {}, stem), extension && h("bdi", { class: "extension" }, extension)];
}

const saving = (media, url) => h("a", { class: "quiet", href: url, download: savedName(media.name, media.type) }, icon("download"), "Save");

function progress(message, transfer, here, kind, act) {
  const { media } = message;
  const url = safe(here?.url);
  const button = (label, verb, name) => h("button", { type: "button", class: "quiet", "data-verb": verb, on: { click: () => act({ verb, message }) } }, icon(name), label);
  if (!transfer) {
    // A picture is fetched when the user opens it, so it needs no button.
    if (kind === "image" && here?.width) return null;
    if (url) return h("div", { class: "transfer" }, saving(media, url));
    return h("div", { class: "transfer" }, button(`Download ${size(media.size)}`, "fetch", "download"));
  }
  const total = transfer.size ?? media.size;
  const part = total > 0 ? Math.min(1, transfer.offset / total) : 0;
  const words = {
    reading: "Reading", waiting: "Waiting for your phone", paused: "Paused", running: `${size(transfer.offset)} of ${size(total)}`, failed: stopped(transfer),
  };
  return h("div", { class: "transfer" },
    h("progress", { max: 1, set: { value: part }, "aria-label": `${transfer.direction === "put" ? "Sending" : "Getting"} ${shownName(media.name)}` }),
    h("span", { class: "small", role: "status" }, words[transfer.state] ?? ""),
    ["running", "waiting"].includes(transfer.state) && button("Pause", "pause", "pause"),
    (transfer.state === "paused" || (transfer.state === "failed" && transfer.code !== "UNREAD")) && button("Resume", "resume", "play"),
    transfer.state !== "reading" && button(transfer.code === "UNREAD" ? "Remove" : "Cancel", "cancel", "close"));
}

const REASONS = {
  UNREAD: "The page was closed before it had read the file, so it was not sent. Choose it again.",
  GONE: "Your phone does not have it any more.", TOO_LARGE: "It is larger than your phone takes.", HASH: "It arrived damaged.",
  NO_ROOM: "This browser has no room left for it. Free some space on this computer first.",
  FULL: "Your phone has no room for it. Free some space on your phone first.",
  IO: "It could not be written or read.", CANCELLED: "It was cancelled on your phone.", OFFLINE: "Your phone cannot get it now.",
};

const stopped = ({ code }) => REASONS[code] ?? `Stopped (${code}).`;
