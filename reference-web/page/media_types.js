// What media may be shown inside the page. Anything else is a document: it is saved, never opened here. SVG and HTML are documents.

/** How each type is shown, and the ending that a saved file of it has. */
const SHOWN = {
  "image/jpeg": ["image", ".jpg"], "image/png": ["image", ".png"], "image/webp": ["image", ".webp"], "image/gif": ["image", ".gif"],
  "video/mp4": ["video", ".mp4"], "video/webm": ["video", ".webm"],
  "audio/mpeg": ["audio", ".mp3"], "audio/mp4": ["audio", ".m4a"], "audio/ogg": ["audio", ".ogg"], "audio/webm": ["audio", ".weba"], "audio/wav": ["audio", ".wav"],
};

const of = (type) => (Object.hasOwn(SHOWN, type) ? SHOWN[type] : null);

/** `image`, `video`, `audio`, or `file`. */
export const kindOf = (type) => of(type)?.[0] ?? "file";

/** The type under which it is served. */
export const servedType = (type) => (of(type) ? type : "application/octet-stream");

/** A name and its extension, apart: a name that turns the direction of writing cannot hide what it ends with. */
export function nameParts(name) {
  const at = name.lastIndexOf(".");
  return at > 0 && name.length - at <= 12 ? [name.slice(0, at), name.slice(at)] : [name || "file", ""];
}

/** Control characters, turners of direction, and what separates folders. */
const UNFIT_IN_LINE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const UNFIT = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}/\\:*?"<>|]/gu;

/** A name as it stands in a line of text: without what turns the direction of writing, so that it ends where it ends. */
export const shownName = (name) => name.replace(UNFIT_IN_LINE, "_");

/** The name under which it is saved: what is shown here is saved with the ending of its type, whatever it calls itself. */
export function savedName(name, type) {
  const clean = name.replace(UNFIT, "_").replace(/^\.+/u, "_");
  const ending = of(type)?.[1];
  if (!ending || clean.toLowerCase().endsWith(ending)) return clean || "file";
  return `${nameParts(clean)[0]}${ending}`;
}
