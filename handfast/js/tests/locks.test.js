// The locks, as far as Node has them.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { noLock } from "../locks.js";
import { processLock } from "../node/process_lock.js";
import { inFolder } from "./helpers.js";

const HOLDER = `
  import { processLock } from ${JSON.stringify(new URL("../node/process_lock.js", import.meta.url).href)};
  console.log(await processLock(process.argv[1]).take());
  setInterval(() => {}, 1_000);
`;

/** Starts a process that takes the lock and keeps it. */
async function holder(path) {
  const child = spawn(process.execPath, ["--input-type=module", "-e", HOLDER, path], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(child.stdout, "data");
  assert.equal(`${line}`.trim(), "true");
  return child;
}

test("a lock is one process's, and free when that has ended in whatever way", () => inFolder(async (folder) => {
  const path = join(folder, "made", "lock");
  const child = await holder(path);
  const lock = processLock(path);
  assert.equal(await lock.take(), false);
  assert.equal(await lock.takeOver(), false);
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(await lock.take(), true);
  await lock.close();
  assert.deepEqual(await readdir(join(folder, "made")), []);
}));

test("a process that has ended keeps no lock, also while its parent has not asked how", { skip: process.platform !== "linux" }, () => inFolder(async (folder) => {
  const path = join(folder, "lock");
  // A shell that never waits for its child, and a child that is killed: its id and the time of its start stay.
  const script = `"$0" --input-type=module -e "$1" "$2" & echo $!; exec sleep 60`;
  const parent = spawn("sh", ["-c", script, process.execPath, HOLDER, path], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    let said = "";
    for await (const data of parent.stdout) if ((said += data).includes("true")) break;
    const child = Number.parseInt(said, 10);
    const lock = processLock(path);
    assert.equal(await lock.take(), false);
    process.kill(child, "SIGKILL");
    while (!(await readFile(`/proc/${child}/stat`, "utf8")).includes(") Z ")) await nextTurn();
    assert.equal(await lock.take(), true);
    await lock.close();
  } finally {
    parent.kill("SIGKILL");
  }
}));

test("in one process, too, one at a time has it", () => inFolder(async (folder) => {
  const path = join(folder, "lock");
  const [one, other] = [processLock(path), processLock(path)];
  assert.equal(await one.take(), true);
  assert.equal(await other.take(), false);
  // What does not have it does not release it.
  await other.close();
  assert.equal(await other.take(), false);
  await one.close();
  assert.equal(await other.take(), true);
  await other.close();
}));

test("a file of a process whose id was given to another is no lock", () => inFolder(async (folder) => {
  const path = join(folder, "lock");
  for (const left of [`${process.pid} 1`, `${process.ppid} 1`, "", "nobody"]) {
    await writeFile(path, left);
    const lock = processLock(path);
    // Without /proc a process is known by its id alone.
    if (process.platform === "linux" || !left.startsWith(process.ppid)) assert.equal(await lock.take(), true, left);
    await lock.close();
  }
}));

test("a lock that nobody needs is always free", async () => {
  assert.deepEqual([await noLock().take(), await noLock().takeOver()], [true, true]);
});
