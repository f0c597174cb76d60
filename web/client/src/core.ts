// A client's life: connecting, authenticating, live, over, again, dead; and what becomes of all it says meanwhile.
//
// Opens no socket and knows no clock: whoever drives it tells it what happened and when, does what it asks for, and takes
// its events one by one. What the driver tells is of the socket of the last `connect`, and of no other.

import { ReaderError, WORLD_SVC, readGreeting, readHotHeader } from '../../reader/worldshard-reader.js';
import { Backoff } from './backoff.js';
import {
  APP_OPCODE, APP_SVC, messageFrame, readEnvelope, readRejection, readRejectionBytes, requestFrame, writeEnvelope,
} from './envelope.js';
import type { Envelope, Frame } from './envelope.js';
import { EventQueue } from './event-queue.js';
import type { Cause, CoreEvent, EndEvent, Greeting } from './events.js';
import { addressOf, checkIdentity, firstMessage, isResumed, offeredProtocols } from './handshake.js';
import type { Auth, Identity } from './handshake.js';
import { Ledger } from './ledger.js';
import type { Answer, MessageHandle, RequestHandle } from './ledger.js';
import { Outbox } from './outbox.js';
import { POLICY, QueueFull } from './policy.js';
import type { Policy } from './policy.js';
import { Random } from './random.js';

export interface CoreOptions extends Partial<Policy> {
  /** Where to connect to: `ws:` or `wss:`. */
  url: string;
  /** All chance follows from it. */
  seed: number;
  auth?: Auth | undefined;
  /** Told to the server's application with each connection; at most 4096 bytes of JSON. */
  connect?: unknown;
  env?: 'native' | 'browser';
  /** What the server was started with, when it was. */
  protocolVersion?: string | undefined;
  /** Whether the driver answers the action `refresh`. */
  canRefresh?: boolean;
}

/** What the driver has to do, in order. */
export type Action =
  | { do: 'connect'; url: string; protocols: string[] }
  /** Ends the socket with a close frame. Nothing more is to be told of it. */
  | { do: 'close'; code: number; reason: string }
  /** Ends the socket without one: the server may still wait for the session to be resumed. */
  | { do: 'abandon' }
  /** Asks for a new credential, for {@link Core.refreshed}. */
  | { do: 'refresh' };

/** How a connection broke off, or was not made, as far as the driver can see. */
export interface Loss {
  why: string;
  /** The HTTP status of a refused upgrade. */
  status?: number | undefined;
  /** What the server asked for with it. */
  retryAfterMs?: number | undefined;
  /** The status is hidden, but the server is there. */
  answered?: boolean;
}

type Phase =
  | { is: 'new' }
  | { is: 'waiting'; until: number }
  | { is: 'connecting'; deadline: number; resuming: boolean }
  | { is: 'opened'; deadline: number }
  | { is: 'live'; since: number; told: boolean; pingAt: number; askedAt: number | undefined }
  | { is: 'refreshing'; deadline: number }
  | { is: 'dead' };

export class Core {
  readonly #policy: Policy;
  readonly #url: string;
  readonly #canRefresh: boolean;
  readonly #backoff: Backoff;
  readonly #ledger = new Ledger();
  readonly #events = new EventQueue();
  readonly #outbox: Outbox;
  #identity: Identity;
  #actions: Action[] = [];
  #phase: Phase = { is: 'new' };
  /** Attempts since the client was live. */
  #attempt = 0;
  /** Whether the next drop is answered at once; regained by a steady connection, as is the next. */
  #mayHurry = true;
  #mayRefresh = true;
  /** What the next connection resumes the session by, and how often it seemed to be refused. */
  #resume: string | undefined;
  #doubts = 0;
  /** Whether the session stands in the world: only such a one is waited for. */
  #standing = false;
  #liveEvent: CoreEvent | undefined;
  #ping: { number: number; at: number } = { number: 0, at: 0 };
  #rttMs: number | undefined;

