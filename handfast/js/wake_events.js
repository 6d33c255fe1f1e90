// The events at which a companion must check its connection: the page became visible or was thawed, the network
// came back, or the clock jumped because the computer slept. In Node only the last is noticed.

/**
 * The interval at which the two clocks are compared, and the difference that counts as sleep, in
 * milliseconds.
 */
const EVERY = 5_000;
const JUMP = 10_000;

/** Whether this is a page that nobody sees. */
export const isHidden = () => globalThis.document?.hidden ?? false;

/** Calls `wake({ hidden })` at each such event. Returns a function that ends these calls. */
export function watchWakeEvents(wake) {
  const ends = new AbortController();
  const listen = (target, type) => target?.addEventListener?.(type, () => wake({ hidden: isHidden() }), { signal: ends.signal });
  listen(globalThis.document, "visibilitychange");
  listen(globalThis.document, "resume");
  listen(globalThis, "online");
  listen(globalThis, "offline");
  listen(globalThis, "pageshow");
  let offset = Date.now() - performance.now();
  const timer = setInterval(() => {
    const now = Date.now() - performance.now();
    const jumped = Math.abs(now - offset) > JUMP;
    offset = now;
    if (jumped) wake({ hidden: isHidden() });
  }, EVERY);
  ends.signal.addEventListener("abort", () => clearInterval(timer));
  return () => ends.abort();
}
