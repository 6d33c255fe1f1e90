// The media types that may be shown inside the page. Anything else, including SVG and HTML, is a document: it
// can be saved, but the page never opens it.

/** The kind of each type, and the extension with which it is saved. */
const SHOWN = {
  "image/jpeg": ["image", ".jpg"], "image/png": ["image", ".png"], "image/webp": ["image", ".webp"], "image/gif": ["image", ".gif"],
  "video/mp4": ["video", ".mp4"], "video/webm": ["video", ".webm"],
  "audio/mpeg": ["audio", ".mp3"], "audio/mp4": ["audio", ".m4a"], "audio/ogg": ["audio", ".ogg"], "audio/webm": ["audio", ".weba"], "audio/wav": ["audio", ".wav"],
};

const of = (type) => (Object.hasOwn(SHOWN, type) ? SHOWN[type] : null);

/** Returns the kind of a media type: `image`, `video`, `audio`, or `file`. */
export const kindOf = (type) => of(type)?.[0] ?? "file";

/** Returns the media type that the Service Worker names in its response. */
export const servedType = (type) => (of(type) ? type : "application/octet-stream");

/**
 * Splits a file name into stem and extension. They are shown apart, so that bidirectional control characters
 * in the stem cannot disguise the extension.
 */
export function nameParts(name) {
  const at = name.lastIndexOf(".");
  return at > 0 && name.length - at <= 12 ? [name.slice(0, at), name.slice(at)] : [name || "file", ""];
}

/**
 * Control and format characters, which include bidirectional ones. The second pattern also contains
 * separators of paths.
 */
const UNFIT_IN_LINE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const UNFIT = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}/\\:*?"<>|]/gu;

/**
 * Returns a file name for display: control and format characters, such as those that change the direction of
 * writing, are replaced.
 */
export const shownName = (name) => name.replace(UNFIT_IN_LINE, "_");

/**
 * Returns a file name for saving. A media type that the page can show determines the extension, whatever the
 * sender named the file.
 */
export function savedName(name, type) {
  const clean = name.replace(UNFIT, "_").replace(/^\.+/u, "_");
  const ending = of(type)?.[1];
  if (!ending || clean.toLowerCase().endsWith(ending)) return clean || "file";
  return `${nameParts(clean)[0]}${ending}`;
}
