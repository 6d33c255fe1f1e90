// The package in a browser.

import { CommonOptions, CompanionBase, Lock, Store, TxnOf } from "./companion.js";
export * from "./companion.js";

/**
 * Loads the WebAssembly module, once. `start()` does it, too; call it before for what needs the module without a companion. `source` is where
 * the module comes from, if it is not beside its scripts.
 */
export function load(source?: string | URL | Request | Response | BufferSource | WebAssembly.Module): Promise<void>;
export default load;

export interface Options<S = IndexedDbStore> extends CommonOptions<TxnOf<S>> {
  /** The name of the database and of the lock, if none are given: `handfast`. */
  name?: string;
  store?: S;
}

/** A companion in a page, by default over IndexedDB, the browser's WebSocket and Web Locks. */
export class Companion<S extends Store<any> = IndexedDbStore> extends CompanionBase<TxnOf<S>, S> {
  constructor(options: Options<S>);
}

/** A store in IndexedDB. */
export interface IndexedDbStore extends Store<IDBTransaction> {
  readonly isOpen: boolean;
  /** A transaction over these object stores that only reads. */
  read(...stores: string[]): IDBTransaction;
  get(store: string, key: IDBValidKey): Promise<unknown>;
}

/** A store in the database `name`, with the application's own object stores, which are cleared with the link. */
export function indexedDbStore(name: string, options?: {
  /** The version of `stores`, from 1. */
  version?: number;
  /** By name, the options and the indexes of each object store. */
  stores?: Record<string, IDBObjectStoreParameters & { indexes?: Record<string, string | string[]> }>;
  /** Migrates the stores from an older version; those that were missing exist by then. */
  upgrade?(db: IDBDatabase, txn: IDBTransaction, from: number): void;
}): IndexedDbStore;

/** A lock among the tabs and workers of an origin, which a tab can take over. */
export function webLock(name: string): Lock;
