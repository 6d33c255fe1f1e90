// IndexedDB requests as promises.

import { CompanionError, Full } from "./errors.js";

/** Returns a promise for the result of an IndexedDB request. */
export function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(told(request.error));
  });
}

/** Converts the browser's error about exceeded storage to `Full`, and any other to one with the code `STORE`. */
export function told(error) {
  if (error?.name === "QuotaExceededError") return new Full(undefined, { cause: error });
  return error && CompanionError.from(error, "STORE");
}
