// The Service Worker. It answers requests for `/media/<id>` with bytes from the tab that made the random id,
// piece by piece, and stores none of them. It also caches the files of the page, for when there is no
// network.

const PREFIX = "/media/";
/**
 * The page's path, the folder of the page's files (this script is one of them), and the name of the cache.
 */
const SHELL = "/";
const ASSETS = new URL(".", self.location.href).href;
const KEPT = "shell";
/**
 * The longest wait for the relay's answer with the page, in milliseconds, and the HTTP statuses by which a
 * proxy reports that the relay is down.
 */
const SHELL_PATIENCE = 5_000;
const GATEWAY_FAILED = new Set([502, 503, 504]);
/** The number of bytes that are requested from the tab at once. */
const PIECE = 256 * 1024;
/** The longest wait for a tab to confirm that it knows an id, in milliseconds. */
const PATIENCE = 5_000;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("message", (event) => {
  if (event.data === "claim") event.waitUntil(self.clients.claim());
  else if (event.data?.keep) event.waitUntil(keep(event.data.keep));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== self.location.origin || request.method !== "GET") return;
  if (url.pathname.startsWith(PREFIX)) event.respondWith(answer(event, url.pathname.slice(PREFIX.length)));
  else if (request.mode === "navigate" && url.pathname === SHELL) event.respondWith(shell(request));
  else if (url.href.startsWith(ASSETS)) event.respondWith(asset(request));
});

/**
 * Replaces the cached page by the current page and these files. Nothing is cached unless the page that is
 * fetched now refers to this folder: the relay may already serve another version, whose files are not in the
 * list.
 */
async function keep(files) {
  const page = await fetch(SHELL, { cache: "no-cache" });
  const folder = new URL(ASSETS).pathname;
  if (!page.ok || !(await page.clone().text()).includes(folder)) return;
  await caches.delete(KEPT);
  const cache = await caches.open(KEPT);
  await cache.addAll(files.filter((file) => file.startsWith(ASSETS)));
  await cache.put(SHELL, page);
}

/**
 * Returns the page from the relay, or else the cached page. A cached page is marked `data-kept`, and
 * therefore never links a phone.
 */
async function shell(request) {
  const fetched = fetch(request);
  const late = new Promise((resolve) => setTimeout(resolve, SHELL_PATIENCE));
  const kept = await caches.match(SHELL, { cacheName: KEPT });
  if (!kept) return fetched;
  const response = await Promise.race([fetched.catch(() => null), late]);
  if (response && !GATEWAY_FAILED.has(response.status)) return response;
  const headers = new Headers(kept.headers);
  for (const name of ["content-encoding", "content-length"]) headers.delete(name);
  return new Response((await kept.text()).replace("<html", "<html data-kept"), { headers });
}

/**
 * Returns a file of the page, from the cache if it is there. The file's path contains the hash of its
 * content, so the cached copy cannot be outdated.
 */
const asset = async (request) => (await caches.match(request.url, { cacheName: KEPT })) ?? fetch(request);

async function answer(event, id) {
  const { request } = event;
  if (request.method !== "GET") return nothing(405);
  const found = await holder(event.clientId, id);
  if (!found) return nothing(404);
  const { port, media } = found;
  const range = ranged(request.headers.get("range"), media.size);
  if (!range) {
    port.close();
    return nothing(416, { "Content-Range": `bytes */${media.size}` });
  }
  const [from, to] = range;
  const isPart = request.headers.has("range");
  const headers = { ...headersOf(request, media), "Content-Length": String(to - from) };
  if (isPart) headers["Content-Range"] = `bytes ${from}-${to - 1}/${media.size}`;
  return new Response(bytes(port, from, to), { status: isPart ? 206 : 200, headers });
}

const nothing = (status, headers = {}) => new Response(null, { status, headers: { "Cache-Control": "no-store", ...headers } });

function headersOf(request, { type, name }) {
  // Only an element of the right kind gets the media as such. A window, a frame or a saved link gets a
  // download.
  const isShown = ["image", "video", "audio"].includes(request.destination) && type.startsWith(`${request.destination}/`);
  return {
    "Content-Type": type,
    "Content-Disposition": isShown ? "inline" : `attachment; filename*=UTF-8''${encodeURIComponent(name).replace(/['()*]/gu, (c) => `%${c.charCodeAt(0).toString(16)}`)}`,
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Accept-Ranges": "bytes",
    "Cache-Control": "no-store",
  };
}

/** Finds the tab that knows an id. The tab that made the request is asked first. */
async function holder(clientId, id) {
  const asking = clientId && await self.clients.get(clientId);
  const others = await self.clients.matchAll({ type: "window" });
  for (const client of [asking, ...others.filter((other) => other.id !== clientId)]) {
    const found = client && await ask(client, id);
    if (found) return found;
  }
  return null;
}

function ask(client, id) {
  const { port1: port, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), PATIENCE);
    port.onmessage = ({ data: media }) => {
      clearTimeout(timer);
      resolve(media ? { port, media } : null);
    };
    client.postMessage({ handfast: "media", id }, [port2]);
  });
}

/**
 * Parses a `Range` header. Returns the first offset and the one after the last, or null for a range that
 * cannot be satisfied. Without a range, or with several, all bytes are returned.
 */
function ranged(header, size) {
  const found = /^bytes=(\d*)-(\d*)$/u.exec(header ?? "");
  if (!found || (found[1] === "" && found[2] === "")) return [0, size];
  if (found[1] === "") return [Math.max(0, size - Number(found[2])), size];
  const from = Number(found[1]);
  const to = found[2] === "" ? size : Math.min(size, Number(found[2]) + 1);
  return from < to ? [from, to] : null;
}

/**
 * Returns the bytes of a range as a stream. A piece is requested from the tab when the piece before it was
 * read.
 */
function bytes(port, from, to) {
  let at = from;
  const piece = () => new Promise((resolve) => {
    port.onmessage = ({ data }) => resolve(data);
    port.postMessage({ at, length: Math.min(PIECE, to - at) });
  });
  return new ReadableStream({
    async pull(controller) {
      const data = at < to ? await piece() : null;
      if (data?.byteLength > 0) {
        at += data.byteLength;
        controller.enqueue(data);
      }
      if (at === to) {
        controller.close();
        port.postMessage(null);
      } else if (!(data?.byteLength > 0)) {
        controller.error(new Error("the tab has not the content any more"));
      }
    },
    cancel() {
      port.postMessage(null);
    },
  }, { highWaterMark: 0 });
}
