// The Service Worker: answers `/media/<id>` with bytes that the live tab gives it, piece by piece, and nothing else. It stores
// nothing, and knows no content: an id is random, and means something to the tab that made it alone.

const PREFIX = "/media/";
/** How much is asked of the tab at once, in bytes. */
const PIECE = 256 * 1024;
/** How long a tab may take to say that it knows an id, in milliseconds. */
const PATIENCE = 5_000;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("message", (event) => { if (event.data === "claim") event.waitUntil(self.clients.claim()); });

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (url.origin === self.location.origin && url.pathname.startsWith(PREFIX)) {
    event.respondWith(answer(event, url.pathname.slice(PREFIX.length)));
  }
});

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
