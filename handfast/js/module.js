// The WebAssembly module: how it is loaded, and how its errors are told.

import { CompanionError } from "./errors.js";
import init from "./handfast.js";

let loading = null;
let isLoaded = false;

/**
 * Loads the module, once. `start()` does it, too; call it before for what needs the module without a companion. `source` is where the module
 * comes from, if it is not beside this file: a URL, a response, or bytes.
 */
export function load(source) {
  loading ??= init(source && { module_or_path: source }).then(() => { isLoaded = true; }, (error) => {
    loading = null;
    throw new CompanionError("MODULE", "the WebAssembly module cannot be loaded, or is of another version than its scripts", { cause: error });
  });
  return loading;
}

/** Returns a function of the module that throws a `CompanionError` where the module throws an error. */
export const coded = (call) => (...values) => {
  if (!isLoaded) throw new CompanionError("MODULE", "the WebAssembly module is not loaded yet: await `load()` first");
  try {
    return call(...values);
  } catch (error) {
    throw CompanionError.from(error, "BAD_ARGUMENT");
  }
};
