// How the page works without a network: the Service Worker caches the page's files, and serves them when the
// network does not.

import { WORKERS, workerUrl } from "./workers.js";

/** Returns whether this page came from the cache. Such a page may be outdated, so it never links a phone. */
export const isKept = () => document.documentElement.dataset.kept !== undefined;

/** Registers the Service Worker, which serves the whole origin. */
export const startWorker = () => navigator.serviceWorker.register(workerUrl("media_worker.js"), { scope: "/" });

/**
 * Makes the Service Worker cache the files from which this page was loaded. If that fails, the page needs a
 * network.
 */
export async function keepShell() {
  const base = new URL(".", import.meta.url);
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name).filter((name) => name.startsWith(base.href));
  const workers = WORKERS.map((name) => new URL(name, base).href);
  try {
    const { installing, waiting, active } = await startWorker();
    (installing ?? waiting ?? active).postMessage({ keep: [...new Set([...loaded, ...workers])] });
  } catch {
    // The browser allows no Service Worker, or has no space for the files.
  }
}
