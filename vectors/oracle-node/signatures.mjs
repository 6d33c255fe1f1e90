// Signatures (spec/certificates.md, spec/relay.md).

import { hex, join, label, need, sha256, tlv, unhex, unsigned, varint, withLength } from "./conventions.mjs";
import { holds } from "./crypto.mjs";
import { certificateDecode, relayDecode } from "./layouts.mjs";

export const linkMailbox = (phone, web, salt) => sha256(label("mailbox"), phone, web, salt).subarray(0, 16);

export function attachVerify({ frame, relay, nonce }) {
  const { out: attach } = relayDecode({ frame });
  need(attach.frame === "ATTACH", "NOT_ATTACHED");
  const get = (name) => unhex(attach[name]);
  const where = join(label("attach"), withLength(Buffer.from(relay)), [attach.kind, attach.role]);
  const signed = join(where, get("mailbox"), unhex(nonce));
  if (attach.kind === 2) {
    need(linkMailbox(get("phone_key"), get("web_key"), get("salt")).equals(get("mailbox")), "BAD_ATTACH");
  }
  const role = attach.role === 1 ? "phone" : "web";
  need(holds(get(`${role}_key`), signed, get("signature")), "BAD_ATTACH");
  return { out: { mailbox: attach.mailbox, role }, debug: { signed: hex(signed) } };
}

export function certificateSigned(cert, known, relay) {
  const get = (name) => unhex(cert[name]);
  return tlv([
    [1, Buffer.from("handfast/1 certificate")],
    [3, [1]],
    [5, known.h],
    [7, get("account")],
    [9, known.ps],
    [11, known.wd],
    [13, known.we],
    [15, get("phone_attach")],
    [17, known.web_attach],
    [19, get("salt")],
    [21, get("companion")],
    [23, varint(cert.serial)],
    [25, varint(cert.grants)],
    [27, varint(cert.idle_days)],
    [29, Buffer.from(relay)],
  ]);
}

export function certificateVerify(given) {
  const cert = certificateDecode(unhex(given.certificate));
  const known = Object.fromEntries(["h", "ps", "wd", "we", "web_attach"].map((name) => [name, unhex(given[name])]));
  const signed = certificateSigned(cert, known, given.relay);
  const signature = unhex(cert.signature);
  need(holds(unhex(cert.account), signed, signature), "BAD_SIGNATURE");
  return { out: { hash: hex(sha256(signed, signature)) }, debug: { signed: hex(signed) } };
}

function verified(key, signed, signature, out) {
  need(holds(unhex(key), signed, unhex(signature)), "BAD_SIGNATURE");
  return { out, debug: { signed: hex(signed) } };
}

export function acceptVerify({ we, hash, h, signature }) {
  return verified(we, join(label("accept"), unhex(hash), unhex(h)), signature, { accepted: true });
}

export function revokedVerify({ account, companion, serial, mailbox, signature }) {
  const signed = join(label("revoked"), unhex(companion), unsigned(serial, 8), unhex(mailbox));
  return verified(account, signed, signature, { revoked: true });
}

export function ed25519Verify({ key, signature, message }) {
  need(holds(unhex(key), unhex(message), unhex(signature)), "BAD_SIGNATURE");
  return { out: { holds: true } };
}
