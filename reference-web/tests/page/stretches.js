// Stretches of a chat while rows of it arrive: what is read is one moment, and is told before what comes behind that moment.

import { Database } from "/page/pkg/database.js";
import { Stretches } from "/page/stretches.js";

const CHAT = 1;
const STORES = {
  chats: { keyPath: "chat" }, messages: { keyPath: ["chat", "id"] }, commands: { keyPath: "cmd_id", indexes: { chat: "chat" } }, held: { keyPath: "chat" },
};
const [COMMAND, MADE_OF_IT] = ["waiting", "sent"];

const database = await Database.open(`stretches-${crypto.randomUUID()}`, 1, STORES, () => {});
const stretches = new Stretches({ store: database }, (item) => item.text, (_, commands) => commands.map(({ text }) => text));
const change = (effect) => database.write([], [effect]);

/** Thirty messages are here, and one waits for the phone. */
const begin = () => change((txn) => {
  for (const store of Object.keys(STORES)) txn.objectStore(store).clear();
  for (let id = 1; id <= 30; id += 1) txn.objectStore("messages").put({ chat: CHAT, id, text: `text ${id}` });
  txn.objectStore("chats").put({ chat: CHAT, last_message: 30 });
  txn.objectStore("held").put({ chat: CHAT, ranges: [{ low: 0, high: 30, isWindow: true }] });
  txn.objectStore("commands").put({ chat: CHAT, cmd_id: 1, text: COMMAND });
});

/** The phone made a message of what waited, and all that is older is forgotten. */
const arrive = (txn) => {
  txn.objectStore("commands").delete(1);
  txn.objectStore("messages").delete(IDBKeyRange.bound([CHAT, 0], [CHAT, 30]));
  txn.objectStore("messages").put({ chat: CHAT, id: 31, text: MADE_OF_IT });
  txn.objectStore("held").put({ chat: CHAT, ranges: [{ low: 31, high: 31, isWindow: true }] });
};

/** What is told, in its order, of a stretch and of rows that arrive while it is read. */
async function both(read) {
  await begin();
  const told = [];
  const reading = read().then((stretch) => told.push(stretch?.messages.join() ?? "nothing"));
  const arriving = new Promise((arrived, failed) => {
    change((txn) => {
      arrive(txn);
      txn.addEventListener("complete", () => { told.push("arrived"); arrived(); });
    }).catch(failed);
  });
  await Promise.all([reading, arriving]);
  return told;
}

const texts = (from, to) => Array.from({ length: to - from + 1 }, (_, at) => `text ${from + at}`).join();
const found = [];
for (const [name, read, wanted] of [
  ["newest", () => stretches.newest(CHAT), `${texts(6, 30)},${COMMAND}`],
  ["older", () => stretches.older(CHAT, 20), texts(1, 19)],
  ["newer", () => stretches.newer(CHAT, 10), texts(11, 30)],
]) {
  const told = await both(read);
  if (told.length !== 2 || told[0] !== wanted || told[1] !== "arrived") found.push(`${name}: ${told.join("; ")}`);
}
document.documentElement.dataset.found = JSON.stringify(found);
