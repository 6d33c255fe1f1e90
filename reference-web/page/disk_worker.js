// Reads and writes the page's files in the origin's private file system, because only a worker may write them
// in place. Requests are executed in order. The answer to a request returns the request's buffer.

const FOLDER = "media";
/**
 * How often it tries to open a file that another tab has open, and the time between two tries, in
 * milliseconds.
 */
const TRIES = 30;
const APART = 100;
/** The name of the browser's error when its storage is full. */
const FULL = "QuotaExceededError";

const handles = new Map();
let folder = null;
let last = Promise.resolve();

async function open(name) {
  const known = handles.get(name);
  if (known) return known;
  const file = await folder.getFileHandle(name, { create: true });
  for (let tries = 1; ; tries += 1) {
    try {
      const handle = await file.createSyncAccessHandle();
      handles.set(name, handle);
      return handle;
    } catch (error) {
      if (error.name !== "NoModificationAllowedError" || tries === TRIES) throw error;
      await new Promise((ok) => setTimeout(ok, APART));
    }
  }
}

function close(name) {
  handles.get(name)?.close();
  handles.delete(name);
}

async function remove(name) {
  close(name);
  await folder.removeEntry(name).catch((error) => { if (error.name !== "NotFoundError") throw error; });
}

const VERBS = {
  async write({ name, at, length, buffer }) {
    const handle = await open(name);
    const written = handle.write(new Uint8Array(buffer, 0, length), { at });
    if (written !== length) throw new DOMException("", FULL);
    return 0;
  },
  async flush({ name }) {
    (await open(name)).flush();
  },
  async read({ name, at, length, buffer }) {
    const handle = await open(name);
    return handle.read(new Uint8Array(buffer, 0, length), { at });
  },
  async rename({ name, to }) {
    close(name);
    await remove(to);
    await (await folder.getFileHandle(name)).move(to);
  },
  remove: ({ name }) => remove(name),
  /** Removes every file but these. Returns the names and sizes of the files that remain. */
  async keep({ names }) {
    const wanted = new Set(names);
    const all = [];
    for await (const entry of folder.entries()) all.push(entry);
    const sizes = [];
    for (const [name, file] of all) {
      if (!wanted.has(name)) await remove(name);
      else sizes.push([name, handles.get(name)?.getSize() ?? (await file.getFile()).size]);
    }
    return sizes;
  },
  close() {
    for (const name of [...handles.keys()]) close(name);
  },
};

async function answer({ id, verb, ...request }) {
  const { buffer } = request;
  const back = buffer ? [buffer] : [];
  try {
    folder ??= await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
    const value = await VERBS[verb](request);
    postMessage({ id, value, buffer }, back);
  } catch (error) {
    postMessage({ id, error: { isFull: error.name === FULL, text: `${error.name}: ${error.message}` }, buffer }, back);
  }
}

onmessage = ({ data }) => { last = last.then(() => answer(data)); };
