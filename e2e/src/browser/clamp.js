// Run before the page by `adversity.rs`: `hide(true)` makes it a hidden page, whose timers run once a minute, as browsers do it.
const MINUTE = 60_000;
const real = Object.fromEntries(["setTimeout", "setInterval", "clearTimeout"].map((name) => [name, window[name].bind(window)]));
let isHidden = false;
/** What was due while the page was hidden, by its id. */
const late = new Map();
function runLate() {
  const calls = [...late.values()];
  late.clear();
  for (const call of calls) call();
}
window.minutes = 0;
real.setInterval(() => { window.minutes += 1; runLate(); }, MINUTE);
const clamped = (name) => (call, wait, ...values) => {
  const run = () => call(...values);
  const id = real[name](() => { if (isHidden) late.set(id, run); else run(); }, wait);
  return id;
};
window.setTimeout = clamped("setTimeout");
window.setInterval = clamped("setInterval");
window.clearTimeout = (id) => { late.delete(id); real.clearTimeout(id); };
Object.defineProperty(document, "hidden", { get: () => isHidden });
Object.defineProperty(document, "visibilityState", { get: () => (isHidden ? "hidden" : "visible") });
window.hide = (hides) => {
  isHidden = hides;
  if (!hides) runLate();
  document.dispatchEvent(new Event("visibilitychange"));
};
