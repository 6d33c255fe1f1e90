// Whole pairings, reconnects and recoveries (spec/handshake.md).

import assert from "node:assert";
import { expand, extract, hex, hkdf, join, label, need, pad, sha256, tlv, u64, unhex, unsigned, varint, withLength } from "./conventions.mjs";
import { publicOf, seal, sign } from "./crypto.mjs";
import { codeSecret, pairingSecrets, qrEncode } from "./layouts.mjs";
import { Noise, dhPublic } from "./noise.mjs";
import { certificateSigned, linkMailbox } from "./signatures.mjs";

const edPublic = (secret) => publicOf("ed25519", secret);
const frame = (type, body) => join(varint(type), varint(body.length), body);
/** A DATA frame of kind 7 with a sealed record. */
const record = (key, counter, frames) => hex(join([9, 7], seal(key, counter, pad(frames))));
const secrets = (side) => Object.fromEntries(Object.entries(side).map(([name, value]) => [name, unhex(value)]));
export const pskId = (psk, mailbox) => hkdf(psk, join(label("id"), mailbox), 8);

function epochs(h) {
  const epoch = (way) => hex(hkdf(h, join(label("epoch"), Buffer.from(way)), 16));
  return { epoch_w2p: epoch("w2p"), epoch_p2w: epoch("p2w") };
}

/** The terms, then further fields, padded. */
function payload(given, more) {
  const capabilities = join(...given.capabilities.map(varint));
  const limits = join(...given.limits.flat().map(varint));
  return pad(tlv([[1, unhex(given.versions)], [3, capabilities], [5, limits], ...more]));
}

/** Each message written by one side and read by the other, in turn. */
function talk(initiator, responder, payloads) {
  let sides = [initiator, responder];
  const [messages, steps] = [[], []];
  for (const content of payloads) {
    messages.push(sides[0].write(content));
    assert(sides[1].read(messages.at(-1)).equals(content));
    assert.deepStrictEqual(sides[0].variables(), sides[1].variables());
    steps.push(sides[0].variables());
    sides = sides.reverse();
  }
  return { messages, steps };
}

export function pairing(given) {
  const [phone, web, wqSecret] = [secrets(given.phone), secrets(given.web), unhex(given.wq)];
  const [wq, opening, relay] = [dhPublic(wqSecret), unhex(given.opening), Buffer.from(given.relay)];
  const secret = codeSecret(wq, opening);
  const [mailbox, psk] = pairingSecrets(wq, secret);
  const tail = join([0], withLength(relay));
  const offer = join([2, 0], wq, tail);
  const ids = unhex(given.phone_id + given.web_id);
  const prologue = join(label("pairing"), withLength(offer), withLength(relay), mailbox, ids);
  const protocol = "Noise_XKpsk0_25519_ChaChaPoly_SHA256";
  const initiator = new Noise(protocol, true, prologue, phone.e, phone.ps, psk, wq);
  const responder = new Noise(protocol, false, prologue, web.e, wqSecret, psk);
  const claims = given.payload2;
  const [we, webAttach, wd] = [edPublic(web.we), edPublic(web.attach), dhPublic(web.wd)];
  const texts = [[13, Buffer.from(claims.label)], [15, Buffer.from(claims.origin)], [17, varint(claims.grants)]];
  const second = payload(claims, [[7, wd], [9, we], [11, webAttach], ...texts, [29, opening]]);
  const { messages, steps } = talk(initiator, responder, [payload(given.payload1, []), second, pad(Buffer.alloc(0))]);
  const [h1, h] = [unhex(steps[0].h), initiator.h];
  const [kP2w, kW2p, rs] = initiator.outputs(Buffer.alloc(0));
  const cert = { ...given.terms, account: hex(edPublic(phone.account)), phone_attach: hex(edPublic(phone.attach)) };
  const signed = certificateSigned(cert, { h, ps: dhPublic(phone.ps), wd, we, web_attach: webAttach }, given.relay);
  const signature = sign(phone.account, signed);
  const body = tlv([
    [3, [1]],
    ...[[7, "account"], [15, "phone_attach"], [19, "salt"], [21, "companion"]].map(([type, name]) => [type, unhex(cert[name])]),
    ...[[23, "serial"], [25, "grants"], [27, "idle_days"]].map(([type, name]) => [type, varint(cert[name])]),
    [31, Buffer.from(cert.account_name)],
    [33, signature],
  ]);
  const hash = sha256(signed, signature);
  const accept = join(label("accept"), hash, h);
  const link = linkMailbox(edPublic(phone.attach), webAttach, unhex(cert.salt));
  const x = extract(psk, rs);
  const key = (name) => expand(x, label(name), 32);
  const digits = (value, name, count) => (u64(hkdf(value, label(name), 8)) % 10n ** BigInt(count)).toString().padStart(count, "0");
  const out = {
    secret: hex(secret),
    qr: qrEncode(join([2, 0], wq, secret, tail)),
    mailbox: hex(mailbox),
    check_code: digits(join(h1, opening), "check code", 4),
    nn: digits(join(h1, opening), "check number", 2),
    h: hex(h),
    cert_record: record(kP2w, 0n, frame(1, body)),
    accept_record: record(kW2p, 0n, frame(3, sign(web.we, accept))),
    commit_record: record(kP2w, 1n, frame(5, [])),
    link_mailbox: hex(link),
    resume_psk: hex(key("resume")),
    resume_psk_id: hex(pskId(key("resume"), link)),
    recovery_psk: hex(key("recovery psk")),
    tombstone_seal: hex(key("tombstone seal")),
    goodbye_seal: hex(key("goodbye seal")),
    ...epochs(h),
  };
  const debug = { psk: hex(psk), prologue: hex(prologue), h1: hex(h1), rs: hex(rs), x: hex(x), k_p2w: hex(kP2w), k_w2p: hex(kW2p) };
  Object.assign(debug, { certificate_signed: hex(signed), certificate_hash: hex(hash), accept_signed: hex(accept) });
  messages.forEach((message, at) => (out[`message${at + 1}`] = hex(message)));
  steps.forEach((step, at) => (debug[`after${at + 1}`] = step));
  return { out, debug };
}

