// The types of a companion, and the interfaces that it is made of. `index.d.ts` and `node/index.d.ts` are the entries.

import type { Commit, Row, Terms } from "./handfast.js";
export type { Commit, Row, Terms, Write } from "./handfast.js";

/** An error of this package. `code` is stable; the README lists all codes. */
export class CompanionError extends Error {
  constructor(code: string, message: string, options?: ErrorOptions);
  readonly code: string;
  /** Returns the error itself if it is of this class, or else one with its `code`, or with `code`. */
  static from(error: unknown, code?: string): CompanionError;
}
/** Something else wrote to the store: code `CONFLICT`. */
export class Conflict extends CompanionError { constructor(message?: string) }
/** The store has no space: code `FULL`. */
export class Full extends CompanionError { constructor(message?: string, options?: ErrorOptions) }

/** A link as it is known: its terms, when it was made (milliseconds since 1970), and where it stands. */
export interface KnownLink extends Terms { created: number; state: "pending" | "active" | "diverged" | "suspended" }

/** How far the phone can be reached. */
export type Connection = "connecting" | "relay_down" | "peer_absent" | "peer_silent" | "waking" | "live";

/** What happens to a companion, by type. */
export interface Events {
  /** A phone may scan this text as a QR code for `shownFor` ms. It holds a secret: draw it, and keep it nowhere. */
  code: { text: string; shownFor: number };
  /** The user types these digits into the phone. */
  checkCode: { digits: string };
  /** The phone shows two digits, which the user types here: pass them to `enterNumber`. */
  numberWanted: { accountName: string };
  /** A pairing attempt ended without a link. With `asks` no other code is shown before `newCode()`. */
  codeBurnt: { code: string; asks: boolean };
  /** While codes are shown, the relay cannot be reached. */
  relayLost: { reason: string };
  /** The phone may have made the link, but has not confirmed it; this is awaited until `until`, or until `newCode()`. */
  unconfirmed: { known: KnownLink; until: number };
  /** There is a link that the phone has confirmed: a new one, or the stored one after a start. */
  linked: { known: KnownLink };
  /** There is no link any more, and all that came over it was deleted. */
  unlinked: {};
  /** The phone has revoked the link. `unlinked` came before. */
  revoked: {};
  /** Another tab or process has the lock: see `takeOver()`. */
  taken: {};
  /** The companion has stopped. `start()` may be tried again. */
  stopped: { error: CompanionError };
  /** The user made the browser delete the data of this origin, and the link with it. */
  cleared: {};
  /** The store has no space for what arrives, so nothing is accepted; `room` follows when it has. */
  full: {};
  room: {};
  /** There is no link, and the option `pairs` is false. */
  notPaired: {};
  state: { state: Connection };
  /** There is a new connection to the phone, without subscriptions. */
  connected: { resumed: boolean };
  /** This side, or the phone, was put back to an earlier state: by a backup, or a copy of its data. */
  putBack: { who: "companion" | "phone" };
  /** A connection ended with this code of the specification: here, at the phone, or at the relay. */
  failed: { code: string };
  closed: { code: string };
  relay: { code: string };
  /** Another browser has taken this companion's seat at the relay: see `takeBack()`. */
  replaced: {};
  contended: { times: bigint };
  diverged: {};
  suspended: {};
  /** A subscribed collection equals the phone's, or does not and is fetched again, or could not be made equal. */
  inSync: { collection: Uint8Array };
  outOfSync: { collection: Uint8Array };
  resyncFailed: { collection: Uint8Array };
  unsubscribed: { collection: Uint8Array };
  /** The latest value of a slot of the phone. */
  ephemeral: { slot: bigint; body: Uint8Array };
  /** Checked content: write it at the offset `at` of its file, and hand the buffer back by `streamReuse`. */
  streamWrite: { id: bigint; at: number; bytes: Uint8Array };
  /** All content up to `offset` was written: make it durable, then call `streamDurable`. With `isWhole` the content is complete. */
  streamSync: { id: bigint; offset: number; size: number; isWhole: boolean; list?: Uint8Array };
  /** Read content that is sent, and pass it to `streamSupply`. */
  streamRead: { id: bigint; at: number; length: number };
  /** The phone has content that is sent up to this offset. */
  streamProgress: { id: bigint; offset: number };
  /** `done`, `lost`, or the code with which it was stopped. */
  streamEnded: { id: bigint; end: string };
}

