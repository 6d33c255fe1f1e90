// What the user changes about messages, until the phone says the same: pure functions. A change is a row of `commands`: `kind` is
// `edit`, `delete` or `react`, with the new `text` or `reaction`, what `was` before, and `state`: `waiting`, or `failed` with a `code`. One
// that waits and is `held` has not left this browser yet, and can be taken back.

export const CHANGES = new Set(["edit", "delete", "react"]);

/** The account's own reaction; empty if there is none. */
export const ownReaction = ({ reactions = [] }) => reactions.find((one) => one.author === "")?.reaction ?? "";

/** A message with another reaction of the account. The account's stands first, as the phone sends them. */
function reacted(message, reaction) {
  const others = (message.reactions ?? []).filter((one) => one.author !== "");
  return { ...message, reactions: reaction ? [{ author: "", reaction }, ...others] : others };
}

/** A message with what its user wants of it, in the order in which that was asked for. */
export function overlaid(message, changes) {
  return changes.filter((one) => isOf(one, message)).reduce(overlay, message);
}

export const isOf = (change, { chat, id }) => change.chat === chat && change.message === id;

function overlay(message, change) {
  if (change.state === "failed") return { ...message, refused: change };
  if (change.kind === "react") return { ...reacted(message, change.reaction), reacting: true };
  // What was asked for last is taken back first.
  const undo = change.held ? { undo: change } : {};
  if (change.kind === "edit") return { ...message, text: change.text, edited: true, saving: true, ...undo };
  return { ...message, deleting: true, ...undo };
}

/**
 * The held change of a message whose place a new one takes: the last one, if it is of the same kind. What stands before another kind stays,
 * since they leave in their order.
 */
export function replacedBy(changes, message, kind) {
  const last = changes.filter((one) => isOf(one, message) && one.state === "waiting").at(-1);
  return last?.held && last.kind === kind ? last : undefined;
}

/** Whether a change asks for what is so without it. */
export const isNothing = ({ kind, was, text, reaction }) => kind !== "delete" && was === (kind === "edit" ? text : reaction);

/** Whether the phone's row of a message says what was asked for. A deleted one has no row. */
export function isSettled(change, row) {
  if (change.kind === "edit") return row.text === change.text && row.edited === true;
  return change.kind === "react" && ownReaction(row) === change.reaction;
}

/**
 * The stored row of a message once the phone has done what was asked for, null for none. The phone's row may have come before, with a
 * newer change in it: only what is as it was is changed.
 */
export function applied(change, row) {
  if (change.kind === "edit") return row.text === change.was ? { ...row, text: change.text, edited: true } : row;
  if (change.kind === "react") return ownReaction(row) === change.was ? reacted(row, change.reaction) : row;
  return null;
}

/** Reactions by what they are, each with its authors. */
export function grouped(reactions = []) {
  const groups = new Map();
  for (const { author, reaction } of reactions) groups.set(reaction, [...(groups.get(reaction) ?? []), author]);
  return [...groups].map(([reaction, authors]) => ({ reaction, authors, own: authors.includes("") }));
}
