#!/usr/bin/env node
// A shim to fill in: it answers `hello` and `kk.head`; SHIMS.md has the protocol.
//
//     handfast-conformance run --shim 'node template.mjs' --case '*heads*'

import { createInterface } from "node:readline";

/** An error of the specification: its area and its code. */
class Refused extends Error {
  constructor(area, code) {
    super(code);
    this.area = area;
  }
}

/** The clear head of a reconnect's message 1 (HSK-078). Replace this by a call of your code. */
function kkHead(given) {
  const message = Buffer.from(given.message, "hex");
  if (message.length < 10) throw new Refused("framing", "TRUNCATED");
  const [suite, mode] = message;
  if (suite !== 1 || mode > 1) throw new Refused("framing", "FIELD_VALUE");
  const [pskId, noise] = [message.subarray(2, 10), message.subarray(10)].map((part) => part.toString("hex"));
  return { mode: mode ? "recover" : "resume", psk_id: pskId, noise };
}

// Add the next operation here. A name that is missing is answered as unsupported.
const OPS = { "kk.head": kkHead };
const HELLO = { ok: true, proto: 1, spec: "1", name: "template", version: "0", roles: ["phone", "web"] };

function answer(op, given) {
  if (op === "hello") return HELLO;
  if (!Object.hasOwn(OPS, op)) return { unsupported: op };
  try {
    return { ok: true, out: OPS[op](given) };
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused;
    return { ok: false, area: refused.area, code: refused.message };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, op, in: given } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify({ id, ...answer(op, given) })}\n`);
}
