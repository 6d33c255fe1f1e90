// Makes a transaction that never ends: everything is written, and then it is kept open until this worker is ended.

import { Database } from "/page/pkg/database.js";

onmessage = async ({ data: { name, stores, commits, effect } }) => {
  const database = await Database.open(name, 1, stores, () => {});
  await database.write(commits, [(txn) => {
    const store = txn.objectStore("effects");
    store.put(effect, effect);
    let isTold = false;
    const again = () => {
      if (!isTold) postMessage("written");
      isTold = true;
      store.get(effect).onsuccess = again;
    };
    again();
  }]);
};
