// Every message and request that has not ended yet, and how each ends. Never sends and never counts time of its own.
// Invariant: an id ends once, and whatever ends is forgotten.

import type { MessageFailed, Outcome } from './events.js';

export type MessageStatus = 'sending' | 'sent' | 'failed';

export type RequestStatus =
  | 'sending' | 'waiting' | 'responded' | 'acknowledged' | 'rejected' | 'sendFailed' | 'responseLost' | 'timedOut';

/** A message and how far it is. `sent`: handed to the socket. */
export interface MessageHandle {
  readonly id: number;
  readonly status: MessageStatus;
}

/** A request and how far it is. */
export interface RequestHandle {
  readonly id: number;
  readonly status: RequestStatus;
}

export interface Message {
  kind: 'message';
  id: number;
  status: MessageStatus;
}

export interface Request {
  kind: 'request';
  id: number;
  status: RequestStatus;
  /** Its number on the wire. */
  seq: number;
  /** In milliseconds of the core's clock. */
  deadline: number;
}

export type Failure = MessageFailed | { type: 'sendFailed' | 'responseLost'; id: number };

export class Ledger {
  readonly #open = new Map<number, Message | Request>();
  readonly #bySeq = new Map<number, Request>();
  #last = 0;

  /** How many requests have not ended. */
  get requestsOpen(): number {
    return this.#bySeq.size;
  }

  message(): Message {
    const message: Message = { kind: 'message', id: this.#nextId(), status: 'sending' };
    this.#open.set(message.id, message);
    return message;
  }

  request(deadline: number): Request {
    const id = this.#nextId();
    // Far from the numbers of commands, so that a refusal which names a number names one thing.
    const seq = REQUEST_SEQ_FIRST + (id % REQUEST_SEQ_FIRST);
    const request: Request = { kind: 'request', id, status: 'sending', seq, deadline };
    this.#open.set(id, request);
    this.#bySeq.set(seq, request);
    return request;
  }

  /** It was handed to the socket: a message needs no more, a request waits. */
  sent(entry: Message | Request): void {
    if (entry.kind === 'request') {
      entry.status = 'waiting';
    } else {
      entry.status = 'sent';
      this.#open.delete(entry.id);
    }
  }

  /** The server has answered. Undefined when nobody waits for that answer any more. */
  answered(seq: number, answer: Answer): Outcome | undefined {
    const request = this.#bySeq.get(seq);
    if (request === undefined) return undefined;
    const statuses = { response: 'responded', ack: 'acknowledged', reject: 'rejected' } as const;
    this.#end(request, statuses[answer.type]);
    return { ...answer, id: request.id };
  }

  /** The connection is gone, or will not be used: all that is open fails, in the order in which it was said. */
  failAll(): Failure[] {
    return [...this.#open.values()].map((entry) => this.fail(entry));
  }

  fail(entry: Message | Request): Failure {
    const { id } = entry;
    if (entry.kind === 'message') {
      entry.status = 'failed';
      this.#open.delete(id);
      return { type: 'messageFailed', id };
    }
    const type = entry.status === 'sending' ? 'sendFailed' : 'responseLost';
    this.#end(entry, type);
    return { type, id };
  }

  /** Ends the requests whose deadline has come. */
  expire(now: number): Outcome[] {
    const late = [...this.#bySeq.values()].filter(({ deadline }) => deadline <= now);
    return late.map((request) => {
      this.#end(request, 'timedOut');
      return { type: 'timedOut', id: request.id };
    });
  }

  /** When the next request is given up; infinity when none is open. */
  nextDeadline(): number {
    return Math.min(...[...this.#bySeq.values()].map(({ deadline }) => deadline));
  }

  #nextId(): number {
    this.#last += 1;
    return this.#last;
  }

  #end(request: Request, status: RequestStatus): void {
    request.status = status;
    this.#open.delete(request.id);
    this.#bySeq.delete(request.seq);
  }
}

export type Answer =
  | { type: 'response'; data: unknown }
  | { type: 'ack' }
  | { type: 'reject'; code: string; msg: string };

const REQUEST_SEQ_FIRST = 2 ** 31;
