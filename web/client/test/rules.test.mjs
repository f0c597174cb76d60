// What README.md promises whenever a connection breaks: links that break at random, programs that take their events late, and
// a trace that is held against every rule. A failure names the seed that has it again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClient, SimServer, Simulation } from './simulation.mjs';

/** @typedef {import('../dist/client/src/index.js').CoreEvent} CoreEvent */

/** A program that says this and that, and checks what it hears. */
class Program {
  /** @param {Simulation} simulation @param {SimServer} server @param {boolean} late @param {object} options */
  constructor(simulation, server, late, options) {
    this.simulation = simulation;
    /** @type {'out' | 'live' | 'dead'} where the program is, by the events that it has taken */
    this.standing = 'out';
    /** What the grammar lets come next. */
    this.stage = 'idle';
    /** The connection it is live over. @type {string | undefined} */
    this.connection = undefined;
    this.expectsState = false;
    /** @type {Map<number, {handle: import('../dist/client/src/index.js').RequestHandle, connection: string | undefined, ends: number}>} */
    this.requests = new Map();
    /** @type {Map<number, {handle: import('../dist/client/src/index.js').MessageHandle, ends: number}>} */
    this.messages = new Map();
    this.lives = 0;
    this.client = new SimClient(server, options, {
      event: (event) => this.take(event),
      ...(late ? { pauseMs: () => (simulation.chance(0.9) ? simulation.between(0, 5) : simulation.between(0, 200)) } : {}),
    });
  }

  /** Says something now and then, whether it may or not. */
  babble() {
    this.simulation.after(this.simulation.between(1, 60), () => {
      if (this.standing === 'dead') return;
      this.say();
      this.client.pump();
      this.babble();
    });
  }

  say() {
    const { core } = this.client;
    const told = this.standing === 'live';
    const data = { connection: this.connection };
    if (this.simulation.chance(0.4)) {
      const handle = core.send(data);
      this.messages.set(handle.id, { handle, ends: 0 });
      if (!told) assert.equal(handle.status, 'failed', 'rule 2: a message before live');
      return;
    }
    const handle = core.request(this.client.now, data, this.simulation.between(20, 2000));
    this.requests.set(handle.id, { handle, connection: this.connection, ends: 0 });
    if (!told) assert.equal(handle.status, 'sendFailed', 'rule 2: a request before live');
  }

  /** @param {CoreEvent} event */
  take(event) {
    assert.notEqual(this.standing, 'dead', `${event.type} after dead`);
    switch (event.type) {
      case 'connecting':
        return this.step(['idle'], 'connecting');
      case 'opened':
        return this.step(['connecting'], 'opened');
      case 'live':
        this.step(['opened'], 'live');
        return this.becomeLive(event);
      case 'disconnected':
      case 'closedByServer':
      case 'closedBySelf':
        this.step(event.type === 'closedBySelf' ? ['idle', 'connecting', 'opened', 'live'] : ['connecting', 'opened', 'live'], 'idle');
        this.standing = 'out';
        this.connection = undefined;
        return;
      case 'dead':
        this.step(['idle'], 'dead');
        this.standing = 'dead';
        assert.deepEqual(this.open(), [], 'ids that have not ended when the client is dead');
        return;
      case 'messageFailed':
        assert.equal(this.standing, 'out', 'rule 5: a message failed');
        return void (this.message(event.id).ends += 1);
      case 'message':
        assert.equal(this.standing, 'live', 'a message while not live');
        assert.equal(dataOf(event).connection, this.connection, 'a message of another connection');
        assert.equal(this.expectsState, dataOf(event).state === true, 'rule 4: the state is the first that is heard');
        this.expectsState = false;
        return;
      case 'error':
        return;
      default:
        this.takeOutcome(/** @type {any} */ (event));
    }
  }

  /** @param {{type: string, id: number, data?: any}} event */
  takeOutcome({ type, id, data }) {
    const request = this.requests.get(id);
    assert.ok(request, `${type} of ${id}, which nobody asked`);
    request.ends += 1;
    assert.equal(request.ends, 1, `${id} ended again, by ${type}`);
    assert.equal(STATUS[/** @type {keyof typeof STATUS} */ (type)], request.handle.status);
    if (type === 'sendFailed' || type === 'responseLost') assert.equal(this.standing, 'out', `rule 5: ${type}`);
    else assert.equal(request.connection, this.connection, `an answer of another connection: ${type}`);
    if (type === 'response') assert.equal(data.connection, this.connection, 'an answer over another connection');
  }

  /** @param {Extract<CoreEvent, {type: 'live'}>} event */
  becomeLive({ greeting }) {
    assert.deepEqual(this.open(), [], 'rule 1: old ids that have not ended before live');
    this.standing = 'live';
    this.connection = greeting.trace;
    this.expectsState = true;
    this.lives += 1;
  }

