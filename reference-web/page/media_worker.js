// The Service Worker. It answers `/media/<id>` with bytes that the live tab gives it, piece by piece: it stores none of them, and an id is
// random and means something to the tab that made it alone. And it keeps what the page consists of, for when there is no network.

const PREFIX = "/media/";
/** The page, the folder of its files, which this script is one of, and the cache in which they are kept. */
const SHELL = "/";
const ASSETS = new URL(".", self.location.href).href;
const KEPT = "shell";
/** How long the relay may take for the page, in milliseconds, and what a server says that stands in front of a relay that is away. */
const SHELL_PATIENCE = 5_000;
const GATEWAY_FAILED = new Set([502, 503, 504]);
/** How much is asked of the tab at once, in bytes. */
const PIECE = 256 * 1024;
/** How long a tab may take to say that it knows an id, in milliseconds. */
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
 * Keeps the page with these files, in place of what was kept before. The page must be the one that loads them: the relay may have got
 * another one meanwhile, whose files are not here.
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

/** The page from the relay; if it cannot be reached, the page that is kept. That one says so of itself, and never links a phone. */
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

/** A file of the page. Its address has the hash of its content in it, so that one that is kept is what the relay would send. */
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
  // Only an element that shows it gets it as what it is; a window, a frame or a saved link gets a file.
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

/** The tab that knows an id: the one that asks, or else another. */
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

/** First byte, and the one behind the last; null for a range that is not there. Without a range, or with several: all. */
function ranged(header, size) {
  const found = /^bytes=(\d*)-(\d*)$/u.exec(header ?? "");
  if (!found || (found[1] === "" && found[2] === "")) return [0, size];
  if (found[1] === "") return [Math.max(0, size - Number(found[2])), size];
  const from = Number(found[1]);
  const to = found[2] === "" ? size : Math.min(size, Number(found[2]) + 1);
  return from < to ? [from, to] : null;
}

/** The bytes of a range, each piece asked for when the one before is taken. */
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
