// By which relay this page links phones: whoever serves the page says so, and need not be the relay.

/** The page begins without an answer after so many milliseconds: a link that it has knows its own relay. */
const ANSWER_MAX = 5000;

/** The name that the server gives; its own, which is that of a relay which serves its page, where it gives none. */
export async function relayName() {
  try {
    const answer = await fetch(new URL("handfast.json", document.baseURI), { cache: "no-cache", credentials: "omit", signal: AbortSignal.timeout(ANSWER_MAX) });
    const { relay } = answer.ok ? await answer.json() : {};
    if (typeof relay === "string" && relay !== "") return relay;
  } catch {
    // The server cannot be asked, or does not say.
  }
  return location.host;
}