  /** @param {string[]} from @param {string} to */
  step(from, to) {
    assert.ok(from.includes(this.stage), `${to} after ${this.stage}: ${this.end}`);
    this.stage = to;
  }

  /** Its last events. */
  get end() {
    return this.client.events.slice(-20).map(({ type }) => type).join(' ');
  }

  /** @param {number} id */
  message(id) {
    const message = this.messages.get(id);
    assert.ok(message, `message ${id} failed, which nobody said`);
    return message;
  }

  open() {
    const requests = [...this.requests].filter(([, { ends }]) => ends === 0);
    // A message that was sent needs no event, one that failed has one.
    const messages = [...this.messages].filter(([, { handle, ends }]) => ends !== (handle.status === 'failed' ? 1 : 0) || handle.status === 'sending');
    return [...requests, ...messages].map(([id]) => id);
  }
}

/** @param {{data: unknown}} event @returns {{connection: string, state?: boolean}} */
const dataOf = ({ data }) => /** @type {any} */ (data);

const STATUS = {
  response: 'responded', ack: 'acknowledged', reject: 'rejected', sendFailed: 'sendFailed', responseLost: 'responseLost', timedOut: 'timedOut',
};

/** A server that answers requests now and then, this way or that. @param {Simulation} simulation */
function moody(simulation) {
  const server = new SimServer(simulation, {
    latencyMs: () => (simulation.chance(0.9) ? simulation.between(0, 20) : simulation.between(0, 300)),
    refusal: () => (simulation.chance(0.2) ? { why: 'refused' } : undefined),
    opened: (link) => {
      link.greet();
      link.text('app', 'message', { data: { state: true, connection: String(link.number) } });
    },
    text: (link, { svc, type, seq, data }) => {
      if (svc === 'sys') return link.text('sys', 'pong', { data });
      assert.equal(data.connection, String(link.number), 'rule 2: said to one connection, sent over another');
      const answer = { connection: String(link.number) };
      if (type === 'message') return link.text('app', 'message', { data: answer });
      const mood = simulation.random.next();
      if (mood < 0.1) return;
      simulation.after(simulation.between(0, 200), () => {
        if (mood < 0.5) link.text('app', 'response', { seq, data: answer });
        else if (mood < 0.8) link.text('app', 'ack', { seq });
        else if (mood < 0.9) link.text('app', 'reject', { seq, data: { code: 'NOT_ALLOWED', msg: 'no' } });
        else link.text('sys', 'error', { seq, data: { code: 'RESOURCE_EXHAUSTED', msg: 'no' } });
      });
    },
  });
  return server;
}

/** @param {number} seed */
function run(seed) {
  const simulation = new Simulation(seed);
  const server = moody(simulation);
  const late = simulation.chance(0.5);
  const program = new Program(simulation, server, late, {
    seed, outboxFramesMax: 1024, requestsOpenMax: 1024, reconnectOnServerClose: simulation.chance(0.8),
    attemptsMax: simulation.chance(0.9) ? Infinity : 3, pingIntervalMs: 500, pongDeadlineMs: 700,
  });
  const breaks = () => simulation.after(simulation.between(50, 3000), () => {
    for (const link of server.open) {
      if (simulation.chance(0.8)) link.cut();
      else link.close(1001, 'draining');
    }
    breaks();
  });
  breaks();
  program.babble();
  program.client.start();
  simulation.run(30_000);
  program.client.core.close(simulation.now);
  program.client.pump();
  simulation.run(3_600_000);
  assert.equal(program.standing, 'dead', `not dead: ${program.end}`);
  assert.equal(program.client.events.at(-1)?.type, 'dead');
  return program;
}

test('the five rules hold and every id ends once, wherever connections break', () => {
  let [lives, requests] = [0, 0];
  /** @type {Set<string>} */
  const seen = new Set();
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    try {
      const program = run(seed);
      lives += program.lives;
      requests += program.requests.size;
      for (const { type } of program.client.events) seen.add(type);
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : error}`);
    }
  }
  // The simulation is of use only when it meets what it is about.
  assert.ok(lives > 5 * SEEDS, `live ${lives} times only`);
  assert.ok(requests > 100 * SEEDS, `${requests} requests only`);
  for (const type of [...Object.keys(STATUS), 'messageFailed', 'closedByServer', 'closedBySelf', 'disconnected', 'error']) {
    if (type !== 'error') assert.ok(seen.has(type), `never ${type}`);
  }
});

test('the same seed tells the same story', () => {
  const [one, other] = [run(5), run(5)];
  assert.deepEqual(one.client.events, other.client.events);
  assert.deepEqual(one.client.attempts, other.client.attempts);
});

const SEEDS = Number(process.env['WORLDSHARD_SEEDS'] ?? 200);
