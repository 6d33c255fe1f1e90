#!/usr/bin/env node
// Derives the vectors of v1/ a third time, from the text of spec/, over node:crypto alone. It shares no code with the
// Rust or the Python. A case passes when output, intermediate values or error code are the same.
//
//   node check.mjs [--self-test] [FOLDER]

import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { commandOldKey, commandsPhone, commandsWeb, envelopeDecode, replyRead } from "./oracle-node/commands.mjs";
import { holds } from "./oracle-node/crypto.mjs";
import { Refused } from "./oracle-node/conventions.mjs";
import { AREAS } from "./oracle-node/errors.mjs";
import { pairing, pairingOpening, reconnect } from "./oracle-node/handshakes.mjs";
import { linkRecordDecode, payloadDecode, qrDecode, recordDecode, relayDecode } from "./oracle-node/layouts.mjs";
import { mediaReceive } from "./oracle-node/media.mjs";
import { messageDecode } from "./oracle-node/messages.mjs";
import { handshakeParty, noiseRead, recordOpen } from "./oracle-node/noise.mjs";
import { keysDistinct, kkHead, ratchetPhone, ratchetWeb, resumeVerdict, versionChoose, versionReply } from "./oracle-node/rules.mjs";
import { acceptVerify, attachVerify, certificateVerify, ed25519Verify, revokedVerify } from "./oracle-node/signatures.mjs";
import { statePath } from "./oracle-node/state.mjs";

export const OPS = {
  "qr.decode": qrDecode,
  "relay.decode": relayDecode,
  "record.decode": recordDecode,
  "link-record.decode": linkRecordDecode,
  "payload.decode": payloadDecode,
  "message.decode": messageDecode,
  "record.open": recordOpen,
  "noise.read": noiseRead,
  "handshake.party": handshakeParty,
  "attach.verify": attachVerify,
  "certificate.verify": certificateVerify,
  "accept.verify": acceptVerify,
  "revoked.verify": revokedVerify,
  "ed25519.verify": ed25519Verify,
  pairing,
  "pairing.opening": pairingOpening,
  reconnect,
  "ratchet.phone": ratchetPhone,
  "ratchet.web": ratchetWeb,
  "resume.verdict": resumeVerdict,
  "envelope.decode": envelopeDecode,
  "command.old-key": commandOldKey,
  "commands.phone": commandsPhone,
  "commands.web": commandsWeb,
  "reply.read": replyRead,
  "version.choose": versionChoose,
  "version.reply": versionReply,
  "kk.head": kkHead,
  "keys.distinct": keysDistinct,
  "media.receive": mediaReceive,
  state: statePath,
};

const here = dirname(fileURLToPath(import.meta.url));

/** What differs between a case and this derivation, if anything. */
function faultOf(given) {
  const expected = given.error ?? {};
  let derived;
  try {
    derived = OPS[given.op](given.in);
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused;
    if (given.result === "valid") return `refused with ${refused.message}`;
    const found = { area: AREAS[refused.message], code: refused.message };
    return isDeepStrictEqual(found, expected) ? undefined : `refused with ${found.code}, not ${expected.code}`;
  }
  if (given.result !== "valid") return `accepted, not refused with ${expected.code}`;
  for (const part of ["out", "debug"]) {
    const [found, said] = [derived[part] ?? {}, given[part] ?? {}];
    const names = [...new Set([...Object.keys(found), ...Object.keys(said)])];
    const differing = names.filter((name) => !isDeepStrictEqual(found[name], said[name]));
    if (differing.length) return `${part} differs in ${differing.join(", ")}`;
  }
  return undefined;
}

/** The same value with one digit, letter or flag changed. */
function altered(value) {
  if (Array.isArray(value)) return [...value, 1];
  if (typeof value === "boolean") return !value;
  if (typeof value === "number") return value + 1;
  if (typeof value === "string") return (value.startsWith("0") ? "1" : "0") + value.slice(1);
  const [first] = Object.keys(value);
  return { ...value, [first]: altered(value[first]) };
}

/** Changes to what a case expects that would pass: there must be none. */
function unnoticed(given) {
  const wrong = [{ result: given.result === "valid" ? "invalid" : "valid" }];
  if (given.result === "invalid") wrong.push({ error: { area: "link", code: "REKEY" } });
  else {
    for (const part of ["out", "debug"]) {
      for (const [name, value] of Object.entries(given[part] ?? {})) {
        wrong.push({ [part]: { ...given[part], [name]: altered(value) } });
      }
    }
  }
  return wrong.filter((change) => faultOf({ ...given, ...change }) === undefined);
}

/** How many of the edge points of Ed25519 there are, and how many hold by CRT-001. */
function edgePoints() {
  const points = JSON.parse(readFileSync(join(here, "ed25519/ed25519vectors.json"), "utf8"));
  const holding = points.filter(({ key, sig, msg }) => holds(Buffer.from(key, "hex"), Buffer.from(msg), Buffer.from(sig, "hex")));
  return [points.length, holding.length];
}

function main() {
  const selfTest = process.argv.includes("--self-test");
  const folder = process.argv.slice(2).find((argument) => !argument.startsWith("--")) ?? join(here, "v1");
  const faults = [];
  let total = 0;
  for (const name of readdirSync(folder).sort()) {
    if (!name.endsWith(".json")) continue;
    for (const given of JSON.parse(readFileSync(join(folder, name), "utf8")).cases) {
      total += 1;
      const fault = OPS[given.op] ? faultOf(given) : `the operation ${given.op} is not known`;
      if (fault) faults.push(`${given.id}: ${fault}`);
      else if (selfTest) unnoticed(given).forEach((change) => faults.push(`${given.id}: ${JSON.stringify(change)} goes unnoticed`));
    }
  }
  const points = edgePoints();
  if (!isDeepStrictEqual(points, [914, 43])) faults.push(`of ${points[0]} edge points ${points[1]} hold`);
  faults.forEach((fault) => console.log(`FAULT ${fault}`));
  console.log(`${total} cases, ${faults.length} faults`);
  process.exitCode = faults.length || !total ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
