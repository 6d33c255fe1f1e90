// The package in Node.

import { CommonOptions, CompanionBase, Lock, OpenSocket, Store, TableStore, TableTxn } from "../companion.js";
export * from "../companion.js";

/** Importing this entry has loaded the module already. */
export function load(): Promise<void>;

export type Options<Txn> = CommonOptions<Txn> & (
  /** The file of the link, which one process at a time may use. */
  | { file: string; store?: undefined }
  | { file?: undefined; store: Store<Txn> }
);

/** A companion in Node, over the package `ws` or Node's own WebSocket. */
export class Companion<Txn = TableTxn> extends CompanionBase<Txn> {
  constructor(options: Options<Txn>);
}

/** A store in one file, for this user alone. `key`, 32 bytes, encrypts its secrets. */
export function fileStore(path: string, options?: { key?: Uint8Array }): TableStore;
/** A lock among the processes of this machine. It cannot be taken over. */
export function processLock(path: string): Lock;
/** The sockets that a companion uses if it is given none. */
export function nodeSockets(): Promise<OpenSocket>;
