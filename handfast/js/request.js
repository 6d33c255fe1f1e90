// IndexedDB requests as promises.

/** The error that the browser gives this page no more storage. Durable data stay; the user can free space. */
export class Full extends Error {
  constructor() {
    super("this browser has no room left to keep anything");
    this.name = "Full";
  }
}

/** Returns a promise for the result of an IndexedDB request. */
export function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(told(request.error));
  });
}

/** Converts the browser's error about exceeded storage to `Full`. Returns any other error unchanged. */
export const told = (error) => (error?.name === "QuotaExceededError" ? new Full() : error);
