// One WebSocket that is opened again when it breaks, later each time and never in step with other pages.
// Knows bytes and text, not what they mean.

/**
 * @typedef {object} Listener
 * @property {(text: string) => void} text
 * @property {(bytes: ArrayBuffer) => void} binary
 * @property {(state: LinkState) => void} state
 * @property {() => void} [open] the upgrade is done; nothing was said yet
 * @property {() => string[]} [protocols] what to offer with the next attempt
 *
 * @typedef {{is: 'connecting'} | {is: 'connected'} | {is: 'waiting', untilMs: number, why: string}} LinkState
 */

export class Connection {
  /**
   * @param {string} url
   * @param {Listener} listener
   */
  constructor(url, listener) {
    this.url = url;
    this.listener = listener;
    /** @type {WebSocket | undefined} */
    this.socket = undefined;
    /** @type {LinkState} */
    this.state = { is: 'connecting' };
    this.attempts = 0;
    /** @type {number | undefined} */
    this.timer = undefined;
  }

  open() {
    clearTimeout(this.timer);
    this.become({ is: 'connecting' });
    const socket = new WebSocket(this.url, this.listener.protocols?.() ?? []);
    socket.binaryType = 'arraybuffer';
    this.socket = socket;
    this.timer = setTimeout(() => this.fail(socket, 'the server did not answer in time'), OPEN_MS_MAX);
    socket.onopen = () => {
      if (socket === this.socket) this.listener.open?.();
    };
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return;
      if (typeof data === 'string') this.listener.text(data);
      else this.listener.binary(data);
    };
    socket.onclose = ({ code, reason }) => this.fail(socket, closeWords(code, reason));
  }

  /** The server has shown that it is there: the next failure is a first one again. */
  greeted() {
    clearTimeout(this.timer);
    this.attempts = 0;
    this.become({ is: 'connected' });
  }

  /** @param {Uint8Array<ArrayBuffer> | string} message dropped while there is no connection */
  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(message);
  }

  /** Ends this connection for a fault of the other side, and opens another later. @param {string} why */
  refuse(why) {
    if (this.socket) this.fail(this.socket, why);
  }

  /** Ends this connection for good. */
  close() {
    const socket = this.socket;
    this.socket = undefined;
    clearTimeout(this.timer);
    socket?.close();
  }

  /** Does not wait for the next attempt. */
  hurry() {
    if (this.state.is === 'waiting') this.open();
  }

  /** @param {WebSocket} socket @param {string} why */
  fail(socket, why) {
    if (socket !== this.socket) return;
    this.socket = undefined;
    clearTimeout(this.timer);
    socket.close();
    // Half of the delay is chance, so that the pages of a restarted server do not all come back at once.
    const delayMs = Math.min(DELAY_MS_MAX, DELAY_MS_FIRST * 2 ** this.attempts) * (0.5 + Math.random() / 2);
    this.attempts += 1;
    this.timer = setTimeout(() => this.open(), delayMs);
    this.become({ is: 'waiting', untilMs: performance.now() + delayMs, why });
  }

  /** @param {LinkState} state */
  become(state) {
    this.state = state;
    this.listener.state(state);
  }
}

/** @param {number} code @param {string} reason */
function closeWords(code, reason) {
  const said = reason ? `: ${reason}` : '';
  switch (code) {
    case 1001: return `the server is going away${said}`;
    case 1006: return 'the server cannot be reached';
    case 1013: return `the server asks to try again later${said}`;
    default: return `the server closed the connection (${code})${said}`;
  }
}

const DELAY_MS_FIRST = 500;
const DELAY_MS_MAX = 10_000;
/** An attempt without a greeting by then is given up. */
const OPEN_MS_MAX = 10_000;
