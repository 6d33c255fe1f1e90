// What arrives from the phone, applied in the transaction of its commit: rows into the store's mirror, and rows and results to the
// application.

import { digestOf, dropStale, inTurn, passRows, rowsOf, takeRows } from "./rows.js";

export class Arrivals {
  #store;
  #application;
  #keepsBodies;

  constructor(store, application, keepsBodies) {
    this.#store = store;
    this.#application = application;
    this.#keepsBodies = keepsBodies;
  }

  /** Applies a message, with its effect on what the application stores. */
  take(message, txn) {
    const application = this.#application;
    if (message.type === "result") application.result?.(message, txn);
    if (message.type !== "delta" && message.type !== "page") return;
    if (application.arrives) inTurn(txn, (over) => application.arrives(message, txn, over));
    inTurn(txn, (over) => this.#takeRows(message, txn, over));
    if (application.arrived) inTurn(txn, (over) => application.arrived(message, txn, over));
  }

  #takeRows(message, txn, over) {
    const { collection } = message;
    const application = this.#application;
    // Without a word of the application, a row without a body marks a deletion.
    const take = (row) => (application.row ? application.row(row, txn) : row.body.length > 0);
    if (application.keeps?.(collection) ?? true) {
      const how = { take, gone: (row) => application.gone?.(row, txn), bound: this.#bound(collection), keepsBodies: this.#keepsBodies };
      takeRows(message, this.#store.rowsIn(txn), how, over);
    } else {
      passRows(message, take);
      over();
    }
  }

  #bound(collection) {
    return this.#application.bound?.(collection);
  }

  /** Drops the stale rows of a collection, and calls `gone` for each. */
  settle(collection, txn, then) {
    const gone = (row) => this.#application.gone?.(row, txn);
    inTurn(txn, (over) => dropStale(this.#store.rowsIn(txn), collection, gone, () => then(over)));
  }

  /** The stored rows of a collection that are not stale. */
  rows(collection) {
    return rowsOf(this.#store, collection, this.#bound(collection));
  }

  digest(collection) {
    return digestOf(this.#store, collection, this.#bound(collection));
  }
}
