// The errors of this package. Each has a `code`, which programs may compare; the README lists all codes.

/** An error of this package. `code` is stable. `message` is for people, and may change. */
export class CompanionError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.name = "CompanionError";
    this.code = code;
  }

  /** Returns an error of this class: the error itself, or one with the code that a machine gave to it, or else with `code`. */
  static from(error, code = "INTERNAL") {
    if (error instanceof CompanionError) return error;
    // A DOMException has a number there.
    const own = typeof error?.code === "string" ? error.code : code;
    return new CompanionError(own, error?.message ?? String(error), { cause: error });
  }
}

/** The store has no more space for this companion. What is durable stays; the user can free space. */
export class Full extends CompanionError {
  constructor(message = "this browser has no room left to keep anything", options) {
    super("FULL", message, options);
    this.name = "Full";
  }
}

/** Another tab or process has written to the store. Drop everything, and open the store again. */
export class Conflict extends CompanionError {
  constructor(message = "the database was changed by something else") {
    super("CONFLICT", message);
    this.name = "Conflict";
  }
}

/** The companion was closed before this was done, or has stopped, or not started yet. */
export const closed = () => new CompanionError("CLOSED", "the companion is closed, or was not started");
