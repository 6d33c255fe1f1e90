// The only scripts that are loaded by a text: two files beside this one. The browser takes no other text for a script.

export const WORKERS = ["disk_worker.js", "media_worker.js"];

const policy = window.trustedTypes?.createPolicy("handfast", {
  createScriptURL(name) {
    if (!WORKERS.includes(name)) throw new TypeError("not a worker of this page");
    return new URL(name, import.meta.url).href;
  },
});

/** The address of a worker. */
export const workerUrl = (name) => policy?.createScriptURL(name) ?? new URL(name, import.meta.url).href;
