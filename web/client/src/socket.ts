// One WebSocket, of the platform or of a library, as the client needs it: what happens to it is told once and in order, and
// nothing is told of one that was given up.

import type { Loss } from './core.js';
import type { Frame } from './envelope.js';

/** What is needed of a WebSocket. The platform's is one, and so is that of the package `ws`. */
export interface Socket {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  readonly protocol: string;
  // Libraries have event types of their own.
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(data: Frame): void;
  close(code?: number, reason?: string): void;
}

export type SocketConstructor = new (url: string, protocols?: string[]) => Socket;

/** What `ws` offers beyond: it shows the answer to a refused upgrade, and can end a connection at once. */
interface NodeSocket {
  on(event: 'unexpected-response', heard: (request: { destroy(): void }, response: Answer) => void): unknown;
  terminate(): void;
}

interface Answer {
  statusCode?: number;
  headers: Record<string, string | string[] | undefined>;
}

export interface SocketListener {
  opened(protocol: string): void;
  received(data: string | ArrayBuffer): void;
  closed(code: number, reason: string): void;
  lost(loss: Loss): void;
}

export class Link {
  readonly #socket: Socket;

  /** @param probe whether to find out, after a failure, if the server is there at all */
  constructor(make: SocketConstructor, url: string, protocols: string[], probe: boolean, listener: SocketListener) {
    const socket = protocols.length > 0 ? new make(url, protocols) : new make(url);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    let open = false;
    socket.onopen = () => {
      open = true;
      listener.opened(socket.protocol);
    };
    socket.onmessage = ({ data }: { data: string | ArrayBuffer }) => listener.received(data);
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => {
      this.#detach();
      if (code !== BROKEN_OFF) listener.closed(code, reason);
      else if (open) listener.lost({ why: 'the connection broke off' });
      else if (!probe || isNodeSocket(socket)) listener.lost({ why: UNREACHABLE });
      else void isThere(url).then((answered) => listener.lost({ why: UNREACHABLE, answered }));
    };
    // Nothing is known of an error but that a close follows at once; node 20 leaves that out when the upgrade is refused.
    socket.onerror = () => {
      const close = socket.onclose;
      setTimeout(() => close === socket.onclose && close?.({ code: BROKEN_OFF, reason: '' }));
    };
    if (isNodeSocket(socket)) {
      socket.on('unexpected-response', (request, answer) => {
        request.destroy();
        this.abandon();
        listener.lost(lossOf(answer));
      });
    }
  }

  /** Bytes that were given to the socket and have not left yet; infinity while nothing can be sent. */
  get bufferedBytes(): number {
    return this.#socket.readyState === OPEN ? this.#socket.bufferedAmount : Infinity;
  }

  send(frame: Frame): void {
    this.#socket.send(frame);
  }

  /** Ends it with a close frame, and tells no more of it. */
  close(code: number, reason: string): void {
    this.#detach();
    this.#socket.close(code, reason);
  }

  /** Ends it without one as far as the platform can: a script in a browser cannot. @returns whether it could */
  abandon(): boolean {
    this.#detach();
    if (!isNodeSocket(this.#socket)) return false;
    this.#socket.terminate();
    return true;
  }

  #detach(): void {
    const socket = this.#socket;
    const nothing = () => {};
    [socket.onopen, socket.onmessage, socket.onclose, socket.onerror] = [nothing, nothing, nothing, nothing];
  }
}

function isNodeSocket(socket: object): socket is NodeSocket {
  return 'terminate' in socket && 'on' in socket;
}

function lossOf({ statusCode, headers }: Answer): Loss {
  const asked = headers['retry-after'];
  const retryAfterMs = retryAfter(Array.isArray(asked) ? asked[0] : asked);
  return { why: `the server refused the upgrade with ${statusCode}`, status: statusCode, retryAfterMs };
}

/** Seconds; the other form, a date, would need a clock that agrees with the server's. */
function retryAfter(value: string | undefined): number | undefined {
  return value !== undefined && /^\d+$/.test(value) ? Number(value) * 1000 : undefined;
}

/** Whether anybody answers there. What the answer is stays hidden where it is of another origin, and does not matter. */
async function isThere(url: string): Promise<boolean> {
  const address = new URL(url);
  address.protocol = address.protocol === 'wss:' ? 'https:' : 'http:';
  address.search = '';
  try {
    await fetch(address, { method: 'HEAD', mode: 'no-cors', cache: 'no-store', signal: AbortSignal.timeout(PROBE_MS_MAX) });
    return true;
  } catch {
    return false;
  }
}

const OPEN = 1;
/** The code of a close without a close frame. */
const BROKEN_OFF = 1006;
const UNREACHABLE = 'the server cannot be reached, or refused the upgrade';
const PROBE_MS_MAX = 3_000;
