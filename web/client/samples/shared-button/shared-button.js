// One button that all clients share: whoever holds it down keeps it from the others. Shows at once what the server will
// most likely say, and takes it back when the server says otherwise. Knows no page.

import { Prediction } from '@worldshard/client';

/**
 * @typedef {{holder: string | null}} State who holds the button down
 * @typedef {{type: 'press' | 'release', by: string}} Input
 * @typedef {{
 *   request: {type: 'press' | 'release'},
 *   serverMessage: {type: 'button', holder: string | null},
 * }} ButtonChannel
 */

/** What the server does, too: only a button that nobody holds can be pressed. @param {State} state @param {Input} input @returns {State} */
export function apply({ holder }, { type, by }) {
  if (type === 'press') return { holder: holder ?? by };
  return { holder: holder === by ? null : holder };
}

export class SharedButton {
  /**
   * @param {import('@worldshard/client').Client<ButtonChannel>} client
   * @param {string} name whom the server knows this client as
   * @param {() => void} changed
   */
  constructor(client, name, changed) {
    this.client = client;
    this.name = name;
    this.changed = changed;
    /** Whether the server has said how things stand. */
    this.known = false;
    /** How often something was taken back. */
    this.takenBack = 0;
    /** @type {Prediction<State, Input>} */
    this.prediction = new Prediction(/** @type {State} */ ({ holder: null }), apply);
    client.on('live', () => this.forget());
    client.on('disconnected', () => this.forget());
    client.on('closedByServer', () => this.forget());
    client.onMessage('button', ({ holder }) => {
      this.known = true;
      this.prediction.reconcile({ holder });
      this.changed();
    });
    client.on('ack', ({ id }) => {
      this.prediction.confirm(id);
      this.changed();
    });
    // What never left, what was lost and what was refused are all the same here: the server did not say that it is done.
    for (const type of /** @type {const} */ (['reject', 'sendFailed', 'responseLost', 'timedOut'])) {
      client.on(type, ({ id }) => {
        this.takenBack += 1;
        this.prediction.reject(id);
        this.changed();
      });
    }
  }

  /** Who holds the button, as far as this client knows or expects. */
  get holder() {
    return this.prediction.state.holder;
  }

  get isMine() {
    return this.holder === this.name;
  }

  /** Whether the server has yet to say yes or no. */
  get isPending() {
    return this.prediction.pending > 0;
  }

  press() {
    this.ask('press');
  }

  release() {
    this.ask('release');
  }

  /** @param {'press' | 'release'} type */
  ask(type) {
    if (!this.known) return;
    const { id } = this.client.request({ type });
    this.prediction.predict(id, { type, by: this.name });
    this.changed();
  }

  /** The server says how things stand before anything else, whenever a session opens. */
  forget() {
    this.known = false;
    this.changed();
  }
}
