// Clients and a server in virtual time: links with delays that break at chosen moments, all from one seed. The clients are the
// real core; the server is the simulation's own.

import { Core, Random } from '../dist/client/src/index.js';

/** What happens when. */
export class Simulation {
  /** @param {number} seed */
  constructor(seed) {
    this.random = new Random(seed);
    this.now = 0;
    /** @type {{at: number, order: number, deed: () => void}[]} */
    this.due = [];
    this.order = 0;
  }

  /** @param {number} delayMs @param {() => void} deed */
  after(delayMs, deed) {
    const entry = { at: this.now + delayMs, order: this.order += 1, deed };
    let index = this.due.length;
    while (index > 0 && this.due[index - 1].at > entry.at) index -= 1;
    this.due.splice(index, 0, entry);
  }

  /** @param {number} untilMs */
  run(untilMs) {
    while (this.due.length > 0 && this.due[0].at <= untilMs) {
      const { at, deed } = /** @type {{at: number, deed: () => void}} */ (this.due.shift());
      this.now = Math.max(this.now, at);
      deed();
    }
    this.now = untilMs;
  }

  /** @param {number} from @param {number} to a number between */
  between(from, to) {
    return from + this.random.next() * (to - from);
  }

  /** @param {number} share */
  chance(share) {
    return this.random.next() < share;
  }
}

/**
 * @typedef {object} Habits of the server
 * @property {() => number} [latencyMs] one way
 * @property {(link: SimLink) => void} [opened] the upgrade is done; greets unless it is given
 * @property {(link: SimLink, envelope: any) => void} [text]
 * @property {() => import('../dist/client/src/index.js').Loss | undefined} [refusal] what becomes of an upgrade
 */

export class SimServer {
  /** @param {Simulation} simulation @param {Habits} [habits] */
  constructor(simulation, habits = {}) {
    this.simulation = simulation;
    this.habits = habits;
    /** @type {SimLink[]} every link that was opened */
    this.links = [];
    this.session = 0;
  }

  /** @returns {import('../dist/client/src/index.js').Loss | undefined} */
  refusal() {
    return this.habits.refusal?.();
  }

  get latencyMs() {
    return this.habits.latencyMs?.() ?? 0;
  }

  /** Those that are open. */
  get open() {
    return this.links.filter(({ broken }) => !broken);
  }
}

/** One connection, seen from both ends. */
export class SimLink {
  /** @param {SimServer} server @param {SimClient} client @param {string} url @param {string[]} protocols */
  constructor(server, client, url, protocols) {
    this.server = server;
    this.client = client;
    this.url = url;
    this.protocols = protocols;
    this.broken = false;
    this.isOpen = false;
    this.number = server.links.length;
    /** When the last thing on its way arrives, there and back. */
    this.arrives = [0, 0];
    const refusal = server.refusal();
    this.toClient(() => {
      if (refusal !== undefined) {
        this.broken = true;
        client.core.lost(client.now, refusal);
        return;
      }
      this.isOpen = true;
      client.core.opened(client.now, protocols.find((one) => one.startsWith('worldshard.')) ?? '');
    });
    if (refusal === undefined) {
      server.links.push(this);
      if (server.habits.opened) server.habits.opened(this);
      else this.greet();
    }
  }

  /** @param {object} [more] */
  greet(more = {}) {
    const session = this.server.session += 1;
    this.text('sys', 'authed', { data: { session, layout: 1, tick: 0, tick_rate_hz: 20, trace: String(this.number), ...more } });
  }

  /** @param {string} svc @param {string} type @param {{seq?: number, data?: unknown}} [parts] */
  text(svc, type, parts = {}) {
    const frame = JSON.stringify({ v: 1, svc, type, ...parts });
    this.toClient(() => this.client.core.received(this.client.now, frame));
  }

  /** A close frame. @param {number} code @param {string} reason */
  close(code, reason) {
    this.toClient(() => {
      this.broken = true;
      this.client.core.closed(this.client.now, code, reason);
    });
  }

  /** Breaks it off: what is on its way never arrives. */
  cut() {
    if (this.broken) return;
    this.broken = true;
    this.server.simulation.after(this.server.latencyMs, () => {
      if (this.client.link !== this) return;
      this.client.link = undefined;
      this.client.core.lost(this.client.now, { why: 'cut' });
      this.client.pump();
    });
  }