  /** @throws {RangeError} an option no server would take */
  constructor(options: CoreOptions) {
    const { url, seed, auth = {}, connect, env = 'native', protocolVersion, canRefresh = false, ...policy } = options;
    this.#policy = { ...POLICY, ...policy };
    this.#url = url;
    this.#canRefresh = canRefresh;
    this.#identity = { auth, connect, env, protocolVersion };
    checkIdentity(this.#identity);
    this.#backoff = new Backoff(this.#policy.backoff, new Random(seed));
    this.#outbox = new Outbox(this.#policy.outboxFramesMax, this.#policy.outboxBytesMax);
  }

  get phase(): Phase['is'] {
    return this.#phase.is;
  }

  /** Whether what is said now is sent: the client is live and the program has taken that event. */
  get maySend(): boolean {
    return this.#phase.is === 'live' && this.#phase.told;
  }

  /** From the last ping to its answer; undefined before the first. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  // -------------------------------------------------------------------------------------------------------------
  // What the program says

  start(now: number): void {
    if (this.#phase.is === 'new') this.#connect(now);
  }

  /**
   * Says something to the server's application: bytes on the hot lane, anything else as JSON. Fails unless
   * {@link maySend}.
   *
   * @throws {QueueFull} nothing was taken
   */
  send(data: unknown): MessageHandle {
    this.#checkEvents();
    const frame = messageFrame(data);
    if (this.maySend) this.#outbox.makeSure(frame);
    const message = this.#ledger.message();
    if (this.maySend) this.#outbox.push(frame, message);
    else this.#fail(message);
    return message;
  }

  /**
   * Asks the server's application. Ends once, whatever happens. Fails unless {@link maySend}.
   *
   * @throws {QueueFull} nothing was taken
   */
  request(now: number, data: unknown, deadlineMs = this.#policy.requestDeadlineMs): RequestHandle {
    this.#checkEvents();
    if (this.#ledger.requestsOpen >= this.#policy.requestsOpenMax) {
      throw new QueueFull(`${this.#policy.requestsOpenMax} requests are open already`);
    }
    if (this.maySend) this.#outbox.makeSure(requestFrame(0, data));
    const request = this.#ledger.request(now + deadlineMs);
    if (this.maySend) this.#outbox.push(requestFrame(request.seq, data), request);
    else this.#fail(request);
    return request;
  }

  /**
   * Says something to the world. Nobody is told what becomes of it.
   *
   * @returns whether it was taken: not unless {@link maySend}
   * @throws {QueueFull} nothing was taken
   */
  command(frame: Frame): boolean {
    if (this.maySend) this.#outbox.push(frame);
    return this.maySend;
  }

  /** Says which deltas have arrived, instead of what was said of that before. */
  acknowledge(frame: Frame): void {
    if (this.maySend) this.#outbox.acknowledge(frame);
  }

  /** Ends the client. What was not sent by now fails. */
  close(now: number): void {
    const { is } = this.#phase;
    if (is === 'dead') return;
    const unsent = this.#end(now, { type: 'closedBySelf' });
    if (is === 'connecting' || is === 'opened' || is === 'live') {
      this.#actions.push({ do: 'close', code: 1000, reason: 'client done' });
    }
    this.#die('closedBySelf', unsent);
  }

  // -------------------------------------------------------------------------------------------------------------
  // What happens to the socket

  /** The upgrade is done. `protocol` is the subprotocol that the server took. */
  opened(now: number, protocol: string): void {
    if (this.#phase.is !== 'connecting') return;
    this.#phase = { is: 'opened', deadline: this.#phase.deadline };
    // A token is good once.
    this.#resume = undefined;
    this.#doubts = 0;
    this.#events.push({ type: 'opened' });
    const first = isResumed(protocol) ? undefined : firstMessage(this.#identity);
    if (first !== undefined) this.#outbox.pushOwn(first);
    this.elapsed(now);
  }

  received(now: number, data: string | ArrayBuffer): void {
    const phase = this.#phase;
    if (phase.is !== 'opened' && phase.is !== 'live') return;
    if (phase.is === 'live') phase.askedAt = undefined;
    if (this.#isOverrun()) {
      return this.fault(now, `${this.#policy.eventsMax} events wait for the program already`);
    }
    try {
      if (typeof data !== 'string') this.#takeBytes(data);
      else if (phase.is === 'opened') this.#takeFirst(now, data);
      else this.#takeText(now, readEnvelope(data));
    } catch (error) {
      if (!(error instanceof ReaderError)) throw error;
      // Who greets in another layout, or not at all, will not do otherwise the next time.
      this.fault(now, `the server said what cannot be read: ${error.message}`, phase.is === 'opened');
    }
  }

  /** The server's close frame came. It ends the session. */
  closed(now: number, code: number, reason: string): void {
    if (!this.#hasSocket()) return;
    // It was the way that failed: the session waits, as after any other drop.
    if (code === POLICY_VIOLATION && reason.startsWith(SILENCE)) return this.lost(now, { why: 'the server heard nothing for long' });
    const unsent = this.#end(now, { type: 'closedByServer', code, reason });
    this.#resume = undefined;
    if (code === POLICY_VIOLATION && reason.startsWith('AUTH_FAILED')) return this.#authFailed(now, unsent);
    const { reconnectOnServerClose: again } = this.#policy;
    if (typeof again === 'function' ? again(code, reason) : again) this.#retry(now, unsent);
    else this.#die('closedByServer', unsent);
  }

  /** The connection broke off, or was not made. */
  lost(now: number, loss: Loss): void {
    const phase = this.#phase;
    if (!this.#hasSocket()) return;
    const unsent = this.#end(now, { type: 'disconnected', why: loss.why });
    if (phase.is === 'live') return this.#dropped(now, unsent);
    if (phase.is === 'connecting' && phase.resuming) {
      if (loss.answered === true) this.#doubts += 1;
      const refused = loss.status === 401 || loss.status === 410;
      // Where the status is hidden the server may have come up between the attempt and the look whether it is there.
      if (refused || this.#doubts >= 2) this.#resume = undefined;
      if (refused || loss.answered === true) {
        // It is the token that failed, not the attempt.
        this.#attempt -= 1;
        return this.#retry(now, unsent, { atOnce: true });
      }
    } else if (loss.status === 401) {
      return this.#authFailed(now, unsent);
    }
    if (loss.status !== undefined && !passes(loss.status)) return this.#die('refused', unsent);
    this.#retry(now, unsent, { retryAfterMs: loss.retryAfterMs ?? 0 });
  }

  /** The answer to `refresh`: a new credential, or undefined. @throws {RangeError} as the constructor */
  refreshed(now: number, auth: Auth | undefined): void {
    if (this.#phase.is !== 'refreshing') return;
    if (auth === undefined) return this.#die('credentialRefused', []);
    const identity = { ...this.#identity, auth };
    checkIdentity(identity);
    this.#identity = identity;
    this.#retry(now, [], { atOnce: true });
  }

  /**
   * Ends a connection for a fault of the other side.
   *
   * @param final another connection would fare no better
   */
  fault(now: number, why: string, final = false): void {
    if (!this.#hasSocket()) return;
    const unsent = this.#end(now, { type: 'disconnected', why });
    this.#actions.push({ do: 'close', code: UNREADABLE, reason: 'unreadable' });
    this.#resume = undefined;
    if (final) this.#die('unreadable', unsent);
    else this.#retry(now, unsent);
  }

  // -------------------------------------------------------------------------------------------------------------
  // Time

  /** Does what is due. Harmless when nothing is. */
  elapsed(now: number): void {
    this.#events.pushAll(this.#ledger.expire(now));
    const phase = this.#phase;
    switch (phase.is) {
      case 'waiting':
        if (now >= phase.until && !this.#isOverrun()) this.#connect(now);
        return;
      case 'connecting':
      case 'opened':
        if (now >= phase.deadline) this.#giveUp(now);
        return;
      case 'live':
        if (phase.askedAt !== undefined && now >= phase.askedAt + this.#policy.pongDeadlineMs) return this.#silent(now);
        if (now >= phase.pingAt) {
          phase.pingAt = now + this.#policy.pingIntervalMs;
          phase.askedAt ??= now;
          this.#ping = { number: this.#ping.number + 1, at: now };
          this.#outbox.pushOwn(writeEnvelope('sys', 'ping', { data: this.#ping.number }));
        }
        return;
      case 'refreshing':
        if (now >= phase.deadline) this.#die('credentialRefused', []);
        return;
      case 'new':
      case 'dead':
    }
  }

  /** When {@link elapsed} has something to do next; infinity when nothing is to be waited for. */
  wakeAt(): number {
    const phase = this.#phase;
    switch (phase.is) {
      case 'waiting':
        return this.#isOverrun() ? Infinity : phase.until;
      case 'connecting':
      case 'opened':
      case 'refreshing':
        return phase.deadline;
      case 'live': {
        const silent = phase.askedAt === undefined ? Infinity : phase.askedAt + this.#policy.pongDeadlineMs;
        return Math.min(phase.pingAt, silent, this.#ledger.nextDeadline());
      }
      case 'new':
      case 'dead':
        return Infinity;
    }
  }

  // -------------------------------------------------------------------------------------------------------------
  // What comes out

  /** The next event. With `live` the program may send; what it says before fails. */
  nextEvent(): CoreEvent | undefined {
    const event = this.#events.next();
    if (event !== undefined && event === this.#liveEvent && this.#phase.is === 'live') this.#phase.told = true;
    return event;
  }

  get hasEvents(): boolean {
    return this.#events.length > 0;
  }

  nextAction(): Action | undefined {
    return this.#actions.shift();
  }

  /** The next frame for the socket, which counts as sent now. */
  nextFrame(): Frame | undefined {
    const next = this.#outbox.next();
    if (next?.entry !== undefined) this.#ledger.sent(next.entry);
    return next?.frame;
  }

  /** Whether {@link nextFrame} may have something. */
  get hasFrames(): boolean {
    return !this.#outbox.isEmpty;
  }

  // -------------------------------------------------------------------------------------------------------------
  // Steps of a life

  /** Whatever is said may fail, and that takes an event. */
  #checkEvents(): void {
    if (this.#isOverrun()) throw new QueueFull(`${this.#policy.eventsMax} events wait for the program already`);
  }

  #isOverrun(): boolean {
    return this.#events.length >= this.#policy.eventsMax;
  }

  #hasSocket(): boolean {
    const { is } = this.#phase;
    return is === 'connecting' || is === 'opened' || is === 'live';
  }

  #connect(now: number): void {
    this.#attempt += 1;
    this.#events.push({ type: 'connecting', attempt: this.#attempt });
    this.#phase = { is: 'connecting', deadline: now + this.#policy.openDeadlineMs, resuming: this.#resume !== undefined };
    const protocols = offeredProtocols(this.#identity, this.#resume);
    this.#actions.push({ do: 'connect', url: addressOf(this.#url, this.#identity), protocols });
  }

  #becomeLive(now: number, greeting: Greeting): void {
    const pingAt = this.#policy.pingIntervalMs > 0 ? now + this.#policy.pingIntervalMs : Infinity;
    this.#phase = { is: 'live', since: now, told: false, pingAt, askedAt: undefined };
    this.#attempt = 0;
    this.#resume = greeting.resume;
    const resumed = greeting.command_sequence !== undefined;
    if (!resumed) this.#standing = false;
    this.#liveEvent = { type: 'live', greeting, resumed };
    this.#events.push(this.#liveEvent);
  }

  /**
   * A connection, or an attempt to make one, is over: tells so, and after it what ends with it.
   *
   * @returns what was still to be sent
   */
  #end(now: number, event: EndEvent): number[] {
    if (this.#phase.is === 'live' && now - this.#phase.since >= this.#policy.steadyMs) {
      this.#backoff.reset();
      this.#mayHurry = true;
      this.#mayRefresh = true;
    }
    this.#events.push(event);
    this.#outbox.clear();
    const failures = this.#ledger.failAll();
    this.#events.pushAll(failures);
    return failures.filter(({ type }) => type !== 'responseLost').map(({ id }) => id);
  }

  #dropped(now: number, unsent: number[]): void {
    if (!this.#standing) this.#resume = undefined;
    if (!this.#policy.reconnectOnDrop) return this.#die('dropped', unsent);
    const atOnce = this.#mayHurry;
    this.#mayHurry = false;
    this.#retry(now, unsent, { atOnce });
  }

  #retry(now: number, unsent: number[], { atOnce = false, retryAfterMs = 0 } = {}): void {
    if (this.#attempt >= this.#policy.attemptsMax) return this.#die('attemptsSpent', unsent);
    const wait = atOnce ? 0 : this.#backoff.next(Math.min(retryAfterMs, this.#policy.retryAfterMsMax));
    this.#phase = { is: 'waiting', until: now + wait };
    this.elapsed(now);
  }

  #authFailed(now: number, unsent: number[]): void {
    if (!this.#canRefresh || !this.#mayRefresh) return this.#die('credentialRefused', unsent);
    this.#mayRefresh = false;
    this.#phase = { is: 'refreshing', deadline: now + this.#policy.refreshDeadlineMs };
    this.#actions.push({ do: 'refresh' });
  }

  #giveUp(now: number): void {
    const unsent = this.#end(now, { type: 'disconnected', why: `no greeting within ${this.#policy.openDeadlineMs} ms` });
    this.#actions.push({ do: 'close', code: 1000, reason: 'no greeting' });
    this.#retry(now, unsent);
  }

  #silent(now: number): void {
    const unsent = this.#end(now, { type: 'disconnected', why: `no answer to a ping within ${this.#policy.pongDeadlineMs} ms` });
    this.#actions.push({ do: 'abandon' });
    this.#dropped(now, unsent);
  }

  #die(cause: Cause, unsent: number[]): void {
    this.#phase = { is: 'dead' };
    this.#events.push({ type: 'dead', cause, unsent });
  }

  #fail(entry: Parameters<Ledger['fail']>[0]): void {
    const failure = this.#ledger.fail(entry);
    // Once the program has taken the last event, the status alone tells.
    if (this.#phase.is !== 'dead' || this.#events.length > 0) this.#events.pushFailure(failure);
  }

  // -------------------------------------------------------------------------------------------------------------
  // What the server says

  #takeFirst(now: number, text: string): void {
    const envelope = readEnvelope(text);
    // Why it closes the connection next.
    if (envelope.svc === 'sys' && envelope.type === 'error') this.#takeText(now, envelope);
    else this.#becomeLive(now, readGreeting(text) as Greeting);
  }

  #takeText(now: number, { svc, type, seq, room, data }: Envelope): void {
    switch (`${svc}/${type}`) {
      case 'app/message':
        return this.#events.push({ type: 'message', data });
      case 'app/response':
        return this.#answer(seq, { type: 'response', data });
      case 'app/ack':
        return this.#answer(seq, { type: 'ack' });
      case 'app/reject':
        return this.#answer(seq, { type: 'reject', ...readRejection(data) });
      case 'sys/error':
        return this.#takeError(seq, data);
      case 'sys/pong':
        if (data === this.#ping.number) this.#rttMs = now - this.#ping.at;
        return;
      case 'sys/kicked':
        return this.#events.push({ type: 'kicked', reason: String((Object(data) as { reason?: unknown }).reason ?? '') });
      case 'world/joined':
        this.#standing = true;
        break;
      case 'world/left':
        this.#standing = false;
        break;
    }
    this.#events.push({ type: 'envelope', svc, name: type, room, data });
  }

  /** A refused request has ended, like one that the application rejects. */
  #takeError(seq: number | undefined, data: unknown): void {
    const refusal = readRejection(data);
    const rejected = seq === undefined ? undefined : this.#ledger.answered(seq, { type: 'reject', ...refusal });
    this.#events.push(rejected ?? { type: 'error', ...refusal, seq });
  }

  #takeBytes(bytes: ArrayBuffer): void {
    if (this.#phase.is !== 'live') throw new ReaderError('bytes before the greeting');
    const { svc, opcode, seq, payloadOffset } = readHotHeader(bytes);
    if (svc === WORLD_SVC) return this.#events.push({ type: 'worldFrame', bytes });
    if (svc !== APP_SVC) return;
    const payload = new Uint8Array(bytes, payloadOffset);
    const number = seq ?? undefined;
    switch (opcode) {
      case APP_OPCODE.message:
        return this.#events.push({ type: 'bytes', bytes: payload });
      case APP_OPCODE.response:
        return this.#answer(number, { type: 'response', data: payload });
      case APP_OPCODE.ack:
        return this.#answer(number, { type: 'ack' });
      case APP_OPCODE.reject:
        return this.#answer(number, { type: 'reject', ...readRejectionBytes(payload) });
    }
  }

  #answer(seq: number | undefined, answer: Answer): void {
    if (seq === undefined) throw new ReaderError('an answer without seq');
    const outcome = this.#ledger.answered(seq, answer);
    // It may have timed out here before it was answered there.
    if (outcome !== undefined) this.#events.push(outcome);
  }
}

/** Too early, too many, or trouble of the server's own. Anything else says that the request is wrong, as the next would be. */
function passes(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

const POLICY_VIOLATION = 1008;
/** The reason of a server that has heard nothing for long begins so. */
const SILENCE = 'TIMEOUT: nothing was heard';
/** Scripts may close with 1000 and with 3000 to 4999 only. */
const UNREADABLE = 4002;
