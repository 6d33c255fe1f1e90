// One WebSocket to a relay. Binary messages arrive as ArrayBuffers, and the handlers are called in the order
// of events, but never during a call to this socket.

import { CompanionError } from "./errors.js";

/** The interval of checks how many queued bytes the browser has sent, in milliseconds. */
const DRAIN_EVERY = 50;
/** The number of bytes that may wait in the browser. If more would wait, the socket is closed. */
const BUFFERED_MAX = 4 << 20;
/** How long what was sent may take to leave after a close, in milliseconds. */
const CLOSE_MAX = 1_000;

/** What a browser does not tell apart: nobody is there, or the relay does not take pages of this origin. */
const NOT_OPENED = "the relay cannot be reached, or it does not accept this page's origin (its option --allow-origin)";

/** Returns the sockets of a companion over this class `WebSocket`: that of the browser if none is given. */
export const webSockets = (WebSocket = globalThis.WebSocket) => {
  if (!WebSocket) throw new CompanionError("NO_SOCKET", "there is no WebSocket here: pass the option `socket`");
  return (url, handlers) => new Socket(new WebSocket(url), handlers);
};

class Socket {
  #socket;
  #handlers;
  #sent = 0;
  #told = 0;
  #timer = 0;

  #isOpened = false;

  /**
   * Takes a socket that is being opened. `handlers` are `opened()`, `message(Uint8Array)`, `written(bytes)` and `closed(reason)`;
   * `closed` is called once and last.
   */
  constructor(socket, handlers) {
    this.#handlers = handlers;
    this.#socket = socket;
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => {
      this.#isOpened = true;
      this.#handlers?.opened();
    };
    this.#socket.onmessage = ({ data }) => {
      if (!(data instanceof ArrayBuffer)) return this.#end("the relay sent text");
      this.#tellWritten();
      this.#handlers?.message(new Uint8Array(data));
    };
    this.#socket.onclose = (event) => this.#end(this.#reason(event));
    // What an error means is told by `onclose`; in Node an error without a handler would end the program.
    this.#socket.onerror = () => {};
  }

  /** Sends one binary message. The caller may reuse the buffer after that. */
  send(bytes) {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(bytes);
    this.#sent += bytes.byteLength;
    if (this.#socket.bufferedAmount > BUFFERED_MAX) return this.#end("the relay takes nothing any more");
    // The handler is called later, because the sender is in the middle of its own work.
    queueMicrotask(() => this.#tellWritten());
  }

  /** Closes the socket, after what was sent before. No handler is called any more. */
  close() {
    this.#handlers = null;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    socket.onopen = socket.onmessage = null;
    // A relay that does not answer the close is not waited for, where the runtime leaves the choice.
    const end = socket.terminate && setTimeout(() => socket.terminate(), CLOSE_MAX);
    socket.onclose = () => clearTimeout(end);
    socket.close();
  }

  #reason({ wasClean, code }) {
    if (!this.#isOpened) return NOT_OPENED;
    return wasClean ? `the relay closed the connection (${code})` : "the connection is lost";
  }

  /**
   * Reports the bytes sent since the last report: those passed to the browser, less those that still wait in
   * the browser.
   */
  #tellWritten() {
    clearTimeout(this.#timer);
    if (!this.#handlers) return;
    const waits = this.#socket.bufferedAmount;
    const left = this.#sent - waits - this.#told;
    if (left > 0) {
      this.#told += left;
      this.#handlers.written(left);
    }
    if (waits > 0) this.#timer = setTimeout(() => this.#tellWritten(), DRAIN_EVERY);
  }

  #end(reason) {
    const handlers = this.#handlers;
    if (!handlers) return;
    this.close();
    handlers.closed(reason);
  }
}
