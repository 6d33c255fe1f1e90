// The events at which a page must check its connection: the page became visible or was thawed, the network
// came back, or the clock jumped because the computer slept.

/**
 * The interval at which the two clocks are compared, and the difference that counts as sleep, in
 * milliseconds.
 */
const EVERY = 5_000;
const JUMP = 10_000;

/** Calls `wake({ hidden })` at each such event. Returns a function that ends these calls. */
export function watchWakeEvents(wake) {
  const ends = new AbortController();
  const listen = (target, type) => target.addEventListener(type, () => wake({ hidden: document.hidden }), { signal: ends.signal });
  listen(document, "visibilitychange");
  listen(document, "resume");
  listen(window, "online");
  listen(window, "offline");
  listen(window, "pageshow");
  let offset = Date.now() - performance.now();
  const timer = setInterval(() => {
    const now = Date.now() - performance.now();
    const jumped = Math.abs(now - offset) > JUMP;
    offset = now;
    if (jumped) wake({ hidden: document.hidden });
  }, EVERY);
  ends.signal.addEventListener("abort", () => clearInterval(timer));
  return () => ends.abort();
}
