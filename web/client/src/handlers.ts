// Who wants to hear of what. Events are given one by one, in the order in which they come, whatever their types: never two at
// a time, and never one before another that came first.

type Handler = (event: never) => void;

export class Handlers<Event extends { type: string }> {
  #handlers: { type: string | undefined; handler: Handler }[] = [];

  /** @returns takes the handler back */
  add<Type extends Event['type']>(type: Type, handler: (event: Extract<Event, { type: Type }>) => void): () => void {
    return this.#add(type, handler);
  }

  /** Hears everything. @returns takes the handler back */
  addForAll(handler: (event: Event) => void): () => void {
    return this.#add(undefined, handler);
  }

  /** Gives an event to all who want it, in the order in which they were added. One that throws keeps it from no other. */
  emit(event: Event): void {
    // A handler that is added or taken back meanwhile counts from the next event on.
    for (const { type, handler } of [...this.#handlers]) {
      if (type !== undefined && type !== event.type) continue;
      try {
        handler(event as never);
      } catch (error) {
        report(error);
      }
    }
  }

  #add(type: string | undefined, handler: Handler): () => void {
    const entry = { type, handler };
    this.#handlers.push(entry);
    return () => {
      this.#handlers = this.#handlers.filter((one) => one !== entry);
    };
  }
}

/** A program's own error is its own: it ends where uncaught errors end, and nothing here. */
export function report(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
