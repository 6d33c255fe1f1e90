// The open chat in the address of the page: Back and Forward go between chats and their list, and a page that is loaded again opens what
// was open. What stands behind the `#` stays in the browser.

const NAME = /^#chat-(\d{1,16})$/u;

/** The chat that a part of an address names, or null. */
export const chatIn = (hash) => (NAME.test(hash) ? Number(NAME.exec(hash)[1]) : null);

export class Address {
  #host;
  /** The chat that is to be opened when the chats are known. */
  #wanted = chatIn(location.hash);

  /** `host`: `open(chat)`, `close()`, and `uncover()`, which says whether something was closed that lay over the page. */
  constructor(host) {
    this.#host = host;
    addEventListener("popstate", () => this.#moved());
  }

  /** The user opens a chat, from another one or from the list. */
  open(chat, before) {
    this.#wanted = null;
    history.pushState({ fromList: before === null }, "", `#chat-${chat}`);
  }

  /** The user goes back to the list. */
  close() {
    if (history.state?.fromList) history.back();
    else {
      history.replaceState(null, "", location.pathname);
      this.#host.close();
    }
  }

  /** The chats are known: the one in the address is opened, if it is among them. */
  arrive({ chats, open }) {
    const wanted = this.#wanted;
    if (wanted === null || chats.length === 0) return;
    if (open === null && !chats.some((one) => one.chat === wanted)) return;
    this.#wanted = null;
    if (open === null) this.#host.open(wanted);
  }

  /** Something lies over the page now: the user goes back from it, and not from what is below. */
  cover() {
    history.pushState({ isCover: true }, "", location.hash || location.pathname);
  }

  /** It was closed, by going back or otherwise. */
  uncover() {
    if (history.state?.isCover) history.back();
  }

  /** No chat is there any more. */
  forget() {
    this.#wanted = null;
    history.replaceState(null, "", location.pathname);
  }

  #moved() {
    const chat = chatIn(location.hash);
    if (this.#host.uncover()) return;
    if (chat === null) this.#host.close();
    else this.#host.open(chat);
  }
}
