// Moments at which a page must look whether its connection still lives: it became visible, the network came back, it was
// thawed, or the clock jumped because the computer slept.

/** How often the clocks are compared, and by how much they may differ, in milliseconds. */
const EVERY = 5_000;
const JUMP = 10_000;

/** Calls `moment({ hidden })` at each such moment. Gives a function that ends it. */
export function watchMoments(moment) {
  const ends = new AbortController();
  const listen = (target, type) => target.addEventListener(type, () => moment({ hidden: document.hidden }), { signal: ends.signal });
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
    if (jumped) moment({ hidden: document.hidden });
  }, EVERY);
  ends.signal.addEventListener("abort", () => clearInterval(timer));
  return () => ends.abort();
}
