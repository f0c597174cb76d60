// Drives a core over a WebSocket: the only place with a clock, a socket and an event loop. README.md says what holds.

import { ReaderError } from '../../reader/worldshard-reader.js';
import { Core } from './core.js';
import type { Action, CoreOptions } from './core.js';
import type { ClientEvent, CoreEvent, Greeting, Outcome } from './events.js';
import { Handlers, report } from './handlers.js';
import { isResumed } from './handshake.js';
import type { Auth } from './handshake.js';
import type { MessageHandle, RequestHandle } from './ledger.js';
import { Link } from './socket.js';
import type { SocketConstructor } from './socket.js';
import { World } from './world.js';

/**
 * What is said between a program and its server. All parts are optional; what is not given is `unknown`. The types are
 * promises of the server's that nobody checks.
 */
export interface Channel {
  /** From client to server: messages, requests. */
  message: unknown;
  request: unknown;
  /** From server to client: messages, answers to requests. */
  serverMessage: unknown;
  response: unknown;
}

type Of<C, Part extends keyof Channel> = C extends Record<Part, infer Said> ? Said : unknown;

/** A message whose `type` says which of several it is. */
type Tagged<Message> = Extract<Message, { type: string }>;

export interface ClientOptions extends Omit<CoreOptions, 'url' | 'seed' | 'canRefresh'> {
  /** All chance follows from it; without one, every client has another. */
  seed?: number;
  /**
   * Gives a new credential after AUTH_FAILED, or undefined when there is none. Asked once until the client has been live for
   * {@link Policy.steadyMs} again.
   */
  refresh?: () => Auth | undefined | Promise<Auth | undefined>;
  /** For platforms without a global WebSocket, such as node 20: that of the package `ws`. */
  webSocket?: SocketConstructor;
  /** Bytes that the socket may hold back before more waits in the client's own, bounded, outbox. */
  socketBytesMax?: number;
}

/** A request, and how it ends. */
export interface ClientRequest<Response = unknown> extends RequestHandle {
  /** Never rejects. Who awaits it goes on before the next event is given. */
  readonly outcome: Promise<Outcome<Response>>;
}

/** Connects to a path with lanes: `ws://`, `wss://`, `http://`, `https://`, or relative to the page. */
export function connect<C extends Partial<Channel> = Channel>(url: string, options: ClientOptions = {}): Client<C> {
  return new Client<C>(url, options);
}

export class Client<C extends Partial<Channel> = Channel> {
  /** What the client sees of the world, and does in it. */
  readonly world: World;
  /** Resolves after the event `dead`. */
  readonly finished: Promise<void>;
  readonly #core: Core;
  readonly #handlers = new Handlers<ClientEvent<Of<C, 'serverMessage'>, Of<C, 'response'>>>();
  readonly #refresh: ClientOptions['refresh'];
  readonly #webSocket: SocketConstructor;
  readonly #socketBytesMax: number;
  readonly #outcomes = new Map<number, (outcome: Outcome<Of<C, 'response'>>) => void>();
  #finish: () => void = () => {};
  #link: Link | undefined;
  /** Given up without a close frame, because the server may still keep its session. */
  #abandoned: Link | undefined;
  #greeting: Greeting | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #turning = false;
  #turnDue = false;