/** An event as `on` passes it. */
export type EventOf<K extends keyof Events> = { readonly type: K } & Events[K];

/** A value that changes. React: `useSyncExternalStore(source.subscribe, source.getSnapshot)`. */
export interface Source<T> {
  /** The value. It is the same object until something changes. */
  getSnapshot(this: void): T;
  /** Calls `f` after each change. Returns a function that ends this. */
  subscribe(this: void, f: () => void): () => void;
}

/** Where a companion is. */
export interface Status {
  readonly link: KnownLink | null;
  readonly connection: Connection | null;
  /** What the user is to do to link a phone. */
  readonly pairing:
    | { readonly step: "code"; readonly text: string }
    | { readonly step: "checkCode"; readonly digits: string }
    | { readonly step: "number"; readonly accountName: string }
    | { readonly step: "ended"; readonly code: string }
    | null;
  /** What keeps it from working, until that is over. */
  readonly trouble:
    | { readonly type: "relayLost"; readonly reason: string }
    | { readonly type: "stopped"; readonly error: CompanionError }
    | { readonly type: "taken" | "full" | "replaced" | "revoked" | "cleared" | "diverged" | "suspended" | "notPaired" }
    | null;
}

/** A row of a watched collection. It is the same object until it changes. */
export interface WatchedRow { readonly key: string; readonly id: Uint8Array; readonly rev: bigint; readonly body: Uint8Array }

/** The rows of a watched collection, in the order of their ids. */
export interface WatchedRows {
  readonly rows: readonly WatchedRow[];
  /** `loading` until the store was read; `stored` is what was known last; `inSync` was compared with the phone's over this connection. */
  readonly state: "loading" | "stored" | "inSync";
  /** Why the collection is not followed: for example `TOO_MANY` subscriptions. */
  readonly error: CompanionError | null;
}

/** Rows as they came: a `delta`, or a `page` of a snapshot. */
export type RowsMessage =
  | { type: "delta"; collection: Uint8Array; from: bigint; to: bigint; items: Uint8Array[] }
  | { type: "page"; collection: Uint8Array; first: boolean; last: boolean; rev: bigint; items: Uint8Array[] };

/**
 * What an application does with what arrives, in the transaction that makes it durable. Each function uses `txn` at once, without waiting for
 * anything but requests of `txn`; what it throws undoes the transaction, and the message comes again.
 */
export interface Application<Txn> {
  /**
   * A row is new or newer. Returns whether the row stays: false for one that marks a deletion. Without this function a row without a body
   * is such.
   */
  row?(row: Row & { collection: Uint8Array }, txn: Txn): boolean;
  /** A row is no longer among those of the phone. */
  gone?(row: { collection: Uint8Array; id: Uint8Array }, txn: Txn): void;
  /** The phone has run a command. `body` is missing if the phone has forgotten its answer: the command ran once, long ago. */
  result?(result: { key: string; body?: Uint8Array }, txn: Txn): void;
  /** A `delta` or a `page` is about to be taken. `over` is to be called when the last request made for it was answered. */
  arrives?(message: RowsMessage, txn: Txn, over: () => void): void;
  /** A `delta` or a `page` was taken, with all its rows. */
  arrived?(message: RowsMessage, txn: Txn, over: () => void): void;
  /** Whether rows of a collection are kept; if not, each is only given to `row`. */
  keeps?(collection: Uint8Array): boolean;
  /** How many rows a collection has at most: those of the highest ids. */
  bound?(collection: Uint8Array): number | undefined;
}

