// The package in Node.

import { CommonOptions, CompanionBase, Lock, OpenSocket, Store, TableStore, TxnOf } from "../companion.js";
export * from "../companion.js";

/** Importing this entry has loaded the module already. */
export function load(): Promise<void>;

export type Options<S = TableStore> = CommonOptions<TxnOf<S>> & (
  /** The file of the link, which one process at a time may use: its lock is the file `FILE.lock`, if none is given. */
  | { file: string; store?: undefined }
  /** Without a `lock` nothing keeps a second process away from a store of your own: `processLock` over a path beside it does. */
  | { file?: undefined; store: S }
);

/** A companion in Node, over the package `ws` or Node's own WebSocket. */
export class Companion<S extends Store<any> = TableStore> extends CompanionBase<TxnOf<S>, S> {
  constructor(options: Options<S>);
}

/** A store in one file, for this user alone. `key`, 32 bytes, encrypts its secrets. */
export function fileStore(path: string, options?: { key?: Uint8Array }): TableStore;
/** A lock among the processes of this machine: a file that is made at `path`, for this purpose alone. It cannot be taken over. */
export function processLock(path: string): Lock;
/** The sockets that a companion uses if it is given none. */
export function nodeSockets(): Promise<OpenSocket>;
