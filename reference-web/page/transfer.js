// One transfer: what is stored of it, and what its open stream needs.

/** Why a file was not sent that was being read when the page was closed. */
export const UNREAD = "UNREAD";
/** States of a file on its way out for which those behind it wait, so that files arrive in the order in which they were chosen. */
export const HOLDS_UP = new Set(["reading", "queued", "open"]);

export class Transfer {
  list = null;
  isListStored = false;
  receiver = null;
  /** Of a picture that is sent: its width and height, if they are known. */
  size = null;
  /** Where the next bytes that come are written. */
  at = 0;
  fin = null;
  syncing = false;
  block = null;
  wanted = null;
  /** When it was told how far it is. */
  told = 0;

  constructor(row) {
    this.row = row;
  }

  get isOpen() {
    return this.row.stream !== null;
  }
}

/** Removes what is stored of a transfer. */
export function removeRows(txn, row) {
  txn.objectStore("transfers").delete(row.client);
  txn.objectStore("lists").delete(row.media.content);
}

/** What is being sent, as a message that waits. */
export const waitingMedia = (row) => ({ chat: row.chat, id: null, author: "", text: "", time_ms: row.time_ms, state: "waiting", media: row.media, client_id: row.client });

export const toHex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
export const fromHex = (hex) => Uint8Array.from(hex.match(/../gu), (pair) => Number.parseInt(pair, 16));
