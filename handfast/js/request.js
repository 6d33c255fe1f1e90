// Requests of IndexedDB as promises.

/** The browser gives this page no more room. What was durable still is; there is room again when the user has made some. */
export class Full extends Error {
  constructor() {
    super("this browser has no room left to keep anything");
    this.name = "Full";
  }
}

/** The result of a request. */
export function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(told(request.error));
  });
}

/** The browser's word that there is no room, as `Full`. */
export const told = (error) => (error?.name === "QuotaExceededError" ? new Full() : error);
