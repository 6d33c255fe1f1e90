// The relay through which this page links phones. The page's web server names it; relay and server need not
// be the same.

/**
 * The longest wait for the server's answer, in milliseconds. After that the page starts without it, because
 * an existing link has stored its relay.
 */
const ANSWER_MAX = 5000;

/** Returns the relay that the web server names, or else the web server's own host. */
export async function relayName() {
  try {
    const answer = await fetch(new URL("handfast.json", document.baseURI), { cache: "no-cache", credentials: "omit", signal: AbortSignal.timeout(ANSWER_MAX) });
    const { relay } = answer.ok ? await answer.json() : {};
    if (typeof relay === "string" && relay !== "") return relay;
  } catch {
    // The server cannot be reached, or names no relay.
  }
  return location.host;
}
