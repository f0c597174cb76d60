// What waits to be handed to the socket, in the order in which it goes. Never outlives a connection.

import type { Frame } from './envelope.js';
import type { Message, Request } from './ledger.js';
import { QueueFull } from './policy.js';

interface Waiting {
  frame: Frame;
  /** Undefined for what nobody is told about: commands. */
  entry: Message | Request | undefined;
}

export class Outbox {
  readonly #framesMax: number;
  readonly #bytesMax: number;
  /** What the client itself has to say; at most a few, and before everything else. */
  #own: string[] = [];
  /** The newest acknowledgement says all that an older one does. */
  #acknowledgement: Frame | undefined;
  #waiting: Waiting[] = [];
  #bytes = 0;

  constructor(framesMax: number, bytesMax: number) {
    this.#framesMax = framesMax;
    this.#bytesMax = bytesMax;
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#own.length === 0 && this.#acknowledgement === undefined && this.#waiting.length === 0;
  }

  /** @throws {QueueFull} there is no place for the frame */
  makeSure(frame: Frame): void {
    if (this.#waiting.length >= this.#framesMax) throw new QueueFull(`${this.#framesMax} frames wait to be sent already`);
    if (this.#bytes + frame.length > this.#bytesMax) throw new QueueFull(`${this.#bytes} bytes wait to be sent already`);
  }

  push(frame: Frame, entry?: Message | Request): void {
    this.makeSure(frame);
    this.#waiting.push({ frame, entry });
    this.#bytes += frame.length;
  }

  pushOwn(text: string): void {
    this.#own.push(text);
  }

  acknowledge(frame: Frame): void {
    this.#acknowledgement = frame;
  }

  /** The next frame to go; what has ended meanwhile does not go any more. */
  next(): Waiting | undefined {
    const own = this.#own.shift();
    if (own !== undefined) return { frame: own, entry: undefined };
    if (this.#acknowledgement !== undefined) {
      const frame = this.#acknowledgement;
      this.#acknowledgement = undefined;
      return { frame, entry: undefined };
    }
    for (;;) {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) return undefined;
      this.#bytes -= waiting.frame.length;
      if (waiting.entry === undefined || waiting.entry.status === 'sending') return waiting;
    }
  }

  clear(): void {
    this.#own = [];
    this.#acknowledgement = undefined;
    this.#waiting = [];
    this.#bytes = 0;
  }
}
