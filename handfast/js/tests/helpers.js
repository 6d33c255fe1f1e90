// What the tests of stores share.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const bytes = (...values) => Uint8Array.from(values);

export const LINK = "00".repeat(16);
export const VERSION = bytes(0);

/** A commit that takes a link from one version to the next. */
export const commit = (from, writes, link = LINK) => ({
  link,
  versionKey: VERSION,
  ...from > 0 && { expects: bytes(from) },
  writes: [...writes, { key: VERSION, value: bytes(from + 1) }],
});

/** Runs `f(folder)` with a folder that is removed then. */
export async function inFolder(f) {
  const folder = await mkdtemp(join(tmpdir(), "handfast-js-"));
  try {
    await f(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Runs `f(store)` with an open store. */
export async function withStore(store, f) {
  await store.open(() => {});
  try {
    return await f(store);
  } finally {
    await store.close();
  }
}