/** A row of the phone as a store keeps it. */
export interface StoredRow { collection: Uint8Array; id: Uint8Array; rev: bigint; stale: boolean; body?: Uint8Array }

/** The mirrored rows in a transaction. Answers come by a call, at once or before the transaction ends. */
export interface StoredRows {
  get(collection: Uint8Array, id: Uint8Array, then: (row: StoredRow | undefined) => void): void;
  put(row: StoredRow): void;
  delete(collection: Uint8Array, id: Uint8Array): void;
  count(collection: Uint8Array, then: (count: number) => void): void;
  /** Visits the rows of a collection in the order of their ids, then calls `over`. */
  each(collection: Uint8Array, visit: (row: StoredRow, stored: { put(row: StoredRow): void; delete(): void }) => void, over: () => void): void;
}

/**
 * What a companion keeps, and how it changes: all in one transaction, or nothing. `handfast/examples/store_suite.rs` of the repository
 * tests a store over lines of JSON.
 */
export interface Store<Txn> {
  /** Opens it. `lost(reason)` is called when it stops working by itself. */
  open(lost: (reason: string) => void): Promise<void>;
  close(): Promise<void> | void;
  /** The newest link. */
  link(): Promise<KnownLink | undefined>;
  /** The keys and values of a link's machine. */
  linkRows(link: string): Promise<[Uint8Array, Uint8Array][]>;
  /** The mirrored rows of a collection, in the order of their ids. */
  rows(collection: Uint8Array): Promise<StoredRow[]>;
  /**
   * Applies commits, then effects, in one transaction, and resolves when it is durable. Transactions end in the order of the calls. Of
   * each link's first commit the row `versionKey` must equal `expects`, else it rejects with `Conflict`; with `Full` when there is no space.
   */
  write(commits: Commit[], effects: ((txn: Txn) => void)[]): Promise<void>;
  /** Stores a link's terms and state; changes the state of one that is stored. */
  putLink(txn: Txn, link: KnownLink): void;
  setState(txn: Txn, link: string, state: KnownLink["state"]): void;
  /** Deletes all links' terms, all mirrored rows, and what the application stored. */
  clear(txn: Txn): void;
  /** Deletes the rows of a link's machine, and every key that encrypts its secrets. */
  forget(txn: Txn, link: string | undefined): void;
  rowsIn(txn: Txn): StoredRows;
  /** After `lost`: whether the user had the data deleted. */
  wasRemoved?(): Promise<boolean>;
}

/** The transaction in which a store of this type changes. */
export type TxnOf<S> = S extends Store<infer Txn> ? Txn : never;

/** One socket to a relay. */
export interface Socket {
  /** Sends one binary message; the buffer may be used again after the call. */
  send(bytes: Uint8Array): void;
  /** Closes it after what was sent before. No handler is called any more. */
  close(): void;
}

/** What a socket tells: never during a call to it, and `closed` last, once. */
export interface SocketHandlers {
  opened(): void;
  message(bytes: Uint8Array): void;
  /** So many bytes have left. */
  written(bytes: number): void;
  closed(reason: string): void;
}

/** Opens a socket to this URL. */
export type OpenSocket = (url: string, handlers: SocketHandlers) => Socket;

/** Lets one companion at a time use a store. */
export interface Lock {
  /** Takes the lock if it is free. When another one takes it over, `lost` is called; the lock is free once what it returns resolves. */
  take(lost: () => Promise<void>): Promise<boolean>;
  /** Takes the lock from whoever has it, if that is possible. */
  takeOver(lost: () => Promise<void>): Promise<boolean>;
  /** Releases the lock when `finished` resolves. It may be taken again. */
  close(finished?: Promise<void>): Promise<void> | void;
}

