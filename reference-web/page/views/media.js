// Media in a message: pictures with a thumbnail, video and audio, documents with name and size, and how far it has come.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { size } from "../words.js";

/** What is shown inside the page; anything else is a document that can only be saved. */
const SHOWN = { "image/jpeg": "image", "image/png": "image", "image/webp": "image", "image/gif": "image", "video/mp4": "video", "video/webm": "video",
  "audio/mpeg": "audio", "audio/mp4": "audio", "audio/ogg": "audio", "audio/webm": "audio" };

export function mediaView(message, transfer, act) {
  const { media } = message;
  const kind = SHOWN[media.type] ?? "file";
  const url = safe(media.url);
  const body = kind === "image" ? picture(media, url) : kind === "video" && url ? h("video", { class: "media", controls: true, preload: "metadata", src: url })
    : kind === "audio" && url ? h("audio", { controls: true, preload: "metadata", src: url }) : documentRow(media, kind);
  return h("div", { class: `media-box media-${kind}` }, body, progress(message, transfer, url, act));
}

/** Only what this page made or serves itself is a source. */
const safe = (url) => (url && (url.startsWith("blob:") || url.startsWith("/media/")) ? url : null);

function picture(media, url) {
  const source = url ?? safe(media.thumbnail);
  if (!source) return documentRow(media, "image");
  return h("img", { class: url ? "media" : "media thumbnail", src: source, alt: `Picture ${media.name}`, width: media.width, height: media.height, loading: "lazy" });
}

function documentRow(media, kind) {
  const [stem, extension] = nameParts(media.name);
  return h("div", { class: "document" }, icon(kind === "file" ? "file" : "play"),
    h("span", { class: "document-text" },
      h("span", { class: "file-name" }, h("bdi", {}, stem), extension && h("bdi", { class: "extension" }, extension)),
      h("span", { class: "small" }, size(media.size))));
}

/** A name and its extension, apart: a name that turns the direction of writing cannot hide what it ends with. */
export function nameParts(name) {
  const at = name.lastIndexOf(".");
  return at > 0 && name.length - at <= 12 ? [name.slice(0, at), name.slice(at)] : [name || "file", ""];
}

function progress(message, transfer, url, act) {
  const { media } = message;
  const button = (label, verb, name) => h("button", { type: "button", class: "quiet", on: { click: () => act({ verb, message }) } }, icon(name), label);
  if (url) return h("div", { class: "transfer" }, h("a", { class: "quiet", href: url, download: media.name || "file" }, icon("download"), "Save"));
  if (!transfer) return h("div", { class: "transfer" }, button(`Get ${size(media.size)}`, "fetch", "download"));
  const total = transfer.size ?? media.size;
  const part = total > 0 ? Math.min(1, transfer.offset / total) : 0;
  const words = { paused: "Paused", failed: `Stopped (${transfer.code})`, running: `${size(transfer.offset)} of ${size(total)}`, waiting: "Waiting for your phone" };
  return h("div", { class: "transfer" },
    h("progress", { max: 1, set: { value: part }, "aria-label": `${transfer.direction === "put" ? "Sending" : "Getting"} ${media.name}` }),
    h("span", { class: "small", role: "status" }, words[transfer.state] ?? ""),
    transfer.state === "running" && button("Pause", "pause", "pause"),
    (transfer.state === "paused" || transfer.state === "failed") && button("Go on", "resume", "play"),
    transfer.state !== "done" && button("Cancel", "cancel", "close"));
}
