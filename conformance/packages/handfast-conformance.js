#!/usr/bin/env node
// Starts the program of this package that is built for this platform, and ends as it does.
"use strict";

const { spawn } = require("node:child_process");
const { existsSync, readdirSync } = require("node:fs");
const { constants } = require("node:os");
const path = require("node:path");

const NAME = "handfast-conformance";
const FORWARDED = ["SIGHUP", "SIGINT", "SIGTERM"];

const folder = path.join(__dirname, "native");
const platform = `${process.platform}-${process.arch}`;
const program = path.join(folder, platform, process.platform === "win32" ? `${NAME}.exe` : NAME);

/** Wrong usage has exit code 2, as everywhere in the program. */
function fail(reason) {
  console.error(`${NAME}: ${reason}`);
  process.exit(2);
}

if (!existsSync(program)) {
  const built = readdirSync(folder).join(", ");
  fail(`this package has no program for ${platform}, only for ${built}; build it from source with cargo (see its README)`);
}

// The line that asks a case again is to begin as this one did.
const isNpx = process.env.npm_command === "exec";
const env = isNpx ? { ...process.env, HANDFAST_CONFORMANCE_CALLED: `npx ${NAME}` } : process.env;
const child = spawn(program, process.argv.slice(2), { stdio: "inherit", env });
for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  // The file is there: what is missing is what loads it.
  const libc = error.code === "ENOENT" ? ` (${platform} here means a system with glibc)` : "";
  fail(`${program} cannot be started: ${error.message}${libc}`);
});
child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
