// Functions that are called when something happens.

/** Functions by the type of event, or all of one kind. A function that throws does not keep the others from being called. */
export class Listeners {
  #all = new Map();

  /** Calls `f` at each event of this type from now on. Returns a function that ends this. */
  on(type, f) {
    const entry = { f };
    const of = this.#all.get(type) ?? new Set();
    this.#all.set(type, of.add(entry));
    return () => { of.delete(entry); };
  }

  /** Calls the functions of this type, in the order in which they were added. */
  tell(type, value) {
    for (const { f } of [...this.#all.get(type) ?? []]) {
      try {
        f(value);
      } catch (error) {
        // As if the runtime had called it: an error without a handler, and nothing here depends on it.
        queueMicrotask(() => { throw error; });
      }
    }
  }
}
