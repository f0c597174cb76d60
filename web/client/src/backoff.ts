// How long to wait before another attempt. Never waits and never attempts.

import type { Random } from './random.js';

/** The curve of waits: the longest before attempt n is `min(capMs, baseMs * factor ** n)`. */
export interface Curve {
  baseMs: number;
  factor: number;
  capMs: number;
}

/**
 * Waits that grow with each failure, each drawn from all between nothing and its longest: whoever lost the same server
 * at the same moment comes back at different ones.
 */
export class Backoff {
  readonly #curve: Curve;
  readonly #random: Random;
  #step = 0;

  constructor(curve: Curve, random: Random) {
    this.#curve = curve;
    this.#random = random;
  }

  /** The next wait in milliseconds; at least `atLeastMs`, and even then not the same for all. */
  next(atLeastMs = 0): number {
    const { baseMs, factor, capMs } = this.#curve;
    const longest = Math.min(capMs, baseMs * factor ** this.#step);
    this.#step += 1;
    return atLeastMs + this.#random.next() * longest;
  }

  /** The next failure is a first one again. */
  reset(): void {
    this.#step = 0;
  }
}
