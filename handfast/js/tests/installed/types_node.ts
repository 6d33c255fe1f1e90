// What the types of the package allow in Node, in a project that knows no browser. It is only compiled.

import { Companion, type TableTxn, fileStore, memoryStore, processLock } from "@handfast/companion/node";
import { decodeItem } from "@handfast/companion/chat";

const common = { relay: "relay.example", label: "Types" };
const inFile = new Companion({
  ...common,
  file: "link",
  application: { result: (_, txn) => txn.put("counts", "answers", txn.get("counts", "answers")) },
});
/** The store of a companion in a file can be read. */
export const answers: Promise<unknown> = inFile.store.get("counts", "answers");
inFile.on("code", ({ text }) => decodeItem(new Uint8Array(text.length)));

const inStore = new Companion({ ...common, store: fileStore("link"), lock: processLock("link.lock") });
/** So can one that was given. */
export const entries: Promise<[string, unknown][]> = inStore.store.entries("counts");
inStore.change((txn: TableTxn) => txn.delete("counts", "answers"));
// @ts-expect-error Either a file or a store.
new Companion({ ...common, file: "link", store: memoryStore() });
// @ts-expect-error One of them is needed.
new Companion(common);
