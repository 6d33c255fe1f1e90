// The Noise Protocol Framework, revision 34, section 5, for the two patterns of Handfast; sealed records.

import { Refused, SIZES, hex, hmac, join, need, sha256, unhex } from "./conventions.mjs";
import { exchange, publicOf, seal, unseal } from "./crypto.mjs";
import { canonical } from "./layouts.mjs";

const PATTERNS = {
  XKpsk0: { known: "r", messages: ["psk e es", "e ee", "s se"] },
  KKpsk0: { known: "ir", messages: ["psk e es ss", "e ee se"] },
};

export const dhPublic = (secret) => publicOf("x25519", secret);

/** One party of a handshake. */
export class Noise {
  constructor(protocol, initiates, prologue, e, s, psk, rs) {
    const { known, messages } = PATTERNS[protocol.split("_")[1]];
    Object.assign(this, { initiates, e, s, psk, rs, messages, turn: 0, n: 0n });
    const name = Buffer.from(protocol);
    this.h = name.length <= 32 ? join(name, Buffer.alloc(32 - name.length)) : sha256(name);
    this.ck = this.h;
    this.mixHash(prologue);
    if (rs) need(canonical(rs) && !rs.equals(dhPublic(s)), "BAD_KEY");
    if (known.includes("i")) this.mixHash(initiates ? dhPublic(s) : rs);
    if (known.includes("r")) this.mixHash(initiates ? rs : dhPublic(s));
  }

  mixHash(bytes) {
    this.h = sha256(this.h, bytes);
  }

  outputs(bytes) {
    const temp = hmac(this.ck, bytes);
    const first = hmac(temp, [1]);
    const second = hmac(temp, first, [2]);
    return [first, second, hmac(temp, second, [3])];
  }

  mixKey(bytes) {
    [this.ck, this.k] = this.outputs(bytes);
    this.n = 0n;
  }

  mix(token) {
    if (token === "psk") {
      const [ck, temp, k] = this.outputs(this.psk);
      Object.assign(this, { ck, k, n: 0n });
      this.mixHash(temp);
      return;
    }
    const [local, remote] = this.initiates ? [token[0], token[1]] : [token[1], token[0]];
    this.mixKey(exchange(local === "e" ? this.e : this.s, remote === "e" ? this.re : this.rs));
  }

  encrypt(bytes) {
    if (this.k) {
      bytes = seal(this.k, this.n, bytes, this.h);
      this.n += 1n;
    }
    this.mixHash(bytes);
    return bytes;
  }

  decrypt(bytes) {
    let plain = bytes;
    if (this.k) {
      plain = unseal(this.k, this.n, bytes, this.h);
      need(plain, "HANDSHAKE_FAILED");
      this.n += 1n;
    }
    this.mixHash(bytes);
    return plain;
  }

  write(payload) {
    const out = [];
    for (const token of this.messages[this.turn].split(" ")) {
      if (token === "e") {
        out.push(dhPublic(this.e));
        this.mixHash(dhPublic(this.e));
        this.mixKey(dhPublic(this.e)); // both patterns have a psk
      } else if (token === "s") out.push(this.encrypt(dhPublic(this.s)));
      else this.mix(token);
    }
    this.turn += 1;
    return join(...out, this.encrypt(payload));
  }

  read(message) {
    need(message.length <= 4096, "FIELD_LENGTH");
    const tokens = this.messages[this.turn].split(" ");
    const count = (name) => tokens.filter((token) => token === name).length;
    need(message.length >= 32 * count("e") + 48 * count("s") + 16, "TRUNCATED");
    for (const token of tokens) {
      if (token === "e") {
        [this.re, message] = [message.subarray(0, 32), message.subarray(32)];
        need(canonical(this.re), "BAD_KEY");
        this.mixHash(this.re);
        this.mixKey(this.re);
      } else if (token === "s") {
        [this.rs, message] = [this.decrypt(message.subarray(0, 48)), message.subarray(48)];
        need(canonical(this.rs) && !this.rs.equals(dhPublic(this.s)), "BAD_KEY");
      } else this.mix(token);
    }
    this.turn += 1;
    return this.decrypt(message);
  }

  variables() {
    return { ck: hex(this.ck), h: hex(this.h), k: hex(this.k), n: Number(this.n) };
  }
}

const LOCAL = ["BAD_SIGNATURE", "BAD_KEY", "KEY_REUSED"];

/** What is told to this device alone leaves it as HANDSHAKE_FAILED (ERR-004). */
export function hidden(given, read) {
  try {
    return read();
  } catch (refused) {
    if (refused instanceof Refused && !given.local && LOCAL.includes(refused.message)) throw new Refused("HANDSHAKE_FAILED");
    throw refused;
  }
}

export function noiseRead(given) {
  return hidden(given, () => {
    const get = (name) => unhex(given[name]);
    const rs = given.rs && get("rs");
    const party = new Noise(given.protocol, false, get("prologue"), get("e"), get("s"), get("psk"), rs);
    const payload = party.read(get("message"));
    return { out: { payload: hex(payload), h: hex(party.h) }, debug: party.variables() };
  });
}

/** A party that writes its own messages and reads those that come, until it refuses one. */
export function handshakeParty(given) {
  return hidden(given, () => {
    const get = (name) => unhex(given[name]);
    const initiates = given.role === "initiator";
    const [payloads, messages] = [given.payloads.map(unhex), given.messages.map(unhex)];
    const rs = given.rs && get("rs");
    const party = new Noise(given.protocol, initiates, get("prologue"), get("e"), get("s"), get("psk"), rs);
    const [sent, read, steps] = [[], [], []];
    for (;;) {
      const writes = initiates === (party.turn % 2 === 0);
      if (!(writes ? payloads : messages).length) break;
      if (writes) sent.push(hex(party.write(payloads.shift())));
      else read.push(hex(party.read(messages.shift())));
      steps.push(party.variables());
    }
    return { out: { sent, read, h: hex(party.h) }, debug: { steps } };
  });
}

export function recordOpen({ k, n, record }) {
  const bytes = unhex(record);
  need(SIZES.includes(bytes.length - 16), "BAD_RECORD_SIZE");
  need(BigInt(n) < 2n ** 64n - 1n, "NONCE_EXHAUSTED");
  const plaintext = unseal(unhex(k), BigInt(n), bytes);
  need(plaintext, "DECRYPT_FAILED");
  return { out: { plaintext: hex(plaintext) } };
}
