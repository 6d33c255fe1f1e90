// Ratchet, recovery, resume, versions, heads, distinct keys (spec/handshake.md, spec/delivery.md).

import { Reader, hex, need, unhex } from "./conventions.mjs";

const LARGEST = 2n ** 64n - 1n;

/** A phone's two slots, and the last try that it saw. */
class Slots {
  constructor({ current, candidate, last_try }) {
    Object.assign(this, { current, candidate, last: BigInt(last_try) });
  }

  knows(id) {
    return id === this.current || id === this.candidate;
  }

  message1(message) {
    const attempt = BigInt(message.try);
    if (!this.knows(message.id)) return "UNKNOWN_KEY";
    if (attempt === LARGEST || attempt === this.last) return "SILENCE";
    if (attempt < this.last) return "QUARANTINE";
    Object.assign(this, { current: message.id, candidate: message.next, last: attempt });
    return "ANSWER";
  }

  confirm() {
    Object.assign(this, { current: this.candidate ?? this.current, candidate: undefined });
    return "CONFIRMED";
  }
}

export function ratchetPhone(given) {
  const slots = new Slots(given);
  let [known, answer] = [false, ""];
  const steps = given.steps.map((step) => {
    if (step.message1) answer = slots.message1(step.message1);
    else if (step.confirm) answer = slots.confirm();
    else if (step.recover) [known, answer] = [slots.knows(step.recover.held), "ANSWER"];
    else answer = known || slots.knows(step.recover_confirm.held) ? "IN_STEP" : "DIVERGED";
    const out = { answer, current: slots.current, last_try: slots.last.toString() };
    return slots.candidate === undefined ? out : { ...out, candidate: slots.candidate };
  });
  need(answer !== "DIVERGED", "DIVERGED");
  return { out: { steps } };
}

export function ratchetWeb({ last_try }) {
  const next = BigInt(last_try) + 1n;
  need(next < LARGEST, "TRY_EXHAUSTED");
  return { out: { try: next.toString() } };
}

// Which side a reason shows to be put back (RES-033, RES-040).
const PUT_BACK = {
  LACK_W2P: "phone",
  FUTURE_P2W: "phone",
  LOG_BACK: "phone",
  FUTURE_W2P: "web",
  LACK_P2W: "web",
};

export function resumeVerdict({ web, phone }) {
  const of = (block, name) => BigInt(block[name]);
  const reasons = {
    EPOCH_W2P: web.out_epoch !== phone.in_epoch,
    EPOCH_P2W: phone.out_epoch !== web.in_epoch,
    LACK_W2P: of(web, "oldest") > of(phone, "durable") + 1n,
    FUTURE_W2P: of(phone, "durable") >= of(web, "next_seq"),
    LACK_P2W: of(phone, "oldest") > of(web, "durable") + 1n,
    FUTURE_P2W: of(web, "durable") >= of(phone, "next_seq"),
    LOG_BACK: web.log_id === phone.log_id && of(web, "rev") > of(phone, "rev"),
  };
  const [reason] = Object.keys(reasons).filter((name) => reasons[name]);
  if (!reason) return { out: { verdict: "RESUME" } };
  const who = PUT_BACK[reason];
  return { out: { verdict: "RESET", reason, ...(who && { put_back: who }) } };
}

export function versionChoose({ own, offered }) {
  const common = [...unhex(own)].filter((version) => unhex(offered).includes(version));
  need(common.length, "NO_COMMON_VERSION");
  return { out: { version: Math.max(...common) } };
}

export function versionReply({ offered, version }) {
  const [chosen] = unhex(version);
  need(unhex(offered).includes(chosen), "NO_COMMON_VERSION");
  return { out: { version: chosen } };
}

export function kkHead({ message }) {
  const reader = new Reader(unhex(message));
  const [suite, mode, pskId] = [reader.u8(), reader.u8(), reader.take(8)];
  need(suite === 1 && mode <= 1, "FIELD_VALUE");
  return { out: { mode: ["resume", "recover"][mode], psk_id: hex(pskId), noise: hex(reader.rest()) } };
}

export function keysDistinct({ keys, in_use }) {
  need(new Set(keys).size === keys.length && !keys.some((key) => in_use.includes(key)), "KEY_REUSED");
  return { out: { distinct: true } };
}