  /** @param {() => void} deed */
  toClient(deed) {
    this.send(0, () => {
      if (this.client.link !== this) return;
      deed();
      if (this.broken) this.client.link = undefined;
      this.client.pump();
    });
  }

  /** @param {string | Uint8Array} frame */
  toServer(frame) {
    this.send(1, () => {
      if (typeof frame === 'string') this.server.habits.text?.(this, JSON.parse(frame));
    });
  }

  /** In order, each direction for itself. @param {0 | 1} way @param {() => void} deed */
  send(way, deed) {
    const { simulation } = this.server;
    this.arrives[way] = Math.max(this.arrives[way], simulation.now + this.server.latencyMs);
    simulation.after(this.arrives[way] - simulation.now, () => {
      if (!this.broken) deed();
    });
  }
}

/** The real core, driven in virtual time. */
export class SimClient {
  /**
   * @param {SimServer} server
   * @param {Partial<import('../dist/client/src/index.js').CoreOptions>} options
   * @param {{event?: (event: import('../dist/client/src/index.js').CoreEvent) => void, pauseMs?: () => number,
   *   refresh?: () => import('../dist/client/src/index.js').Auth | undefined}} [habits] `pauseMs`: between two events that
   *   the program takes; without it all are taken at once
   */
  constructor(server, options, habits = {}) {
    this.server = server;
    this.habits = habits;
    this.core = new Core({ url: 'ws://server/world', seed: 1, canRefresh: habits.refresh !== undefined, ...options });
    /** @type {SimLink | undefined} */
    this.link = undefined;
    /** @type {{at: number, protocols: string[]}[]} */
    this.attempts = [];
    /** @type {import('../dist/client/src/index.js').CoreEvent[]} */
    this.events = [];
    /** @type {import('../dist/client/src/index.js').Action[]} */
    this.actions = [];
    this.pausing = false;
    this.wakeAt = Infinity;
  }

  get now() {
    return this.server.simulation.now;
  }

  start() {
    this.core.start(this.now);
    this.pump();
    return this;
  }

  /** Does what the core asks for. */
  pump() {
    for (let action = this.core.nextAction(); action !== undefined; action = this.core.nextAction()) {
      this.actions.push(action);
      this.act(action);
    }
    while (this.link?.isOpen && !this.link.broken && this.core.hasFrames) {
      const frame = this.core.nextFrame();
      if (frame !== undefined) this.link.toServer(frame);
    }
    this.take();
    this.wake();
  }

  /** @param {import('../dist/client/src/index.js').Action} action */
  act(action) {
    switch (action.do) {
      case 'connect':
        this.attempts.push({ at: this.now, protocols: action.protocols });
        this.link = new SimLink(this.server, this, action.url, action.protocols);
        return;
      case 'close':
      case 'abandon':
        if (this.link) this.link.broken = true;
        this.link = undefined;
        return;
      case 'refresh': {
        const auth = this.habits.refresh?.();
        this.server.simulation.after(0, () => {
          this.core.refreshed(this.now, auth);
          this.pump();
        });
      }
    }
  }

  take() {
    const { pauseMs } = this.habits;
    if (pauseMs === undefined) {
      while (this.takeOne());
    } else if (!this.pausing && this.core.hasEvents) {
      this.pausing = true;
      this.server.simulation.after(pauseMs(), () => {
        this.pausing = false;
        this.takeOne();
        this.pump();
      });
    }
  }

  takeOne() {
    const event = this.core.nextEvent();
    if (event === undefined) return false;
    this.events.push(event);
    this.habits.event?.(event);
    return true;
  }

  wake() {
    const at = this.core.wakeAt();
    if (at >= this.wakeAt) return;
    this.wakeAt = at;
    this.server.simulation.after(Math.max(0, at - this.now), () => {
      if (this.wakeAt === at) this.wakeAt = Infinity;
      this.core.elapsed(this.now);
      this.pump();
    });
  }

  /** The types of its events so far. */
  get story() {
    return this.events.map(({ type }) => type).join(' ');
  }
}
