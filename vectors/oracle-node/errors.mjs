// The registry of errors (spec/errors.md).

import { readFileSync } from "node:fs";

/** The area of each error, by its name. */
function errorAreas() {
  const text = readFileSync(new URL("../../spec/errors.md", import.meta.url), "utf8");
  const areas = Object.fromEntries([...text.split("## ", 1)[0].matchAll(/([1-9]) ([a-z]+)[,.]/g)].map(([, n, area]) => [n, area]));
  return Object.fromEntries([...text.matchAll(/\| 0x0([1-9])[0-9a-f]{2} \| ([A-Z_0-9]+) /g)].map(([, n, name]) => [name, areas[n]]));
}

export const AREAS = errorAreas();
