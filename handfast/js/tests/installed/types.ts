// What the types of the package allow, and what they refuse. It is only compiled.

import { Companion, CompanionError, type Store, drawKey, indexedDbStore, memoryStore, noLock, tableStore, webSockets } from "@handfast/companion";
import * as everything from "@handfast/companion";
import { type Item, decodeItem } from "@handfast/companion/chat";

const common = { relay: "relay.example", label: "Types" };
const page = new Companion({
  ...common,
  store: indexedDbStore("types", { stores: { notes: { keyPath: "id", indexes: { time: "time" } } } }),
  application: {
    row: ({ id, rev, body, collection }, txn) => {
      txn.objectStore("notes").put({ id, time: Number(rev), body, collection });
      return true;
    },
  },
});
const off: () => void = page.on("code", ({ text, shownFor }) => text.repeat(shownFor));
page.on("linked", ({ type, known }) => { const said: "linked" = type; return `${said} ${known.created.toFixed()}`; });
page.on("stopped", ({ error }) => error.code.toLowerCase());
page.on("streamWrite", ({ id, bytes }) => page.streamStop(id, bytes.length > 0 ? "IO" : "GONE"));
off();
// @ts-expect-error There is no such event.
page.on("codes", () => {});
// @ts-expect-error An event has its own fields alone.
page.on("linked", ({ text }) => text);
// @ts-expect-error A relay is needed.
new Companion({ label: "Types" });
// @ts-expect-error The words of the chat are not in the main entry.
void everything.sendText;

const tables = new Companion({
  ...common,
  store: memoryStore(),
  lock: noLock(),
  socket: webSockets(),
  application: { result: ({ key }, txn) => txn.put("answers", key, true) },
});
// @ts-expect-error A transaction of tables is not one of IndexedDB.
tables.change((txn) => txn.objectStore("notes"));

export async function send(): Promise<string> {
  const { key, answer } = await tables.send(new Uint8Array(), { key: drawKey(), effect: (txn) => txn.delete("notes", "a") });
  const { rows, state } = tables.watch("list").getSnapshot();
  const item: Item | undefined = rows[0] && decodeItem(rows[0].body);
  try {
    return `${key} ${(await answer)?.length} ${state} ${item?.kind}`;
  } catch (error) {
    if (error instanceof CompanionError) return error.code;
    throw error;
  }
}

/** A store of an application's own. */
export const own: Store<{ note(text: string): void }> = {
  ...(tableStore({ load: async () => [], save: async () => {}, close() {} }) as unknown as Store<{ note(text: string): void }>),
};
new Companion({ ...common, store: own, application: { gone: (_, txn) => txn.note("gone") } });
