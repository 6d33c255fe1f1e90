// Changes that the phone has not confirmed, shown over the stored messages: pure functions. A change is a row
// of the store `commands`: its `kind` is `edit`, `delete` or `react`, with the new `text` or `reaction`, the
// old value `was`, and the `state` `waiting`, or `failed` with a `code`. A change that is also `held` is held
// back: it has not left this browser, and can be cancelled.

export const CHANGES = new Set(["edit", "delete", "react"]);

/** Returns the account's own reaction; empty if there is none. */
export const ownReaction = ({ reactions = [] }) => reactions.find((one) => one.author === "")?.reaction ?? "";

/**
 * Replaces the account's own reaction to a message. That reaction comes first, as in the rows of the phone.
 */
function reacted(message, reaction) {
  const others = (message.reactions ?? []).filter((one) => one.author !== "");
  return { ...message, reactions: reaction ? [{ author: "", reaction }, ...others] : others };
}

/** Applies the changes of a message, in the order in which they were made. */
export function overlaid(message, changes) {
  return changes.filter((one) => isOf(one, message)).reduce(overlay, message);
}

export const isOf = (change, { chat, id }) => change.chat === chat && change.message === id;

function overlay(message, change) {
  if (change.state === "failed") return { ...message, refused: change };
  if (change.kind === "react") return { ...reacted(message, change.reaction), reacting: true };
  // Only the newest change can be undone, and only while it is held back.
  const undo = change.held ? { undo: change } : {};
  if (change.kind === "edit") return { ...message, text: change.text, edited: true, saving: true, ...undo };
  return { ...message, deleting: true, ...undo };
}

/**
 * Returns the change of a message that is held back and that a new change replaces. It is the newest one, if
 * that is of the same kind. An older change must stay, because changes are sent in order.
 */
export function replacedBy(changes, message, kind) {
  const last = changes.filter((one) => isOf(one, message) && one.state === "waiting").at(-1);
  return last?.held && last.kind === kind ? last : undefined;
}

/** Returns whether a change restores the value that the phone has. */
export const isNothing = ({ kind, was, text, reaction }) => kind !== "delete" && was === (kind === "edit" ? text : reaction);

/** Returns whether the phone's row of a message contains a change. A deleted message has no row. */
export function isSettled(change, row) {
  if (change.kind === "edit") return row.text === change.text && row.edited === true;
  return change.kind === "react" && ownReaction(row) === change.reaction;
}

/**
 * Returns the stored row of a message after the phone carried out a change; null if no row is left. The
 * phone's row, with a newer change in it, may have arrived before. So the value is replaced only if it is
 * still the old one.
 */
export function applied(change, row) {
  if (change.kind === "edit") return row.text === change.was ? { ...row, text: change.text, edited: true } : row;
  if (change.kind === "react") return ownReaction(row) === change.was ? reacted(row, change.reaction) : row;
  return null;
}

/** Groups equal reactions, each with its authors. */
export function grouped(reactions = []) {
  const groups = new Map();
  for (const { author, reaction } of reactions) groups.set(reaction, [...(groups.get(reaction) ?? []), author]);
  return [...groups].map(([reaction, authors]) => ({ reaction, authors, own: authors.includes("") }));
}
