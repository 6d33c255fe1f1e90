// Keys of commands, and how a database of an older page gets them (spec, delivery, *Commands*). A key says which command is meant, whatever
// becomes of this browser's profile: it is drawn when the user acts, and stored with what is shown of the act.

/** A new key: 16 random bytes, as hex. */
export const drawKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

let last = 0;

/** The time of an act, later than that of the one before: keys have no order. */
export const actTime = () => (last = Math.max(Date.now(), last + 1));

/** A command that was known by a number, with the key that both sides derive for it. */
export function keyedCommand({ cmd_id: number, ...row }, keyOf) {
  return { time_ms: number, ...row, key: keyOf(number) };
}

/** A message that a command made. How another companion's came to be is forgotten: its link is not known here. */
export function keyedMessage({ cmd_id: number, companion, ...row }, own, keyOf) {
  return number !== undefined && companion === own ? { ...row, companion, command: keyOf(number) } : row;
}

/** What was chosen or written, and has not left yet: it gets a key as if it were now. */
export const keyedAct = (row) => (row.direction === "get" ? row : { ...row, key: row.key ?? drawKey() });

/** The version of the database from which on commands have keys. */
export const KEYED = 7;

/**
 * Brings a database of an older version up to this one, in the transaction of its upgrade. `derive(link, number)` derives the key of an old
 * command; `commands` are the options of their store.
 */
export function upgrade(db, txn, from, derive, commands) {
  if (from === 0 || from >= KEYED) return;
  const read = (store, use) => { txn.objectStore(store).getAll().onsuccess = ({ target }) => use(target.result); };
  for (const name of ["transfers", "outgoing"]) read(name, (rows) => { for (const row of rows) txn.objectStore(name).put(keyedAct(row)); });
  read("links", (links) => {
    const known = links.sort((a, b) => b.created - a.created)[0];
    const keyOf = (number) => derive(known.link, number);
    read("commands", (rows) => {
      db.deleteObjectStore("commands");
      const { indexes, ...options } = commands;
      const made = db.createObjectStore("commands", options);
      for (const [index, path] of Object.entries(indexes)) made.createIndex(index, path);
      if (known) for (const row of rows) made.put(keyedCommand(row, keyOf));
    });
    txn.objectStore("messages").openCursor().onsuccess = ({ target: { result: cursor } }) => {
      if (!cursor) return;
      if (cursor.value.companion !== undefined) cursor.update(keyedMessage(cursor.value, known?.companion, keyOf));
      cursor.continue();
    };
  });
}
