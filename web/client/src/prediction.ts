// What a client shows before the server has answered: the server's state, and on top of it what was asked for since.
// Knows neither the wire nor time; the ids are those of requests, or the numbers of commands.

/**
 * `apply` gives the state after an input, as the server would; it must not change the state it is given.
 *
 * Where it foresees what the server does, {@link state} stays as it is when the server's own comes. Where it does not, or the
 * server refuses, the state is as if the input had never been.
 */
export class Prediction<State, Input> {
  readonly #apply: (state: State, input: Input) => State;
  readonly #pendingMax: number;
  #base: State;
  #state: State;
  #pending: { id: number; input: Input }[] = [];

  constructor(state: State, apply: (state: State, input: Input) => State, pendingMax = 256) {
    this.#base = state;
    this.#state = state;
    this.#apply = apply;
    this.#pendingMax = pendingMax;
  }

  /** What to show. */
  get state(): State {
    return this.#state;
  }

  /** The server's last word. */
  get base(): State {
    return this.#base;
  }

  /** How many inputs the server has not answered. */
  get pending(): number {
    return this.#pending.length;
  }

  /** Shows an input at once. @throws {RangeError} ids ascend, and only so many may be pending */
  predict(id: number, input: Input): State {
    const last = this.#pending.at(-1)?.id ?? -Infinity;
    if (id <= last) throw new RangeError(`input ${id} after ${last}`);
    if (this.#pending.length >= this.#pendingMax) throw new RangeError(`${this.#pendingMax} inputs are pending already`);
    this.#pending.push({ id, input });
    this.#state = this.#apply(this.#state, input);
    return this.#state;
  }

  /** The server's state, which contains the inputs up to `upTo`; without it, none of those that are pending. */
  reconcile(state: State, upTo = -Infinity): State {
    this.#base = state;
    return this.#replay(({ id }) => id > upTo);
  }

  /** The server did as it was asked: the input is part of its state. */
  confirm(id: number): State {
    const done = this.#pending.find((one) => one.id === id);
    if (done !== undefined) this.#base = this.#apply(this.#base, done.input);
    return this.#replay((one) => one.id !== id);
  }

  /** The server did not: the input is taken back. */
  reject(id: number): State {
    return this.#replay((one) => one.id !== id);
  }

  /** The server's state, and nothing else is pending: what to do when a new session begins. */
  reset(state: State): State {
    return this.reconcile(state, Infinity);
  }

  #replay(stays: (one: { id: number; input: Input }) => boolean): State {
    this.#pending = this.#pending.filter(stays);
    this.#state = this.#pending.reduce((state, { input }) => this.#apply(state, input), this.#base);
    return this.#state;
  }
}
