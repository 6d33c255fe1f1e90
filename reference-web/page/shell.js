// The page without a network: the Service Worker keeps what the page consists of, and gives it when the network gives nothing.

import { WORKERS, workerUrl } from "./workers.js";

/** Whether this page is what the browser had kept of it. It was not compared with what the relay serves now, so it never links a phone. */
export const isKept = () => document.documentElement.dataset.kept !== undefined;

/** Registers the Service Worker. */
export const startWorker = () => navigator.serviceWorker.register(workerUrl("media_worker.js"), { scope: "/" });

/** Has the worker keep what this page was loaded from. Without that the page only needs a network. */
export async function keepShell() {
  const base = new URL(".", import.meta.url);
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name).filter((name) => name.startsWith(base.href));
  const workers = WORKERS.map((name) => new URL(name, base).href);
  try {
    const { installing, waiting, active } = await startWorker();
    (installing ?? waiting ?? active).postMessage({ keep: [...new Set([...loaded, ...workers])] });
  } catch {
    // The browser allows no such worker, or has no room for it.
  }
}
