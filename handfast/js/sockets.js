// One WebSocket to a relay. Binary messages arrive as ArrayBuffers, and the handlers are called in the order
// of events, but never during a call to this socket.

/** The interval of checks how many queued bytes the browser has sent, in milliseconds. */
const DRAIN_EVERY = 50;
/** The number of bytes that may wait in the browser. If more would wait, the socket is closed. */
const BUFFERED_MAX = 4 << 20;

export class Socket {
  #socket;
  #handlers;
  #sent = 0;
  #told = 0;
  #timer = 0;

  /**
   * Opens a socket. `handlers` are `opened()`, `message(Uint8Array)`, `written(bytes)` and `closed(reason)`;
   * `closed` is called once and last.
   */
  constructor(url, handlers) {
    this.#handlers = handlers;
    this.#socket = new WebSocket(url);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => this.#handlers?.opened();
    this.#socket.onmessage = ({ data }) => {
      if (!(data instanceof ArrayBuffer)) return this.#end("the relay sent text");
      this.#tellWritten();
      this.#handlers?.message(new Uint8Array(data));
    };
    this.#socket.onclose = (event) => this.#end(event.wasClean ? `the relay closed the connection (${event.code})` : "the connection is lost");
  }

  /** Sends one binary message. The caller may reuse the buffer after that. */
  send(bytes) {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(bytes);
    this.#sent += bytes.byteLength;
    if (this.#socket.bufferedAmount > BUFFERED_MAX) return this.#end("the relay takes nothing any more");
    // The handler is called later, because the sender is in the middle of its own work.
    queueMicrotask(() => this.#tellWritten());
  }

  /** Closes the socket. No handler is called any more. */
  close() {
    this.#handlers = null;
    clearTimeout(this.#timer);
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
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
