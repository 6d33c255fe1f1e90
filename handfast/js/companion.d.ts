import init, { LinkEvent, Row, Terms } from "./handfast.js";
export * from "./handfast.js";
export default init;

/** Somebody else wrote to the database. */
export class Conflict extends Error {}

/** A link as it is known: its terms, when it was made (milliseconds since 1970), and where it stands. */
export interface KnownLink extends Terms { created: number; state: "pending" | "active" | "diverged" | "suspended" }

export type CompanionEvent =
  | LinkEvent
  | { type: "code"; text: string; shownFor: number }
  | { type: "codeBurnt"; code: string; asks: boolean }
  | { type: "relayLost"; reason: string }
  | { type: "unconfirmed"; known: KnownLink; until: number }
  | { type: "linked"; known: KnownLink }
  | { type: "unlinked" }
  | { type: "taken" }
  | { type: "full" }
  | { type: "room" }
  | { type: "cleared" }
  | { type: "notPaired" }
  | { type: "failed"; reason: string };

export interface Application {
  /** The application's own object stores: the options and the indexes of each. They are cleared with the link. */
  stores: Record<string, IDBObjectStoreParameters & { indexes?: Record<string, string | string[]> }>;
  /**
   * A row is new or newer. Puts its effect into the transaction of its commit, without waiting for anything but requests of `txn`, and
   * says whether the row stays: false for one that marks a deletion.
   */
  row(row: Row & { collection: Uint8Array }, txn: IDBTransaction): boolean;
  /** A row is no longer among those of the phone. */
  gone(row: { collection: Uint8Array; id: Uint8Array }, txn: IDBTransaction): void;
  /** The answer to a command. */
  result(result: { key: string; body?: Uint8Array }, txn: IDBTransaction): void;
  /** A `delta` or a `page` is about to be taken. `over` is to be called when the last request made for it was answered. */
  arrives?(message: Rows, txn: IDBTransaction, over: () => void): void;
  /** A `delta` or a `page` was taken, with all its rows. */
  arrived?(message: Rows, txn: IDBTransaction, over: () => void): void;
  /** Whether rows of a collection are kept; if not, each is only given to `row`. */
  keeps?(collection: Uint8Array): boolean;
  /** How many rows a collection has at most: those of the highest ids. */
  bound?(collection: Uint8Array): number | undefined;
  event(event: CompanionEvent): void;
}

/** Rows as they came: a `delta`, or a `page` of a snapshot. */
export type Rows =
  | { type: "delta"; collection: Uint8Array; from: bigint; to: bigint; items: Uint8Array[] }
  | { type: "page"; collection: Uint8Array; first: boolean; last: boolean; rev: bigint; items: Uint8Array[] };

/** Makes a step in a transaction when the steps before it are over; what arrives is applied in its order. */
export function inTurn(txn: IDBTransaction, step: (over: () => void) => void): void;

export interface Options {
  database: string;
  /** The version of `stores`, from 1. */
  version?: number;
  /** The relay's name: a host, or host:port. */
  relay: string;
  /** What the phone shows of this page, 1 to 64 bytes. */
  label: string;
  /** What the page claims to be; its own origin if not given. */
  origin?: string;
  grants: bigint;
  /** Whether codes are shown when there is no link; true if not given. */
  pairs?: boolean;
  application: Application;
}

/** Reading of the database beside the companion. */
export interface Database {
  get(store: string, key: IDBValidKey): Promise<unknown>;
  read(...stores: string[]): IDBTransaction;
}

export class Companion {
  private constructor();
  static open(options: Options): Promise<Companion>;
  start(): Promise<void>;
  takeOver(): Promise<void>;
  readonly known: KnownLink | null;
  readonly isLinked: boolean;
  readonly database: Database | null;
  send(key: string, body: Uint8Array, effect?: (txn: IDBTransaction) => void): Promise<void>;
  subscribe(collection: Uint8Array): void;
  /** Subscribes to a collection of which no row is kept: from where it was the last time, or else from now on. */
  subscribeFromNow(collection: Uint8Array): void;
  /** The ids of the rows of a collection that was found in step, for `use` in a transaction; what is stale of it goes before. */
  settleRows(collection: Uint8Array, use: (ids: Uint8Array[], txn: IDBTransaction, over: () => void) => void): Promise<void>;
  unsubscribe(collection: Uint8Array): void;
  setEphemeral(slot: bigint, body: Uint8Array): void;
  /** What the phone sent cannot be accepted: ends the connection with this code of the specification. */
  refuse(code: number): void;
  readonly streams: Set<bigint>;
  /** Fetches content of which `stored` bytes are stored. */
  streamGet(content: string, stored: number, effect?: (txn: IDBTransaction, opened: { id: bigint }) => void): Promise<void>;
  /** Sends the content of this chunk list, which `ContentHasher` returns. */
  streamPut(list: Uint8Array, effect?: (txn: IDBTransaction, opened: { id: bigint }) => void): Promise<void>;
  /** Continues a stream from before the page was loaded, with its chunk list if that is stored. False if it is not open any more. */
  streamContinue(id: bigint, list?: Uint8Array): boolean;
  /** Hands back the buffer of a `streamWrite`, once its bytes are written. */
  streamReuse(buffer: ArrayBuffer): void;
  /** What `streamSync` asked for is durable. False if nothing was recorded, because the stream has ended or was continued meanwhile. */
  streamDurable(id: bigint, effect?: (txn: IDBTransaction) => void): Promise<boolean>;
  /** The content that `streamRead` asked for, or the beginning of it. */
  streamSupply(id: bigint, bytes: Uint8Array): void;
  streamPause(id: bigint, isPaused: boolean): void;
  streamStop(id: bigint, code: "CANCELLED" | "IO" | "GONE"): void;
  change(effect: (txn: IDBTransaction) => void): Promise<void>;
  /** Takes back the seat that another browser took, at the user's wish. */
  takeBack(): void;
  /** The two digits that the user read on the phone, after `numberWanted`. There is no second try. */
  enterNumber(digits: string): void;
  /** Ends the pairing attempt at the user's wish. */
  stopPairing(): void;
  /** Shows another code at the user's wish, after `codeBurnt`. */
  newCode(): Promise<void> | undefined;
  logOut(): Promise<void>;
}
