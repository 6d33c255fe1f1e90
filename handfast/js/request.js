// IndexedDB requests as promises.

/** The browser gives this page no more storage. Durable data stay; the user can free space. */
export class Full extends Error {
  constructor() {
    super("this browser has no room left to keep anything");
    this.name = "Full";
  }
}

/** Returns a promise for the result of a request. */
export function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(told(request.error));
  });
}

/** Converts the browser's error about exceeded storage to `Full`, and returns all others unchanged. */
export const told = (error) => (error?.name === "QuotaExceededError" ? new Full() : error);
