// A database of an older page, opened by this one: its commands, and what they made, get their keys. `upgraded()` returns what is there then.

import { Database } from "/page/pkg/database.js";
import { done } from "/page/pkg/request.js";
import { KEYED, upgrade } from "/page/keys.js";

const COMMANDS = { keyPath: "key", indexes: { chat: "chat" } };
const STORES = {
  commands: COMMANDS,
  messages: { keyPath: ["chat", "id"] },
  transfers: { keyPath: "client" },
  outgoing: { keyPath: "client" },
};

const ROWS = {
  links: [{ link: "0202", companion: "04", created: 2 }, { link: "0101", companion: "03", created: 1 }],
  commands: [
    { cmd_id: 7, kind: "text", chat: 1, text: "waits", time_ms: 900, state: "waiting" },
    { cmd_id: 8, kind: "react", chat: 2, message: 5, reaction: "x", state: "waiting" },
  ],
  messages: [
    { chat: 1, id: 1, text: "own", companion: "04", cmd_id: 6 },
    { chat: 1, id: 2, text: "of another", companion: "05", cmd_id: 6 },
    { chat: 1, id: 3, text: "of nobody" },
  ],
  transfers: [{ client: "f-1", direction: "put" }, { client: "g-1", direction: "get" }],
  outgoing: [{ client: "h-1", text: "written while away" }],
};

/** What the page of version 6 made. */
function older(name) {
  const request = indexedDB.open(name, 6);
  request.onupgradeneeded = () => {
    const db = request.result;
    const options = { links: { keyPath: "link" }, ...STORES, commands: { keyPath: "cmd_id", indexes: COMMANDS.indexes } };
    for (const [store, { indexes = {}, ...rest }] of Object.entries(options)) {
      const made = db.createObjectStore(store, rest);
      for (const [index, path] of Object.entries(indexes)) made.createIndex(index, path);
      for (const row of ROWS[store]) made.put(row);
    }
  };
  return done(request);
}

const takenOver = (db, txn, from) => upgrade(db, txn, from, (link, number) => `${link}:${number}`, COMMANDS);

async function all(name) {
  const database = await Database.open(name, KEYED, STORES, () => {}, takenOver);
  const read = (store) => done(database.read(store).objectStore(store).getAll());
  const rows = Object.fromEntries(await Promise.all(Object.keys(STORES).map(async (store) => [store, await read(store)])));
  const ofChat = await done(database.read("commands").objectStore("commands").index("chat").getAll(1));
  database.close();
  return { ...rows, ofChat };
}

window.upgraded = async () => {
  const name = `upgrade-${crypto.randomUUID()}`;
  (await older(name)).close();
  const first = await all(name);
  // Opened once more it is as it is.
  return { first, isSame: JSON.stringify(await all(name)) === JSON.stringify(first), fresh: await all(`fresh-${name}`) };
};
