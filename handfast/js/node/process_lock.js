// A lock among the processes of a machine, for Node: a file that names the process which has it.

import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { CompanionError } from "../errors.js";

/** The locks of this process, by path. */
const held = new Set();
/** The states of a process that has ended, and of which only the id is left: zombie and dead. */
const ENDED = ["Z", "X"];
/** How often the file of a process that has ended is removed before the lock counts as taken. */
const TRIES = 3;

/**
 * Returns a lock on the file `path`. A process that ended without releasing it does not keep it. It cannot be taken over: the user ends the
 * other process.
 */
export const processLock = (path) => new ProcessLock(resolve(path));

class ProcessLock {
  #path;
  #isHeld = false;

  constructor(path) {
    this.#path = path;
  }

  async take() {
    if (held.has(this.#path)) return false;
    held.add(this.#path);
    for (let tries = 0; tries < TRIES; tries += 1) {
      if (await this.#make()) {
        this.#isHeld = true;
        return true;
      }
      if (await isAlive(this.#path)) break;
      await rm(this.#path, { force: true });
    }
    held.delete(this.#path);
    return false;
  }

  takeOver() {
    return this.take();
  }

  /** Makes the file, whole or not at all. Returns false if there is one. */
  async #make() {
    const beside = `${this.#path}.${process.pid}`;
    try {
      // The lock is taken before the store is opened, which may be new.
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      await writeFile(beside, await identity(process.pid), { mode: 0o600 });
      await link(beside, this.#path);
      return true;
    } catch (error) {
      if (error.code === "EEXIST") return false;
      held.delete(this.#path);
      throw new CompanionError("STORE", `the lock cannot be made: ${error.message}`, { cause: error });
    } finally {
      await rm(beside, { force: true });
    }
  }

  async close(finished = Promise.resolve()) {
    await finished;
    if (!this.#isHeld) return;
    this.#isHeld = false;
    await rm(this.#path, { force: true });
    held.delete(this.#path);
  }
}

/** What names a process: its id, and on Linux when it started, since another process may get its id later. */
async function identity(pid) {
  return `${pid} ${(await status(pid)).started}`;
}

/** What Linux says of a process, empty elsewhere: its state as a letter, and when it started. */
async function status(pid) {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The name of the program, in parentheses, may have blanks. Behind it is the 3rd field; the 22nd is the time of the start.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0], started: fields[19] ?? "" };
}

async function isAlive(path) {
  const text = await readFile(path, "utf8").catch(() => "");
  const pid = Number.parseInt(text, 10);
  if (!(pid > 0)) return false;
  if (pid === process.pid && text === await identity(pid)) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code === "ESRCH") return false;
  }
  // A process that has ended stays known until its parent asks how it ended, which some never do.
  if (ENDED.includes((await status(pid)).state)) return false;
  return text === await identity(pid);
}
