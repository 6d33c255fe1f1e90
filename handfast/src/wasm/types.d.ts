/**
 * One write of a commit: a value, a removal, or the removal of a range (`to` excluded). A secret value is stored wrapped by a key that
 * does not lie beside it.
 */
export type Write = { key: Uint8Array; value: Uint8Array; secret?: true } | { key: Uint8Array } | { from: Uint8Array; to: Uint8Array };

/**
 * What must become durable in one transaction, with what it belongs to. In that transaction compare the row
 * `versionKey` with `expects` (absent: there must be none) first, and give up if they differ: somebody else wrote.
 */
export interface Commit { link: string; versionKey: Uint8Array; expects?: Uint8Array; writes: Write[] }

export type Message =
  | { type: "result"; key: string; body?: Uint8Array }
  | { type: "delta"; collection: Uint8Array; from: bigint; to: bigint; items: Uint8Array[] }
  | { type: "page"; collection: Uint8Array; first: boolean; last: boolean; rev: bigint; items: Uint8Array[] }
  | { type: "other" };

/** One row of a collection, in the items of a `delta` or a `page`. */
export interface Row { id: Uint8Array; rev: bigint; body: Uint8Array }

export type LinkEvent =
  | { type: "connect" } | { type: "disconnect" }
  | { type: "state"; state: "connecting" | "relay_down" | "peer_absent" | "peer_silent" | "waking" | "live" }
  | { type: "connected"; resumed: boolean }
  | { type: "putBack"; who: "companion" | "phone" }
  | { type: "failed" | "closed" | "relay"; code: string }
  | { type: "replaced" } | { type: "diverged" } | { type: "suspended" } | { type: "revoked" }
  | { type: "contended"; times: bigint }
  | { type: "digestWanted" | "inSync" | "outOfSync" | "resyncFailed" | "unsubscribed"; collection: Uint8Array }
  | { type: "ephemeral"; slot: bigint; body: Uint8Array }
  /** Checked content: write it at the offset `at` of its file, and hand the buffer back by `streamReuse`. */
  | { type: "streamWrite"; id: bigint; at: number; bytes: Uint8Array }
  /**
   * All content up to `offset` was written: make it durable, then call `streamDurable`. Store `offset` and `list` with the commit of that;
   * `list` comes until it is stored. With `isWhole` the content is complete, and the stream has no other event.
   */
  | { type: "streamSync"; id: bigint; offset: number; size: number; isWhole: boolean; list?: Uint8Array }
  /** Read content that is sent, and pass it to `streamSupply`. */
  | { type: "streamRead"; id: bigint; at: number; length: number }
  /** The phone has content that is sent up to this offset. */
  | { type: "streamProgress"; id: bigint; offset: number }
  | { type: "streamEnded"; id: bigint; end: "done" | "lost" | string }
  | { type: "checkCode"; digits: string }
  | { type: "numberWanted"; accountName: string }
  | { type: "linked"; link: string }
  | { type: "ended"; code: string }
  | { type: "other" };

/** What the driver must do next. Take them until `wait`. The bytes of `transmit` hold until the next is taken. */
export type Output =
  | { type: "persist"; commit: Commit }
  | { type: "deliver"; message: Message; commit: Commit }
  | { type: "transmit"; bytes: Uint8Array }
  | { type: "event"; event: LinkEvent }
  | { type: "wait"; at?: number };

/** What may be shown of a link, and is stored beside its commits. */
export interface Terms { link: string; accountName: string; companion: string; relay: string; label: string; grants: bigint }