export function pairingOpening(given) {
  const [wq, secret, opening] = ["wq", "secret", "opening"].map((name) => unhex(given[name]));
  need(codeSecret(wq, opening).equals(secret), "HANDSHAKE_FAILED");
  return { out: { opens: true } };
}

function resumeBlock(block) {
  const numbers = (...names) => join(...names.map((name) => varint(block[name])));
  const head = join(unhex(block.out_epoch), unhex(block.in_epoch), numbers("next_seq", "durable", "oldest"));
  return join(head, unhex(block.log_id), numbers("rev"), ...block.streams.flat().map(varint));
}

function kkPayload(given) {
  const more = given.try === undefined ? [] : [[19, unsigned(given.try, 8)]];
  if (given.resume) more.push([21, resumeBlock(given.resume)]);
  if (given.psk_id_held) more.push([23, unhex(given.psk_id_held)]);
  if (given.pending) more.push([25, []]);
  if (given.quarantine) more.push([27, []]);
  const known = given.commands;
  if (known) more.push([31, join(varint(known.highest), unhex(known.key), varint(known.from))]);
  return payload(given, more);
}

export function reconnect(given) {
  const get = (name) => unhex(given[name]);
  const recovers = given.mode === "recover";
  const [mailbox, psk] = [get("mailbox"), get("psk")];
  const ident = pskId(psk, mailbox);
  const head = join([1, recovers ? 1 : 0], ident);
  const prologue = join(label("link"), mailbox, get("web_id"), get("phone_id"), withLength(Buffer.from(given.relay)), head);
  const protocol = "Noise_KKpsk0_25519_ChaChaPoly_SHA256";
  const web = new Noise(protocol, true, prologue, get("web_e"), get("wd"), psk, dhPublic(get("ps")));
  const phone = new Noise(protocol, false, prologue, get("phone_e"), get("ps"), psk, dhPublic(get("wd")));
  const { messages, steps } = talk(web, phone, [kkPayload(given.payload1), kkPayload(given.payload2)]);
  const [kW2p, kP2w, rs] = web.outputs(Buffer.alloc(0));
  const x = extract(psk, rs);
  const next = expand(x, label("resume"), 32);
  const out = { psk_id: hex(ident), message1: hex(join(head, messages[0])), message2: hex(messages[1]), h: hex(web.h) };
  Object.assign(out, { confirm_record: record(kW2p, 0n, []), ...epochs(web.h) });
  let answer = frame(1, [1, 0]);
  if (recovers) {
    const inStep = given.phone_ids.includes(given.payload1.psk_id_held);
    out.close = inStep ? "IN_STEP" : "DIVERGED";
    answer = frame(39, [3, inStep ? 2 : 3, 0]);
  } else Object.assign(out, { next_psk: hex(next), next_psk_id: hex(pskId(next, mailbox)) });
  out.answer_record = record(kP2w, 0n, answer);
  const debug = { prologue: hex(prologue), after1: steps[0], after2: steps[1], rs: hex(rs), x: hex(x), k_w2p: hex(kW2p), k_p2w: hex(kP2w) };
  return { out, debug };
}
