// The package in Node.

import { readFile } from "node:fs/promises";
import { Companion as Base } from "../companion.js";
import { CompanionError } from "../errors.js";
import { noLock } from "../locks.js";
import { load } from "../module.js";
import { webSockets } from "../sockets.js";
import { fileStore } from "./file_store.js";
import { processLock } from "./process_lock.js";

export {
  CompanionError, Conflict, ContentHasher, Full, decodeRow, drawCode, drawKey, hex, inTurn, load, mediaType, memoryStore, noLock, oldCommandKey,
  relayUrl, rowDigest, tableStore, webSockets,
} from "../index.js";
export { fileStore } from "./file_store.js";
export { processLock } from "./process_lock.js";

/** The package that brings a WebSocket to a Node that has none. */
const WS = "ws";

// Whoever imports this can use all of it at once.
await load(await readFile(new URL("../handfast_bg.wasm", import.meta.url)));

/** Returns the sockets of the package `ws` if it is installed, or else of Node's own WebSocket. */
export async function nodeSockets() {
  const found = await import(WS).catch(() => null);
  const WebSocket = found?.WebSocket ?? globalThis.WebSocket;
  if (!WebSocket) throw new CompanionError("NO_SOCKET", "this Node has no WebSocket: install the package `ws`, or pass the option `socket`");
  return webSockets(WebSocket);
}

/**
 * A companion in Node. With `file` its link is kept in that file, which one process at a time may use; with a `store` of its own the
 * application sees to that itself.
 */
export class Companion extends Base {
  constructor({ file, ...options }) {
    let open = null;
    const defaults = {
      ...file && { store: fileStore(file), lock: processLock(`${file}.lock`) },
      ...options.store && { lock: noLock() },
      async load() {
        open = options.socket ?? await nodeSockets();
      },
    };
    super({ ...defaults, ...options, socket: (url, handlers) => open(url, handlers) });
  }
}
