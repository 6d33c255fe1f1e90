// The relay by which this page links phones. The server of the page names it; the two need not be the same.

/**
 * The longest wait for the server's answer, in milliseconds. The page then starts without it, because an
 * existing link has stored its relay.
 */
const ANSWER_MAX = 5000;

/** Returns the relay that the server names, or else the server's own host. */
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
