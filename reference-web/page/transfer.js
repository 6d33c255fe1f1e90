// One transfer of a file: its stored row, and the state of its open stream.

/** The error code of a file when closing the page has interrupted its reading. */
export const UNREAD = "UNREAD";
/**
 * The states of an upload during which later uploads wait, so that files arrive in the order in which they
 * were chosen.
 */
export const HOLDS_UP = new Set(["reading", "queued", "open"]);

export class Transfer {
  /** The stored chunk list: of an upload, or of a download that an earlier run of the page has begun. */
  list = undefined;
  /** The width and height of a picture that is sent, if known. */
  size = null;
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
