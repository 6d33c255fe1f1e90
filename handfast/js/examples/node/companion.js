// A companion without a browser: it links to a phone, prints the phone's chats as they change, and sends texts.
//
//   node companion.js FILE RELAY
//
// FILE keeps the link. Each line of the input is what the user types: the number while linking, then `CHAT TEXT`; `end` ends it.

import { createInterface } from "node:readline";
import { chatsCollection, decodeItem, decodeResult, sendText } from "@handfast/companion/chat";
import { Companion } from "@handfast/companion/node";

const [file, relay] = process.argv.slice(2);
const say = (line) => console.log(line);

const companion = new Companion({
  file,
  relay,
  label: "Example in Node",
  grants: 3n, // To the reference phone: may read, may send.
  application: {
    // In the transaction that makes the answer durable: it counts the answers, and each is counted once.
    result(_, txn) {
      txn.put("counts", "answers", (txn.get("counts", "answers") ?? 0) + 1);
      txn.whenDurable(async () => say(`answers so far: ${await companion.store.get("counts", "answers")}`));
    },
  },
});

companion.on("code", ({ text }) => say(`scan: ${text}`));
companion.on("checkCode", ({ digits }) => say(`type at the phone: ${digits}`));
companion.on("numberWanted", ({ accountName }) => say(`the number that "${accountName}" shows?`));
companion.on("codeBurnt", ({ code, asks }) => asks && say(`not linked: ${code}`));
companion.on("linked", ({ known }) => say(`linked to "${known.accountName}"`));
companion.on("unlinked", () => say("not linked any more"));
companion.on("taken", () => { say("another process uses this file"); end(1); });
companion.on("stopped", ({ error }) => { say(`stopped: ${error.code}: ${error.message}`); end(1); });

const chats = companion.watch(chatsCollection());
chats.subscribe(() => {
  const { rows, state } = chats.getSnapshot();
  say(`${rows.length} chats, ${state}; the newest says: ${newest(rows)?.last_text ?? ""}`);
});

function newest(rows) {
  return rows.map(({ body }) => decodeItem(body)).sort((a, b) => b.last_message - a.last_message)[0];
}

async function send(chat, text) {
  // Once this has resolved, the phone will send the text, and once, even if this program is killed now.
  const { answer } = await companion.send(sendText(chat, text));
  say("stored");
  say(`answered: ${decodeResult(await answer).kind}`);
}

async function end(code) {
  await companion.close();
  input.close();
  process.exitCode = code;
}

const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  const [word, ...rest] = line.split(" ");
  if (line === "end") end(0);
  else if (rest.length === 0) companion.enterNumber(word);
  else send(Number(word), rest.join(" ")).catch((error) => say(`not sent: ${error.code}: ${error.message}`));
});

await companion.start();