/** What every companion is told. */
export interface CommonOptions<Txn> {
  /** The relay's name: a host, or host:port. */
  relay: string;
  /** What the phone shows of this companion, 1 to 64 bytes. */
  label: string;
  /** What the companion asks to be allowed, as bits whose meaning the phone's application defines; none if not given. */
  grants?: bigint;
  /** Where the page claims to be; its own origin if not given, empty in Node. */
  origin?: string;
  /** Whether codes are shown when there is no link; true if not given. */
  pairs?: boolean;
  /** Whether the bodies of rows are stored, which `watch` needs; true if not given. */
  keepsBodies?: boolean;
  application?: Application<Txn>;
  socket?: OpenSocket;
  lock?: Lock;
}

/** A command that will run. */
export interface Sent {
  key: string;
  /** The phone's answer. Rejects when the companion is closed or the link ends before; the command runs all the same. */
  answer: Promise<Uint8Array | undefined>;
}

/** A companion: opens nothing before `start()`, and keeps nothing after `close()`. */
export abstract class CompanionBase<Txn, S = Store<Txn>> {
  start(): Promise<void>;
  /** Takes the link over from the tab that has it. */
  takeOver(): Promise<void>;
  /** Ends everything. The link stays stored. Promises that are open reject with the code `CLOSED`. */
  close(): Promise<void>;
  /** Calls `f` at each event of this type. Returns a function that ends this. */
  on<K extends keyof Events>(type: K, f: (event: EventOf<K>) => void): () => void;
  readonly status: Source<Status>;
  /** The rows of a collection: the same source each time. The collection is followed while somebody listens. A text is a name in UTF-8. */
  watch(collection: Uint8Array | string): Source<WatchedRows>;
  readonly known: KnownLink | null;
  readonly isLinked: boolean;
  readonly store: S;
  /**
   * Sends a command. Resolves when command and `effect` are durable; from then on the phone runs it exactly once, whatever happens. `key`
   * is `drawKey()` at the user's act, to be stored with what is shown of that act; it is drawn here if none is given.
   */
  send(body: Uint8Array, how?: { key?: string; effect?: (txn: Txn) => void }): Promise<Sent>;
  /** Subscribes for this connection: call it at each `connected`. `watch` does so by itself. */
  subscribe(collection: Uint8Array | string): void;
  /** Subscribes to a collection of which no row is kept: from where it was the last time, or else from now on. */
  subscribeFromNow(collection: Uint8Array | string): void;
  unsubscribe(collection: Uint8Array | string): void;
  /** The ids of the rows of a collection that was found in step, for `use` in a transaction; what is stale of it goes before. */
  settleRows(collection: Uint8Array | string, use: (ids: Uint8Array[], txn: Txn, over: () => void) => void): Promise<void>;
  /** Sets a slot that the phone is to know the latest value of. Slot 1 is the package's own. */
  setEphemeral(slot: bigint, body: Uint8Array): void;
  /** What the phone sent cannot be accepted: ends the connection with this code of the specification. */
  refuse(code: number): void;
  readonly streams: Set<bigint>;
  /** Fetches content of which `stored` bytes are stored. */
  streamGet(content: string, stored: number, effect?: (txn: Txn, opened: { id: bigint }) => void): Promise<void>;
  /** Sends the content of this chunk list, which `ContentHasher` returns. */
  streamPut(list: Uint8Array, effect?: (txn: Txn, opened: { id: bigint }) => void): Promise<void>;
  /** Continues a stream from before the start, with its chunk list if that is stored. False if it is not open any more. */
  streamContinue(id: bigint, list?: Uint8Array): boolean;
  /** Hands back the buffer of a `streamWrite`, once its bytes are written. */
  streamReuse(buffer: ArrayBuffer): void;
  /** What `streamSync` asked for is durable. False if nothing was recorded, because the stream has ended or was continued meanwhile. */
  streamDurable(id: bigint, effect?: (txn: Txn) => void): Promise<boolean>;
  /** The content that `streamRead` asked for, or the beginning of it. */
  streamSupply(id: bigint, bytes: Uint8Array): void;
  streamPause(id: bigint, isPaused: boolean): void;
  streamStop(id: bigint, code: "CANCELLED" | "IO" | "GONE"): void;
  /** Changes what the application stores, after all writes that were requested before. */
  change(effect: (txn: Txn) => void): Promise<void>;
  /** Takes back the seat that another browser took, at the user's wish. */
  takeBack(): void;
  /** The two digits that the user read on the phone, after `numberWanted`. There is no second try. */
  enterNumber(digits: string): void;
  /** Ends the pairing attempt at the user's wish. */
  stopPairing(): void;
  /** Shows another code at the user's wish, after `codeBurnt`. */
  newCode(): Promise<void>;
  /** Deletes the link and all that came over it, and shows codes again. */
  logOut(): Promise<void>;
}

