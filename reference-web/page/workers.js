// The URLs of the two worker scripts beside this file. The page's Trusted Types policy allows no other script
// URL to be made from text.

export const WORKERS = ["disk_worker.js", "media_worker.js"];

const policy = window.trustedTypes?.createPolicy("handfast", {
  createScriptURL(name) {
    if (!WORKERS.includes(name)) throw new TypeError("not a worker of this page");
    return new URL(name, import.meta.url).href;
  },
});

/** Returns the URL of a worker script, in the form that the browser's Trusted Types require. */
export const workerUrl = (name) => policy?.createScriptURL(name) ?? new URL(name, import.meta.url).href;
