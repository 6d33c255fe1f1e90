// Commands by their keys: envelopes, a phone's memory, a web that was put back (spec/delivery.md), replies
// (spec/handshake.md).

import { Reader, hex, label, need, number, sha256, unhex, unsigned } from "./conventions.mjs";
import { payloadDecode } from "./layouts.mjs";

const [OPEN, KEPT, SHORT, RESULTS] = [1024n, 4096, 64, 4194304];

/** The key that cases give by a number: its 16 bytes. */
const keyOf = (value) => BigInt(value).toString(16).padStart(32, "0");

export function envelopeDecode({ kind, message }) {
  const reader = new Reader(unhex(message));
  if (kind === "command") {
    const numbers = { number: number(reader.varint()), floor: number(reader.varint()) };
    return { out: { ...numbers, key: hex(reader.take(16)), body: hex(reader.rest()) } };
  }
  const key = hex(reader.take(16));
  switch (reader.u8()) {
    case 0:
      return { out: { key, status: "RESULT", body: hex(reader.rest()) } };
    case 1:
      reader.finish();
      return { out: { key, status: "ALREADY_DONE" } };
    default:
      return need(false, "FIELD_VALUE");
  }
}

export function commandOldKey({ mailbox, number: at }) {
  return { out: { key: hex(sha256(label("old command"), unhex(mailbox), unsigned(at, 8)).subarray(0, 16)) } };
}

/** What a phone keeps of a link's commands. */
class Memory {
  constructor() {
    // By key: the number, and what a repeat is answered with; `size` undefined once the result is forgotten.
    this.rows = new Map();
    this.floor = 0n;
    this.from = 1n;
    this.top = { number: 0n, key: keyOf(0) };
    this.bytes = 0;
    // How many rows lie at or above the floor.
    this.open = 0;
  }

  /** Rows in the order of their numbers. */
  sorted() {
    return [...this.rows.values()].sort((one, other) => (one.number < other.number ? -1 : 1));
  }

  cut(row) {
    if (row.size > SHORT) {
      this.bytes -= row.size;
      row.size = undefined;
    }
  }

  settle(floor) {
    if (floor <= this.floor) return;
    this.floor = floor;
    const below = [...this.rows.values()].filter((row) => row.number < floor);
    below.forEach((row) => this.cut(row));
    this.open = this.rows.size - below.length;
    if (below.length <= KEPT) return;
    below.sort((one, other) => (one.number < other.number ? -1 : 1));
    for (const row of below.slice(0, below.length - KEPT)) {
      this.bytes -= row.size ?? 0;
      this.rows.delete(row.key);
      if (row.number >= this.from) this.from = row.number + 1n;
    }
  }

  take({ at, floor, key, size, reads }) {
    need(at >= floor && at - floor < OPEN, "COMMAND_FLOOR");
    this.settle(floor);
    const row = this.rows.get(key);
    if (!row) {
      need(at >= this.floor, "COMMAND_FLOOR");
      need(BigInt(this.open) < OPEN, "LIMIT");
    }
    if (at > this.top.number) this.top = { number: at, key };
    if (row && at > row.number) {
      if (row.number < this.floor && at >= this.floor) this.open += 1;
      row.number = at;
    }
    if (row && !row.reads) return row.size === undefined ? "ALREADY_DONE" : `RESULT ${row.size}`;
    if (!row) {
      this.rows.set(key, { key, number: at, reads, size: reads ? undefined : size });
      this.open += 1;
    } else Object.assign(row, { reads, size: reads ? undefined : size });
    if (!reads) this.bytes += size;
    if (this.bytes > RESULTS) {
      for (const each of this.sorted()) if (this.bytes > RESULTS) this.cut(each);
    }
    return "RUN";
  }

  /** What would go at a floor above all is not known. */
  known() {
    const gone = this.sorted().slice(0, Math.max(0, this.rows.size - KEPT)).at(-1);
    const from = gone && gone.number >= this.from ? gone.number + 1n : this.from;
    return { highest: number(this.top.number), key: this.top.key, from: number(from) };
  }
}

export function commandsPhone({ steps }) {
  const memory = new Memory();
  const out = steps.map((step) => {
    const first = BigInt(step.number);
    const answers = [];
    for (let nth = 0n; nth < BigInt(step.count ?? 1); nth += 1n) {
      const at = step.stands ? first : first + nth;
      const key = keyOf(BigInt(step.key ?? first) + nth);
      const floor = step.floor === undefined ? at : BigInt(step.floor);
      const answer = memory.take({ at, floor, key, size: step.len ?? 3, reads: step.reads ?? false });
      if (answers.at(-1)?.[0] === answer) answers.at(-1)[1] += 1;
      else answers.push([answer, 1]);
    }
    return { answers, keys: memory.rows.size, bytes: memory.bytes, known: memory.known() };
  });
  return { out: { steps: out } };
}

export function commandsWeb({ next, settled, waiting, known }) {
  const [after, highest, from] = [next, known.highest, known.from].map(BigInt);
  const waits = waiting.map(([at, key]) => [BigInt(at), keyOf(key)]).sort(([one], [other]) => (one < other ? -1 : 1));
  // The key of its own command of the phone's highest number, as far as it keeps one.
  let own = waits.find(([at]) => at === highest)?.[1];
  const recent = highest >= after - BigInt(KEPT) && highest < after;
  if (recent && settled.some(([low, high]) => highest >= BigInt(low) && highest <= BigInt(high))) own ??= keyOf(highest);
  const wasPutBack = after <= highest || (own !== undefined && own !== known.key);
  if (!wasPutBack) return { out: { put_back: false } };
  need(!waits.some(([at]) => at < from), "COMMANDS_FORGOTTEN");
  const first = highest + 1n;
  const anew = waits.map(([, key], place) => [number(first + BigInt(place)), key]);
  return { out: { put_back: true, waiting: anew, floor: number(first), next: number(first + BigInt(anew.length)) } };
}

export function replyRead({ mode, offered, payload }) {
  const { out } = payloadDecode({ kind: "kk2", payload });
  const [version] = unhex(out.versions);
  need(unhex(offered).includes(version), "NO_COMMON_VERSION");
  const block = mode === "resume" && !out.quarantine;
  const wanted = { resume: block, commands: block && version > 1 };
  for (const [name, is] of Object.entries(wanted)) {
    if (is) need(out[name], "FIELD_MISSING");
    else need(!out[name], "FIELD_VALUE");
  }
  return { out: { version } };
}
