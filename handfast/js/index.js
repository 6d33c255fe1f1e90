// The package in a browser. `node/index.js` is its entry in Node, and `chat.js` has the words of the reference application.

import { Companion as Base } from "./companion.js";
import * as module from "./handfast.js";
import { indexedDbStore } from "./indexed_db_store.js";
import { webLock } from "./locks.js";
import { coded, load } from "./module.js";
import { webSockets } from "./sockets.js";

export { ContentHasher } from "./handfast.js";
export { CompanionError, Conflict, Full } from "./errors.js";
export { drawKey } from "./companion.js";
export { indexedDbStore } from "./indexed_db_store.js";
export { noLock, webLock } from "./locks.js";
export { load } from "./module.js";
export { inTurn } from "./rows.js";
export { webSockets } from "./sockets.js";
export { hex, memoryStore, tableStore } from "./table_store.js";

export const decodeRow = coded(module.decodeRow);
export const drawCode = coded(module.drawCode);
export const mediaType = coded(module.mediaType);
export const oldCommandKey = coded(module.oldCommandKey);
export const relayUrl = coded(module.relayUrl);
export const rowDigest = coded(module.rowDigest);

export default load;

/** A companion in a page, by default over IndexedDB, the browser's WebSocket and Web Locks, all under `name`. */
export class Companion extends Base {
  constructor({ name = "handfast", store = indexedDbStore(name), lock = webLock(name), socket = webSockets(), ...options }) {
    super({ load, ...options, store, lock, socket });
  }
}
