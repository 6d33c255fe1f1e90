// One transfer of a file: its stored row, and the state of its open stream.

/** The error code of a file when closing the page has interrupted its reading. */
export const UNREAD = "UNREAD";
/**
 * The states of an upload during which later uploads wait, so that files arrive in the order in which they
 * were chosen.
 */
export const HOLDS_UP = new Set(["reading", "queued", "open"]);

export class Transfer {
  list = null;
  isListStored = false;
  receiver = null;
  /** The width and height of a picture that is sent, if known. */
  size = null;
  /** The offset at which the next received bytes are written. */
  at = 0;
  fin = null;
  syncing = false;
  block = null;
  wanted = null;
  /** When the last progress event was sent. */
  told = 0;

  constructor(row) {
    this.row = row;
  }

  get isOpen() {
    return this.row.stream !== null;
  }
}

/** Deletes the stored rows of a transfer. */
export function removeRows(txn, row) {
  txn.objectStore("transfers").delete(row.client);
  txn.objectStore("lists").delete(row.media.content);
}

/** Returns the message that is shown as waiting for an upload. */
export const waitingMedia = (row) => ({ chat: row.chat, id: null, author: "", text: "", time_ms: row.time_ms, state: "waiting", media: row.media, client_id: row.client });

export const toHex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
export const fromHex = (hex) => Uint8Array.from(hex.match(/../gu), (pair) => Number.parseInt(pair, 16));
