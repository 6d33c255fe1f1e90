// The primitives, from node:crypto alone, and what Handfast asks of them beyond that.

import { createCipheriv, createDecipheriv, createPrivateKey, createPublicKey, diffieHellman, sign as ed25519, verify } from "node:crypto";
import { Refused, hex, join, unhex } from "./conventions.mjs";

const PRIME = 2n ** 255n - 19n;
const OIDS = { x25519: "6e", ed25519: "70" };

const secretKey = (kind, bytes) =>
  createPrivateKey({ key: join(unhex(`302e020100300506032b65${OIDS[kind]}04220420`), bytes), format: "der", type: "pkcs8" });
const publicKey = (kind, bytes) =>
  createPublicKey({ key: join(unhex(`302a300506032b65${OIDS[kind]}032100`), bytes), format: "der", type: "spki" });

/** The public key of a secret one. */
export const publicOf = (kind, secret) =>
  createPublicKey(secretKey(kind, secret)).export({ format: "der", type: "spki" }).subarray(-32);

export function exchange(secret, remote) {
  let shared;
  try {
    shared = diffieHellman({ privateKey: secretKey("x25519", secret), publicKey: publicKey("x25519", remote) });
  } catch {
    throw new Refused("BAD_KEY");
  }
  if (shared.every((byte) => byte === 0)) throw new Refused("BAD_KEY");
  return shared;
}

export const sign = (secret, bytes) => ed25519(null, bytes, secretKey("ed25519", secret));

// The y of the points of order 1, 2, 4 and 8.
const little = (bytes) => BigInt(`0x${hex(Buffer.from(bytes).reverse())}`);
const Y8 = little(unhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"));
const SMALL = [0n, 1n, PRIME - 1n, Y8, PRIME - Y8];

/** Canonical, and not of small order. */
function allowed(point) {
  const y = little(point) & (2n ** 255n - 1n);
  return y < PRIME && !SMALL.includes(y);
}

/** The strict rule: cofactorless, S < L, A and R canonical and not of small order. */
export function holds(key, signed, signature) {
  if (!allowed(key) || !allowed(signature.subarray(0, 32))) return false;
  try {
    return verify(null, signed, publicKey("ed25519", key), signature);
  } catch {
    return false;
  }
}

function nonce(counter) {
  const out = Buffer.alloc(12);
  out.writeBigUInt64LE(counter, 4);
  return out;
}

export function seal(key, counter, plaintext, ad = Buffer.alloc(0)) {
  const cipher = createCipheriv("chacha20-poly1305", key, nonce(counter), { authTagLength: 16 });
  cipher.setAAD(ad, { plaintextLength: plaintext.length });
  return join(cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
}

/** The plaintext, or nothing. */
export function unseal(key, counter, sealed, ad = Buffer.alloc(0)) {
  const body = sealed.subarray(0, sealed.length - 16);
  const cipher = createDecipheriv("chacha20-poly1305", key, nonce(counter), { authTagLength: 16 });
  cipher.setAAD(ad, { plaintextLength: body.length });
  cipher.setAuthTag(sealed.subarray(sealed.length - 16));
  const plaintext = cipher.update(body);
  try {
    return join(plaintext, cipher.final());
  } catch {
    return undefined;
  }
}
