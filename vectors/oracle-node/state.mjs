// Paths through the state tables (spec/state/*.toml).

import { readFileSync } from "node:fs";
import { need } from "./conventions.mjs";
import { AREAS } from "./errors.mjs";

/**
 * The part of TOML that the tables are written in: `[[name]]` begins an entry of a list, `name = value` stands in the
 * last one; a value is a text or a list, which may go over several lines and end with a comma.
 */
function parse(text) {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|#[^\n]*|\[\[|\]\]|[[\],=]|[\w-]+/g).filter((token) => !token.startsWith("#"));
  // A list of lists may end with two brackets.
  const parts = tokens.flatMap((token) => (token === "]]" ? ["]", "]"] : token === "[[" ? ["[", "["] : [token]));
  let at = 0;
  const expect = (...wanted) =>
    wanted.forEach((token) => {
      if (parts[at] !== token) throw new Error(`${token} expected, not ${parts[at]}`);
      at += 1;
    });
  const value = () => {
    if (parts[at] !== "[") return JSON.parse(parts[at++]);
    const list = [];
    for (expect("["); parts[at] !== "]"; ) {
      list.push(value());
      if (parts[at] !== "]") expect(",");
    }
    expect("]");
    return list;
  };
  const whole = {};
  let within = whole;
  while (at < parts.length) {
    if (parts[at] === "[") {
      expect("[", "[");
      const name = parts[at++];
      expect("]", "]");
      within = {};
      (whole[name] ??= []).push(within);
    } else {
      const name = parts[at++];
      expect("=");
      within[name] = value();
    }
  }
  return whole;
}

const read = new Map();

/** The first state of a machine, and each cell by state and event. */
function table(machine) {
  if (!read.has(machine)) {
    const { states, cell } = parse(readFileSync(new URL(`../../spec/state/${machine}.toml`, import.meta.url), "utf8"));
    const cells = new Map();
    for (const rule of cell) {
      for (const state of rule.state) rule.event.forEach((event) => cells.set(`${state} ${event}`, rule));
    }
    read.set(machine, { first: states[0][0], cells });
  }
  return read.get(machine);
}

/** `CLOSE(X)` and `told X` name a code, if X is one. */
function codeIn(word) {
  const [, inBrackets, told] = /^(?:[A-Z_]+\((\w+)\)|told (\w+))$/.exec(word) ?? [];
  return Object.keys(AREAS).find((code) => code === (inBrackets ?? told));
}

export function statePath({ machine, state, steps }) {
  const { first, cells } = table(machine);
  let [at, code] = [first, undefined];
  const out = steps.map(({ event }, number) => {
    if (number === steps.length - 1 && at !== state) throw new Error(`the way leads to ${at}, not to ${state}`);
    const rule = cells.get(`${at} ${event}`);
    if (!rule || rule.never) throw new Error(`${event} cannot happen in ${at}`);
    at = rule.next || at;
    const says = rule.says ?? [];
    code = says.map(codeIn).find((found) => found);
    return { next: at, says };
  });
  need(!code, code);
  return { out: { steps: out } };
}
