// One WebSocket to a relay. Binary messages come as ArrayBuffers, and everything that happens goes through one queue in
// the order in which it happened: the handlers are called with nothing of this socket in between.

/** How often it is looked whether the browser has handed queued bytes on, in milliseconds. */
const DRAIN_EVERY = 50;
/** How much may wait in the browser before the socket is given up, in bytes. */
const BUFFERED_MAX = 4 << 20;

/**
 * Gives the memory of a buffer that only scripts have seen back at once: what is collected later is hundreds of megabytes while files go by.
 * Of a buffer that the browser made, or was given, the browser keeps the bytes all the same.
 */
export const release = (buffer) => { buffer.transfer?.(0); };

export class Socket {
  #socket;
  #handlers;
  #sent = 0;
  #told = 0;
  #timer = 0;

  /** Opens a socket. `handlers`: `opened()`, `message(Uint8Array)`, `written(bytes)`, `closed(reason)`; `closed` is the last call, and comes once. */
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

  /** Sends one binary message, whose bytes are free again afterwards. */
  send(bytes) {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(bytes);
    this.#sent += bytes.byteLength;
    if (this.#socket.bufferedAmount > BUFFERED_MAX) return this.#end("the relay takes nothing any more");
    // Not at once: who sends is in the middle of something.
    queueMicrotask(() => this.#tellWritten());
  }

  /** Closes the socket; no handler is called any more. */
  close() {
    this.#handlers = null;
    clearTimeout(this.#timer);
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
  }

  /** Says how many bytes left since the last time: what was given to the browser, less what still waits in it. */
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
