// The keys that identify commands, and the migration of databases whose commands have none (spec, delivery,
// *Commands*). A key is drawn when the user acts, and stored with the act. So a browser profile that was
// restored from a copy repeats the same command, and makes no new one.

/** Draws a key: 16 random bytes as hex. */
export const drawKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

let last = 0;

/**
 * Returns the time of an act of the user, later than that of the act before. Acts are sorted by it, because
 * keys have no order.
 */
export const actTime = () => (last = Math.max(Date.now(), last + 1));

/**
 * Converts a stored command that was identified by a number. `keyOf` derives the key for the number that the
 * phone derives, too.
 */
export function keyedCommand({ cmd_id: number, ...row }, keyOf) {
  return { time_ms: number, ...row, key: keyOf(number) };
}

/**
 * Converts a stored message that a command made. If another companion sent the command its key is unknown, so
 * the message is stored without it.
 */
export function keyedMessage({ cmd_id: number, companion, ...row }, own, keyOf) {
  return number !== undefined && companion === own ? { ...row, companion, command: keyOf(number) } : row;
}

/** Draws a key for a file or text that was not sent yet, as if the user acted now. */
export const keyedAct = (row) => (row.direction === "get" ? row : { ...row, key: row.key ?? drawKey() });

/** The first database version whose commands have keys. */
export const KEYED = 7;

/**
 * Migrates a database of an older version, in the transaction of its upgrade. `derive(link, number)` returns
 * the key of an old command. `commands` are the IndexedDB options of the store of commands.
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
