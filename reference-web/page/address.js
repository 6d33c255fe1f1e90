// The open chat as the fragment of the page's address, so that Back and Forward move between the chats and
// their list, and a reload opens the same chat. Browsers do not send the fragment to the server.

const NAME = /^#chat-(\d{1,16})$/u;

/** Returns the chat that an address's fragment names, or null. */
export const chatIn = (hash) => (NAME.test(hash) ? Number(NAME.exec(hash)[1]) : null);

export class Address {
  #host;
  /** The chat that the address names, until the list of chats is known and that chat can be opened. */
  #wanted = chatIn(location.hash);

  /**
   * `host` has `open(chat)`, `close()`, and `uncover()`, which closes an open dialog and returns whether
   * there was one.
   */
  constructor(host) {
    this.#host = host;
    addEventListener("popstate", () => this.#moved());
  }

  /** Records that the user opens `chat`; `before` is the chat that was open, or null for the list. */
  open(chat, before) {
    this.#wanted = null;
    history.pushState({ fromList: before === null }, "", `#chat-${chat}`);
  }

  /** Records that the user goes back to the list. */
  close() {
    if (history.state?.fromList) history.back();
    else {
      history.replaceState(null, "", location.pathname);
      this.#host.close();
    }
  }

  /** Opens the chat that the address names, once the list of chats is known and contains it. */
  arrive({ chats, open }) {
    const wanted = this.#wanted;
    if (wanted === null || chats.length === 0) return;
    if (open === null && !chats.some((one) => one.chat === wanted)) return;
    this.#wanted = null;
    if (open === null) this.#host.open(wanted);
  }

  /** Adds a history entry for a dialog, so that Back closes the dialog and not the chat below it. */
  cover() {
    history.pushState({ isCover: true }, "", location.hash || location.pathname);
  }

  /** Removes the history entry of a dialog that was closed in another way than by Back. */
  uncover() {
    if (history.state?.isCover) history.back();
  }

  /** Clears the fragment of the address, because no chats are left. */
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
