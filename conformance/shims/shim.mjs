#!/usr/bin/env node
// The derivation of vectors/oracle-node as a shim: JSON lines on standard input and output, as SHIMS.md has them.

import { createInterface } from "node:readline";
import { OPS } from "../../vectors/check.mjs";
import { Refused } from "../../vectors/oracle-node/conventions.mjs";
import { AREAS } from "../../vectors/oracle-node/errors.mjs";

const HELLO = { ok: true, proto: 1, spec: "1", name: "node-oracle", version: "0.1.0", roles: ["phone", "web", "relay"] };

/** What the line says beside its id. */
function answer(op, given) {
  if (op === "hello") return { ...HELLO, ops: Object.keys(OPS) };
  if (!Object.hasOwn(OPS, op)) return { unsupported: op };
  try {
    return { ok: true, out: OPS[op](given).out };
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused;
    return { ok: false, area: AREAS[refused.message] ?? "unknown", code: refused.message };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, op, in: given } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify({ id, ...answer(op, given) })}\n`);
}