  /** @throws {RangeError} an option that no server would take */
  constructor(url: string, options: ClientOptions = {}) {
    const { seed, refresh, webSocket, socketBytesMax = SOCKET_BYTES_MAX, ...core } = options;
    const make = webSocket ?? (globalThis as { WebSocket?: SocketConstructor }).WebSocket;
    if (make === undefined) throw new RangeError('this platform has no WebSocket: give one by the option webSocket');
    this.#webSocket = make;
    this.#refresh = refresh;
    this.#socketBytesMax = socketBytesMax;
    this.#core = new Core({
      env: inBrowser() ? 'browser' : 'native',
      ...core,
      url: absolute(url),
      seed: seed ?? crypto.getRandomValues(new Uint32Array(1))[0] ?? 0,
      canRefresh: refresh !== undefined,
    });
    this.world = new World({
      command: (frame) => {
        const taken = this.#core.command(frame);
        this.#spoken();
        return taken;
      },
      acknowledge: (frame) => this.#core.acknowledge(frame),
    });
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.#core.start(this.now());
    this.#spoken();
  }

  // -------------------------------------------------------------------------------------------------------------
  // Hearing

  /** Hears one type of event. @returns takes the handler back */
  on<Type extends ClientEvent['type']>(
    type: Type,
    handler: (event: Extract<ClientEvent<Of<C, 'serverMessage'>, Of<C, 'response'>>, { type: Type }>) => void,
  ): () => void {
    return this.#handlers.add(type, handler);
  }

  /** Hears every event. @returns takes the handler back */
  onAny(handler: (event: ClientEvent<Of<C, 'serverMessage'>, Of<C, 'response'>>) => void): () => void {
    return this.#handlers.addForAll(handler);
  }

  /** Hears those messages of the application whose `type` is the one given. @returns takes the handler back */
  onMessage<Tag extends Tagged<Of<C, 'serverMessage'>>['type']>(
    tag: Tag,
    handler: (message: Extract<Of<C, 'serverMessage'>, { type: Tag }>) => void,
  ): () => void {
    return this.#handlers.add('message', ({ data }) => {
      if ((Object(data) as { type?: unknown }).type === tag) handler(data as Extract<Of<C, 'serverMessage'>, { type: Tag }>);
    });
  }

  // -------------------------------------------------------------------------------------------------------------
  // Saying

  /**
   * Says something to the server's application: a Uint8Array as bytes, anything else as JSON. Fails unless the client
   * is live.
   *
   * @throws {QueueFull} nothing was taken
   */
  send(message: Of<C, 'message'> | Uint8Array): MessageHandle {
    const handle = this.#core.send(message);
    this.#spoken();
    return handle;
  }

  /**
   * Asks the server's application. Ends once, with one event and with its {@link ClientRequest.outcome}. Fails unless the
   * client is live.
   *
   * @throws {QueueFull} nothing was taken
   */
  request(
    request: Of<C, 'request'> | Uint8Array,
    { deadlineMs }: { deadlineMs?: number } = {},
  ): ClientRequest<Of<C, 'response'>> {
    const handle = this.#core.request(this.now(), request, deadlineMs);
    const { id } = handle;
    const outcome = new Promise<Outcome<Of<C, 'response'>>>((resolve) => this.#outcomes.set(id, resolve));
    // A dead client has no events any more.
    if (this.#isOver()) this.#settle({ type: 'sendFailed', id });
    this.#spoken();
    return { id, get status() { return handle.status; }, outcome };
  }

  /** Ends the client: `closedBySelf`, what fails with it, `dead`. */
  close(): void {
    this.#core.close(this.now());
    this.#spoken();
  }

  /** Whether what is said now is sent. */
  get live(): boolean {
    return this.#core.maySend;
  }

  /** Who the client is; undefined before it is live, and of the last session afterwards. */
  get greeting(): Greeting | undefined {
    return this.#greeting;
  }

  /** From a ping of the application to its answer. */
  get rttMs(): number | undefined {
    return this.#core.rttMs;
  }

  /** The client's clock, in milliseconds. */
  now(): number {
    return performance.now();
  }

  /** Where an entity is now, between the last two deltas. */
  positionOf(id: number): [number, number, number] | undefined {
    return this.world.positionAt(id, this.now());
  }

  // -------------------------------------------------------------------------------------------------------------
  // One turn: do what the core asks for, give out its events, hand over its frames

  /** The program has said something. What comes of it is told later: no handler is called before the program goes on. */
  #spoken(): void {
    this.#flush();
    if (this.#turnDue) return;
    this.#turnDue = true;
    queueMicrotask(() => {
      this.#turnDue = false;
      this.#turn();
    });
  }

  #turn(): void {
    // Whoever says something inside a handler is in a turn already.
    if (this.#turning) return;
    this.#turning = true;
    for (;;) {
      this.#act();
      this.#flush();
      const event = this.#core.nextEvent();
      if (event === undefined) break;
      if (this.#give(event)) {
        // Who awaits the outcome goes on first, then the turn does.
        queueMicrotask(() => {
          this.#turning = false;
          this.#turn();
        });
        return;
      }
    }
    this.#turning = false;
    this.#wake();
  }

  #act(): void {
    for (let action = this.#core.nextAction(); action !== undefined; action = this.#core.nextAction()) this.#do(action);
  }

  #do(action: Action): void {
    switch (action.do) {
      case 'connect':
        try {
          this.#connect(action.url, action.protocols);
        } catch (error) {
          this.#core.lost(this.now(), { why: `the platform refused to connect: ${error}` });
        }
        return;
      case 'close':
        this.#link?.close(action.code, action.reason);
        this.#link = undefined;
        return;
      case 'abandon':
        this.#forgetAbandoned();
        if (this.#link?.abandon() === false) this.#abandoned = this.#link;
        this.#link = undefined;
        return;
      case 'refresh':
        void this.#askForCredential();
    }
  }

  #connect(url: string, protocols: string[]): void {
    const tell = (what: () => void) => {
      // A look whether the server is there may come back after its attempt was given up.
      if (this.#link !== link) return;
      what();
      this.#turn();
    };
    const over = (what: () => void) => tell(() => {
      this.#link = undefined;
      what();
    });
    const probe = protocols.some(isResumed);
    const link: Link = new Link(this.#webSocket, url, protocols, probe, {
      opened: (protocol) => tell(() => this.#core.opened(this.now(), protocol)),
      received: (data) => tell(() => this.#core.received(this.now(), data)),
      closed: (code, reason) => over(() => this.#core.closed(this.now(), code, reason)),
      lost: (loss) => over(() => this.#core.lost(this.now(), loss)),
    });
    this.#link = link;
  }

  async #askForCredential(): Promise<void> {
    let auth: Auth | undefined;
    try {
      auth = await this.#refresh?.();
      this.#core.refreshed(this.now(), auth);
    } catch (error) {
      report(error);
      this.#core.refreshed(this.now(), undefined);
    }
    this.#turn();
  }

  #flush(): void {
    const link = this.#link;
    while (link !== undefined && this.#core.hasFrames && link.bufferedBytes <= this.#socketBytesMax) {
      const frame = this.#core.nextFrame();
      if (frame !== undefined) link.send(frame);
    }
  }

  /** @returns whether somebody may await what was settled by it */
  #give(event: CoreEvent): boolean {
    switch (event.type) {
      case 'worldFrame':
        this.#giveFrame(event.bytes);
        return false;
      case 'envelope': {
        const told = event.svc === 'world' ? this.world.text(event.name, event.data) : undefined;
        this.#handlers.emit(told ?? event);
        return false;
      }
      case 'live':
        this.#forgetAbandoned();
        this.#greeting = event.greeting;
        this.world.greeted(event.greeting, event.resumed);
        break;
      case 'error':
        if (event.seq !== undefined) this.world.refused(event.seq);
        break;
      case 'response':
      case 'ack':
      case 'reject':
      case 'sendFailed':
      case 'responseLost':
      case 'timedOut': {
        const outcome = event as Outcome<Of<C, 'response'>>;
        this.#handlers.emit(outcome);
        return this.#settle(outcome);
      }
      case 'dead':
        this.#forgetAbandoned();
        this.#handlers.emit(event);
        this.#finish();
        return false;
    }
    this.#handlers.emit(event as ClientEvent<Of<C, 'serverMessage'>, Of<C, 'response'>>);
    return false;
  }

  #giveFrame(bytes: ArrayBuffer): void {
    try {
      const event = this.world.bytes(this.now(), bytes);
      if (event !== undefined) this.#handlers.emit(event);
    } catch (error) {
      if (!(error instanceof ReaderError)) throw error;
      // After bytes that cannot be right nothing that follows can be trusted.
      this.#core.fault(this.now(), `the server said what cannot be read: ${error.message}`);
    }
  }

  #settle(outcome: Outcome<Of<C, 'response'>>): boolean {
    const resolve = this.#outcomes.get(outcome.id);
    this.#outcomes.delete(outcome.id);
    resolve?.(outcome);
    return resolve !== undefined;
  }

  #isOver(): boolean {
    return this.#core.phase === 'dead' && !this.#core.hasEvents;
  }

  #forgetAbandoned(): void {
    this.#abandoned?.close(1000, 'client done');
    this.#abandoned = undefined;
  }

  #wake(): void {
    clearTimeout(this.#timer);
    // Nobody tells when the socket takes more.
    const pump = this.#core.hasFrames && this.#link !== undefined ? PUMP_MS : Infinity;
    const wait = Math.min(pump, this.#core.wakeAt() - this.now());
    if (wait === Infinity) return;
    // Rounded up, or a timer that is a little early would find nothing due and be set again and again.
    this.#timer = setTimeout(() => {
      this.#core.elapsed(this.now());
      this.#turn();
    }, Math.min(TIMER_MS_MAX, Math.max(0, Math.ceil(wait))));
  }
}

function inBrowser(): boolean {
  return typeof document !== 'undefined' || 'WorkerGlobalScope' in globalThis;
}

function absolute(url: string): string {
  const address = new URL(url, (globalThis as { location?: { href: string } }).location?.href);
  if (address.protocol === 'http:') address.protocol = 'ws:';
  if (address.protocol === 'https:') address.protocol = 'wss:';
  if (address.protocol !== 'ws:' && address.protocol !== 'wss:') throw new RangeError(`${url} is no address of a WebSocket`);
  return address.href;
}

const SOCKET_BYTES_MAX = 65_536;
const PUMP_MS = 20;
/** A longer timer would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;
