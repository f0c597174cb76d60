// What a client does by itself, and where it stops: every limit has a name, a unit and a consequence.

import type { Curve } from './backoff.js';

export interface Policy {
  /** Whether to connect again when a live connection breaks off. */
  reconnectOnDrop: boolean;
  /**
   * Whether to connect again after a close frame of the server; a function decides by the frame. After AUTH_FAILED only a
   * new credential counts.
   */
  reconnectOnServerClose: boolean | ((code: number, reason: string) => boolean);
  /** Attempts in a row without being live; beyond, the client is dead. */
  attemptsMax: number;
  /** Waits between attempts. */
  backoff: Curve;
  /** How long a client must have been live for its next failure to count as a first one. */
  steadyMs: number;
  /** A server that asks for a longer pause is taken to ask for this one. */
  retryAfterMsMax: number;
  /** From the beginning of an attempt to the greeting; beyond, the attempt has failed. */
  openDeadlineMs: number;
  /** For the callback that gives a new credential; beyond, the client is dead. */
  refreshDeadlineMs: number;
  /** From the request to its answer, unless the request says otherwise; beyond, it has timed out. */
  requestDeadlineMs: number;
  /** Between two pings of a live connection; 0: none, and silence is no reason to end it. */
  pingIntervalMs: number;
  /** Silence after a ping; beyond, the connection counts as dropped. */
  pongDeadlineMs: number;
  /** Messages, requests and commands that wait to be sent; beyond, the next is refused. */
  outboxFramesMax: number;
  /** Their bytes; texts are counted by their characters. Beyond, the next is refused. */
  outboxBytesMax: number;
  /** Requests without an answer; beyond, the next is refused. */
  requestsOpenMax: number;
  /**
   * Events that the program has not taken; beyond, nothing may be said, a connection on which more is heard is ended, and no
   * other is made until the program takes them.
   */
  eventsMax: number;
}

export const POLICY: Readonly<Policy> = Object.freeze({
  reconnectOnDrop: true,
  reconnectOnServerClose: false,
  attemptsMax: Infinity,
  backoff: Object.freeze({ baseMs: 500, factor: 2, capMs: 30_000 }),
  steadyMs: 5_000,
  retryAfterMsMax: 3_600_000,
  openDeadlineMs: 10_000,
  refreshDeadlineMs: 30_000,
  requestDeadlineMs: 30_000,
  pingIntervalMs: 5_000,
  pongDeadlineMs: 10_000,
  outboxFramesMax: 256,
  outboxBytesMax: 1_048_576,
  requestsOpenMax: 64,
  eventsMax: 4_096,
});

/** More waits already than a limit of the policy allows. Nothing was taken. */
export class QueueFull extends RangeError {
  constructor(what: string) {
    super(what);
    this.name = 'QueueFull';
  }
}
