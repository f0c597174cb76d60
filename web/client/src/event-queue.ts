// Events between the core and the program. Owns their order; never makes one up.

import type { CoreEvent } from './events.js';
import type { Failure } from './ledger.js';

export class EventQueue {
  #events: CoreEvent[] = [];

  get length(): number {
    return this.#events.length;
  }

  push(event: CoreEvent): void {
    this.#events.push(event);
  }

  pushAll(events: readonly CoreEvent[]): void {
    this.#events.push(...events);
  }

  /**
   * The failure of what was said before the program learned that it is live, or dead: it learns of the failure first, however
   * long ago the client got that far.
   */
  pushFailure(failure: Failure): void {
    const at = this.#events.findIndex(({ type }) => type === 'live' || type === 'dead');
    this.#events.splice(at < 0 ? this.#events.length : at, 0, failure);
  }

  next(): CoreEvent | undefined {
    return this.#events.shift();
  }
}