/** Makes a step in a transaction when the steps before it are over; what arrives is applied in its order. */
export function inTurn(txn: object, step: (over: () => void) => void): void;
/** A fresh key for a command: 16 random bytes as hex. */
export function drawKey(): string;
/** Bytes as hexadecimal. */
export function hex(bytes: Uint8Array): string;

/** A transaction of a store of tables. */
export interface TableTxn {
  get(table: string, key: string): unknown;
  /** The keys and values of a table, in the order of the keys. */
  entries(table: string): [string, unknown][];
  /** Stores a copy of a value: whatever `structuredClone` takes. */
  put(table: string, key: string, value: unknown): void;
  delete(table: string, key: string): void;
  /** Calls `f` when the transaction is durable. */
  whenDurable(f: () => void): void;
}

/** A store of tables, held in memory. */
export interface TableStore extends Store<TableTxn> {
  get(table: string, key: string): Promise<unknown>;
  entries(table: string): Promise<[string, unknown][]>;
}

/** One value that a backend stores. A change without `value` deletes it. `secret` should be encrypted by a key that is not beside it. */
export interface Change { table: string; key: string; value?: unknown; secret?: boolean; wasSecret?: boolean }

/** What makes a store of tables durable. */
export interface Backend {
  /** All that is stored. `lost(reason)` is called when the backend stops working by itself. */
  load(lost: (reason: string) => void): Promise<Iterable<Change>>;
  /**
   * Makes changes durable, all or none, before it resolves. `all()` is everything that is then stored, for a backend that writes it again.
   * With `wasSecret` nothing of the old value should stay.
   */
  save(changes: Change[], all: () => Iterable<Change>): Promise<void>;
  close(): Promise<void> | void;
}

export function memoryStore(): TableStore;
export function tableStore(backend: Backend): TableStore;
export function noLock(): Lock;
/** Sockets over this class: the global `WebSocket` if none is given. The one of the package `ws` will do. */
export function webSockets(WebSocket?: new (url: string) => unknown): OpenSocket;

/** Decodes a row from an item of a `delta` or `page`. */
export function decodeRow(item: Uint8Array): Row;
/** The digest of rows, whose ids and revisions are two lists in the same order. */
export function rowDigest(ids: Uint8Array[], revs: BigUint64Array | bigint[]): Uint8Array;
/** Draws a QR code: its modules row by row, 1 for dark and 0 for light, with the quiet zone; it is square. */
export function drawCode(text: string): Uint8Array;
/** The media type that a file's first bytes indicate. */
export function mediaType(head: Uint8Array): string;
/** The key of a command that was stored before commands had keys. */
export function oldCommandKey(link: string, number: number): string;
/** The URL of a relay's WebSocket: `ws` for a relay on this machine, `wss` for any other. */
export function relayUrl(name: string): string;
export { ContentHasher } from "./handfast.js";
