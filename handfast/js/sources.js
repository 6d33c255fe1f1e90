// Sources of what an application shows: each has a snapshot that stays the same object until something changes, and tells when it does.
// `useSyncExternalStore(source.subscribe, source.getSnapshot)` of React takes them as they are.

/** A value that changes. */
export class Source {
  #snapshot;
  #listeners = new Set();

  constructor(snapshot) {
    this.#snapshot = snapshot;
  }

  getSnapshot = () => this.#snapshot;

  /** Calls `f` after each change. Returns a function that ends this. */
  subscribe = (f) => {
    const entry = { f };
    this.#listeners.add(entry);
    if (this.#listeners.size === 1) this.begin();
    return () => { if (this.#listeners.delete(entry) && this.#listeners.size === 0) this.end(); };
  };

  get isWatched() {
    return this.#listeners.size > 0;
  }

  /** Called when the first listener has come, and when the last one has gone. */
  begin() {}
  end() {}

  set(snapshot) {
    if (snapshot === this.#snapshot) return;
    this.#snapshot = Object.freeze(snapshot);
    for (const { f } of [...this.#listeners]) {
      try {
        f();
      } catch (error) {
        queueMicrotask(() => { throw error; });
      }
    }
  }
}

/** Where a companion is before it has started. */
const START = Object.freeze({ link: null, connection: null, pairing: null, trouble: null });

/** Events that are a trouble until something else is said. */
const TROUBLES = ["replaced", "revoked", "cleared", "diverged", "suspended", "notPaired"];
/** By type of event, what the status is after it. */
const STATUS = {
  code: (status, { text }) => ({ ...status, pairing: { step: "code", text } }),
  checkCode: (status, { digits }) => ({ ...status, pairing: { step: "checkCode", digits }, trouble: null }),
  numberWanted: (status, { accountName }) => ({ ...status, pairing: { step: "number", accountName } }),
  codeBurnt: (status, { code, asks }) => (asks ? { ...status, pairing: { step: "ended", code } } : status),
  relayLost: (status, { reason }) => ({ ...status, trouble: { type: "relayLost", reason } }),
  unconfirmed: (status, { known }) => ({ ...status, link: known, pairing: null }),
  linked: (status, { known }) => ({ ...status, link: known, pairing: null, trouble: null }),
  unlinked: () => START,
  state: (status, { state }) => ({ ...status, connection: state }),
  connected: (status) => ({ ...status, trouble: null }),
  taken: () => ({ ...START, trouble: { type: "taken" } }),
  full: (status) => ({ ...status, connection: null, trouble: { type: "full" } }),
  room: (status) => ({ ...status, trouble: null }),
  stopped: (_, { error }) => ({ ...START, trouble: { type: "stopped", error } }),
  ...Object.fromEntries(TROUBLES.map((type) => [type, (status) => ({ ...status, trouble: { type } })])),
};

/** Where a companion is, as one value: made of its events. */
export class Status extends Source {
  constructor() {
    super(START);
  }

  take(event) {
    const next = STATUS[event.type];
    if (next) this.set(next(this.getSnapshot(), event));
  }
}
