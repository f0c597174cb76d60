// The life cycle in virtual time: when it attempts, what it shows, when it stops, and what its limits do.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Core, QueueFull } from '../dist/client/src/index.js';
import { SimClient, SimServer, Simulation } from './simulation.mjs';

/** @typedef {import('../dist/client/src/index.js').CoreOptions} Options */

/** A server that greets at once, and can go down. @param {import('./simulation.mjs').Habits} [habits] */
function scene(habits = {}) {
  const simulation = new Simulation(1);
  /** @type {{loss: import('../dist/client/src/index.js').Loss | undefined}} */
  const state = { loss: undefined };
  const server = new SimServer(simulation, { refusal: () => state.loss, ...habits });
  return { simulation, server, state };
}

const DOWN = { why: 'nobody is there' };
const AUTH_FAILED = 'AUTH_FAILED: the credential has expired';

// ---------------------------------------------------------------------------------------------------------------
// Attempts

test('a server that is gone for a minute: once at once, then after waits of the curve', () => {
  /** @type {number[][]} */
  const waits = [];
  for (let seed = 1; seed <= 200; seed += 1) {
    const { simulation, server, state } = scene();
    const client = new SimClient(server, { seed, pingIntervalMs: 0 }).start();
    simulation.run(10_000);
    state.loss = DOWN;
    server.open[0].cut();
    simulation.run(70_000);
    state.loss = undefined;
    simulation.run(110_000);
    assert.equal(client.events.at(-1)?.type, 'live');
    const times = client.attempts.map(({ at }) => at);
    assert.deepEqual(times.slice(0, 2), [0, 10_000], 'the first retry after a drop is at once');
    const gaps = times.slice(2).map((at, index) => at - times[index + 1]);
    gaps.forEach((gap, index) => {
      const longest = Math.min(30_000, 500 * 2 ** index);
      assert.ok(gap >= 0 && gap <= longest, `seed ${seed}: wait ${index} of ${gap} ms, at most ${longest}`);
    });
    waits.push(gaps);
    const numbers = client.events.flatMap((event) => (event.type === 'connecting' ? [event.attempt] : []));
    assert.deepEqual(numbers, [1, ...times.slice(1).map((_, index) => index + 1)]);
  }
  // Drawn from all between nothing and the longest: half of it on average.
  for (let index = 0; index < 5; index += 1) {
    const drawn = waits.map((gaps) => gaps[index]);
    const mean = drawn.reduce((sum, gap) => sum + gap, 0) / drawn.length;
    const half = (500 * 2 ** index) / 2;
    assert.ok(Math.abs(mean - half) < half / 5, `wait ${index}: ${mean} ms on average, not ${half}`);
  }
});

test('a thousand clients that lost one server at one moment come back at different ones', () => {
  const { simulation, server, state } = scene();
  const clients = Array.from({ length: 1000 }, (_, seed) => new SimClient(server, { seed, pingIntervalMs: 0 }).start());
  simulation.run(10_000);
  state.loss = DOWN;
  for (const link of server.open) link.cut();
  simulation.run(70_000);
  // Half a minute later none is in step with the others any more.
  const perSecond = new Array(30).fill(0);
  for (const { at } of clients.flatMap(({ attempts }) => attempts)) {
    if (at >= 40_000 && at < 70_000) perSecond[Math.floor((at - 40_000) / 1000)] += 1;
  }
  const mean = perSecond.reduce((sum, count) => sum + count, 0) / perSecond.length;
  assert.ok(mean > 20, `${mean} attempts a second`);
  for (const count of perSecond) assert.ok(count < 2 * mean, `${count} attempts in a second, ${mean} on average`);
});

test('a server that greets and breaks off again and again is not hammered', () => {
  const { simulation, server } = scene({
    opened: (link) => {
      link.greet();
      simulation.after(100, () => link.cut());
    },
  });
  const client = new SimClient(server, { pingIntervalMs: 0 }).start();
  simulation.run(120_000);
  assert.ok(client.attempts.length < 30, `${client.attempts.length} attempts in two minutes`);
});

test('Retry-After is honoured, and not by all at the same moment', () => {
  const { simulation, server, state } = scene();
  state.loss = { why: 'full', status: 503, retryAfterMs: 7000 };
  const clients = Array.from({ length: 100 }, (_, seed) => new SimClient(server, { seed }).start());
  simulation.run(7500);
  const seconds = clients.map(({ attempts }) => attempts[1]?.at);
  for (const at of seconds) assert.ok(at >= 7000 && at <= 7500, `the second attempt at ${at}`);
  assert.ok(new Set(seconds).size > 90);
});

test('a pause without end is cut down to the policy\'s', () => {
  const { simulation, server, state } = scene();
  state.loss = { why: 'full', status: 503, retryAfterMs: 1e12 };
  const client = new SimClient(server, { retryAfterMsMax: 60_000 }).start();
  simulation.run(61_000);
  assert.equal(client.attempts.length, 2);
});

test('attempts are bounded where the policy says so, and dead is the end', () => {
  const { simulation, server, state } = scene();
  state.loss = DOWN;
  const client = new SimClient(server, { attemptsMax: 3 }).start();
  simulation.run(100_000);
  assert.equal(client.story, 'connecting disconnected connecting disconnected connecting disconnected dead');
});

test('a server that refuses the request itself is not asked again', () => {
  for (const [status, again] of /** @type {[number, boolean][]} */ ([[400, false], [403, false], [404, false], [408, true], [429, true], [500, true], [503, true]])) {
    const { simulation, server, state } = scene();
    state.loss = { why: 'refused', status };
    const client = new SimClient(server, {}).start();
    simulation.run(100_000);
    assert.equal(client.attempts.length > 1, again, String(status));
    if (!again) assert.deepEqual(client.events.at(-1), { type: 'dead', cause: 'refused', unsent: [] });
  }
});

test('switches: a drop ends the client that is not to reconnect, a close frame the one that is not told to', () => {
  for (const [options, end, story] of /** @type {[Partial<Options>, 'cut' | 'close', string][]} */ ([
    [{ reconnectOnDrop: false }, 'cut', 'connecting opened live disconnected dead'],
    [{}, 'close', 'connecting opened live closedByServer dead'],
    [{ reconnectOnServerClose: true }, 'close', 'connecting opened live closedByServer connecting opened live'],
    [{ reconnectOnServerClose: (code) => code === 1001 }, 'close', 'connecting opened live closedByServer connecting opened live'],
    [{ reconnectOnServerClose: (code) => code === 1013 }, 'close', 'connecting opened live closedByServer dead'],
  ])) {
    const { simulation, server } = scene();
    const client = new SimClient(server, { pingIntervalMs: 0, ...options }).start();
    simulation.run(1);
    if (end === 'cut') server.open[0].cut();
    else server.open[0].close(1001, 'draining');
    simulation.run(2000);
    assert.equal(client.story, story);
  }
});

test('a server that heard nothing for long has closed a connection that broke: the session goes on', () => {
  const { simulation, server } = scene();
  const client = new SimClient(server, { pingIntervalMs: 0 }).start();
  simulation.run(1);
  server.open[0].close(1008, 'TIMEOUT: nothing was heard for 35 s');
  simulation.run(2000);
  assert.equal(client.story, 'connecting opened live disconnected connecting opened live');
});

test('after a close frame the client waits before it comes back', () => {
  const { simulation, server } = scene();
  const client = new SimClient(server, { reconnectOnServerClose: true, pingIntervalMs: 0 }).start();
  simulation.run(10_000);
  server.open[0].close(1012, 'restart');
  simulation.run(10_500);
  assert.equal(client.attempts.length, 2);
  assert.ok(client.attempts[1].at > 10_000);
});

// ---------------------------------------------------------------------------------------------------------------
// Credentials

/** A server that takes only one token, by message. @param {string} right */
function guarded(right) {
  /** @type {any[]} */
  const shown = [];
  const made = scene({
    opened: () => {},
    text: (link, { svc, type, data }) => {
      if (svc !== 'sys' || type !== 'auth') return;
      shown.push(data);
      if (data.token === right) return link.greet({ user: data.user });
      link.text('sys', 'error', { data: { code: 'AUTH_FAILED', msg: 'the credential has expired' } });
      link.close(1008, AUTH_FAILED);
    },
  });
  return { ...made, shown };
}

test('the credential is the first message, and nothing is sent before the server has taken it', () => {
  const { simulation, server, shown } = guarded('good');
  const client = new SimClient(server, { auth: { token: 'good', user: 'ann' }, connect: { team: 3 }, env: 'browser' }).start();
  simulation.run(1);
  assert.deepEqual(shown, [{ token: 'good', user: 'ann', connect: { team: 3 }, env: 'browser' }]);
  assert.equal(client.story, 'connecting opened live');
  assert.deepEqual(client.attempts[0].protocols, []);
  assert.equal(server.links[0].url, 'ws://server/world');
});

test('by subprotocol the credential is no message, and who the client is stands in the query', () => {
  const { simulation, server } = scene();
  const client = new SimClient(server, {
    auth: { token: 'a.b-c_d', user: 'ann', by: 'subprotocol' }, connect: [1], protocolVersion: '2',
  }).start();
  simulation.run(1);
  assert.deepEqual(client.attempts[0].protocols, ['worldshard.1', 'worldshard.auth.a.b-c_d']);
  const query = new URL(server.links[0].url).searchParams;
  assert.deepEqual(Object.fromEntries(query), { v: '2', env: 'native', user: 'ann', connect: '[1]' });
  assert.equal(client.core.hasFrames, false);
});

test('an expired token is refreshed once', () => {
  const { simulation, server, shown } = guarded('new');
  let asked = 0;
  const refresh = () => {
    asked += 1;
    return { token: 'new' };
  };
  const client = new SimClient(server, { auth: { token: 'old' } }, { refresh }).start();
  simulation.run(1000);
  assert.equal(client.story, 'connecting opened error closedByServer connecting opened live');
  assert.deepEqual(shown.map(({ token }) => token), ['old', 'new']);
  assert.equal(asked, 1);
});

test('a new token that is refused too is the end, without a loop', () => {
  const { simulation, server } = guarded('another');
  let asked = 0;
  const refresh = () => {
    asked += 1;
    return { token: `token ${asked}` };
  };
  const client = new SimClient(server, { auth: { token: 'old' }, reconnectOnServerClose: true }, { refresh }).start();
  simulation.run(1_000_000);
  assert.equal(client.story, 'connecting opened error closedByServer connecting opened error closedByServer dead');
  assert.equal(asked, 1);
});

test('without a new token there is one attempt', () => {
  for (const habits of [{}, { refresh: () => undefined }]) {
    const { simulation, server } = guarded('another');
    const client = new SimClient(server, { auth: { token: 'old' }, reconnectOnServerClose: true }, habits).start();
    simulation.run(1_000_000);
    assert.equal(client.story, 'connecting opened error closedByServer dead');
  }
});

test('a callback that never answers is waited for no longer than its deadline', () => {
  const core = new Core({ url: 'ws://server/', seed: 1, canRefresh: true, refreshDeadlineMs: 100 });
  core.start(0);
  core.opened(0, '');
  core.closed(0, 1008, AUTH_FAILED);
  assert.equal(core.phase, 'refreshing');
  assert.equal(core.wakeAt(), 100);
  core.elapsed(100);
  assert.equal(core.phase, 'dead');
  core.refreshed(101, { token: 'late' });
  assert.equal(core.phase, 'dead');
});

test('a token that expires later is refreshed again, once the client was live for long', () => {
  const { simulation, server } = guarded('good');
  let asked = 0;
  const refresh = () => {
    asked += 1;
    return { token: 'good' };
  };
  const client = new SimClient(server, { auth: { token: 'good' }, pingIntervalMs: 0 }, { refresh }).start();
  for (let hour = 1; hour <= 3; hour += 1) {
    simulation.run(hour * 3_600_000);
    server.open[0].close(1008, AUTH_FAILED);
  }
  simulation.run(4 * 3_600_000);
  assert.equal(asked, 3);
  assert.equal(client.core.phase, 'live');
});

test('what no server would take is refused before anybody is asked', () => {
  for (const options of /** @type {Partial<Options>[]} */ ([
    { auth: { token: 'two words', by: 'subprotocol' } }, { auth: { by: 'subprotocol' } }, { auth: { user: '' } },
    { auth: { user: 'ann::bob' } }, { auth: { user: 'x'.repeat(65) } }, { connect: 'x'.repeat(4095) }, { protocolVersion: 'x'.repeat(21) },
  ])) {
    assert.throws(() => new Core({ url: 'ws://server/', seed: 1, ...options }), RangeError, JSON.stringify(options));
  }
});

// ---------------------------------------------------------------------------------------------------------------
// Resuming

/** A server whose sessions stand in the world and can be resumed. */
function keeping() {
  let tokens = 0;
  const made = scene({
    opened: (link) => {
      const resumed = link.protocols[0]?.startsWith('worldshard.resume.');
      link.greet({ resume: `token${tokens += 1}`, ...(resumed ? { command_sequence: 4 } : {}) });
      if (!resumed) link.text('world', 'joined', { data: { entity: 7, tick: 1 } });
    },
  });
  const client = new SimClient(made.server, { pingIntervalMs: 0 }).start();
  made.simulation.run(10_000);
  return { ...made, client };
}

test('a session that stands in the world is resumed by the newest token', () => {
  const { simulation, server, client } = keeping();
  for (const [index, token] of ['token1', 'token2'].entries()) {
    server.open[0].cut();
    simulation.run(20_000 + index * 10_000);
    assert.deepEqual(client.attempts[index + 1].protocols, [`worldshard.resume.${token}`]);
    const live = client.events.filter(({ type }) => type === 'live').at(-1);
    assert.ok(live?.type === 'live' && live.resumed);
  }
});

test('a resumed connection shows no credential', () => {
  const { simulation, server, client } = keeping();
  server.open[0].cut();
  simulation.run(10_001);
  assert.equal(client.core.hasFrames, false);
  assert.equal(client.events.at(-1)?.type, 'live');
});

test('a refused token is given up at once for a plain connection', () => {
  for (const status of [401, 410]) {
    const { simulation, server, state, client } = keeping();
    state.loss = { why: 'refused', status };
    server.open[0].cut();
    simulation.after(0, () => {
      state.loss = undefined;
    });
    simulation.run(10_000);
    assert.deepEqual(client.attempts.slice(1).map(({ at, protocols }) => [at, protocols.length]), [[10_000, 1], [10_000, 0]]);
    const live = client.events.at(-2);
    assert.ok(live?.type === 'live' && !live.resumed);
    const numbers = client.events.flatMap((event) => (event.type === 'connecting' ? [event.attempt] : []));
    assert.deepEqual(numbers, [1, 1, 1], 'the token failed, not the attempt');
  }
});

test('where the refusal is hidden the token is tried twice, and only while the server is there', () => {
  const { simulation, server, state, client } = keeping();
  state.loss = DOWN;
  server.open[0].cut();
  simulation.run(30_000);
  assert.ok(client.attempts.slice(1).every(({ protocols }) => protocols.length === 1), 'the token was given up while nobody was there');
  const before = client.attempts.length;
  state.loss = { why: 'hidden', answered: true };
  simulation.run(100_000);
  const offers = client.attempts.slice(before).map(({ protocols }) => protocols.length);
  assert.deepEqual(offers.slice(0, 3), [1, 1, 0]);
});

test('a session that the server closed, or that stands nowhere, is not resumed', () => {
  const { simulation, server, client } = keeping();
  server.open[0].text('world', 'left');
  simulation.run(10_001);
  server.open[0].cut();
  simulation.run(20_000);
  assert.deepEqual(client.attempts[1].protocols, []);

  const other = keeping();
  const again = new SimClient(other.server, { reconnectOnServerClose: true, pingIntervalMs: 0 }).start();
  other.simulation.run(20_000);
  other.server.open[1].close(1012, 'restart');
  other.simulation.run(30_000);
  assert.deepEqual(again.attempts.map(({ protocols }) => protocols.length), [0, 0]);
});

// ---------------------------------------------------------------------------------------------------------------
// Life and death

test('silence after a ping ends a connection, without a close frame that would end its session', () => {
  const { simulation, server } = scene();
  const client = new SimClient(server, { pingIntervalMs: 5000, pongDeadlineMs: 10_000 }).start();
  simulation.run(14_999);
  assert.equal(client.story, 'connecting opened live');
  simulation.run(15_000);
  assert.equal(client.story, 'connecting opened live disconnected connecting opened live');
  assert.ok(client.actions.some((action) => action.do === 'abandon'));
});

test('any traffic counts as life, and the answer to a ping tells the round trip', () => {
  const { simulation, server } = scene();
  const quiet = new SimClient(server, {}).start();
  const hears = () => simulation.after(8000, () => {
    server.links[0].text('app', 'message', { data: 1 });
    hears();
  });
  hears();
  simulation.run(60_000);
  assert.equal(quiet.attempts.length, 1);
  assert.equal(quiet.core.rttMs, undefined);

  const answering = scene({ latencyMs: () => 40, text: (link, { data }) => link.text('sys', 'pong', { data }) });
  const client = new SimClient(answering.server, {}).start();
  answering.simulation.run(6000);
  assert.equal(client.core.rttMs, 80);
});

test('a timer that comes an hour late is no silence of the server', () => {
  const core = new Core({ url: 'ws://server/', seed: 1 });
  core.start(0);
  core.opened(0, '');
  core.received(0, JSON.stringify({ v: 1, svc: 'sys', type: 'authed', data: { layout: 1 } }));
  core.elapsed(3_600_000);
  core.received(3_600_050, JSON.stringify({ v: 1, svc: 'sys', type: 'pong', data: 1 }));
  core.elapsed(7_200_000);
  assert.equal(core.phase, 'live');
});

test('a server that does not greet is given up', () => {
  const { simulation, server } = scene({ opened: () => {} });
  const client = new SimClient(server, { openDeadlineMs: 3000 }).start();
  simulation.run(3000);
  assert.equal(client.story, 'connecting opened disconnected');
});

test('a greeting in another layout is the end, and so is no greeting at all', () => {
  for (const text of [{ svc: 'sys', type: 'authed', data: { layout: 2 } }, { svc: 'app', type: 'message', data: 1 }]) {
    const { simulation, server } = scene({ opened: (link) => link.text(text.svc, text.type, { data: text.data }) });
    const client = new SimClient(server, {}).start();
    simulation.run(100_000);
    assert.equal(client.story, 'connecting opened disconnected dead');
    assert.deepEqual(client.actions.at(-1), { do: 'close', code: 4002, reason: 'unreadable' });
  }
});

test('what cannot be read ends the connection, and another is made after a wait', () => {
  for (const data of ['{', '[]', '{"v":2,"svc":"app","type":"message"}', '{"v":1,"svc":1,"type":"message"}', '{"v":1,"svc":"app","type":"ack"}', new Uint8Array([1, 3]).buffer]) {
    const core = new Core({ url: 'ws://server/', seed: 1 });
    core.start(0);
    core.opened(0, '');
    core.received(0, JSON.stringify({ v: 1, svc: 'sys', type: 'authed', data: { layout: 1 } }));
    core.received(1, data);
    assert.equal(core.phase, 'waiting', String(data));
    assert.ok(core.wakeAt() > 1);
  }
});

test('closing accounts for everything: what waits is lost, what was not sent failed, and dead names it', () => {
  const { simulation, server } = scene();
  const client = new SimClient(server, { pingIntervalMs: 0 }).start();
  simulation.run(1);
  const waiting = client.core.request(1, 'asked');
  client.pump();
  const unsent = [client.core.request(1, 'not sent'), client.core.send('not sent')];
  client.core.close(1);
  client.pump();
  assert.equal(client.story, 'connecting opened live closedBySelf responseLost sendFailed messageFailed dead');
  assert.deepEqual(client.events.at(-1), { type: 'dead', cause: 'closedBySelf', unsent: unsent.map(({ id }) => id) });
  assert.deepEqual([waiting, ...unsent].map(({ status }) => status), ['responseLost', 'sendFailed', 'failed']);
  assert.deepEqual(client.actions.at(-1), { do: 'close', code: 1000, reason: 'client done' });
  assert.equal(client.core.send('after death').status, 'failed');
  client.core.close(2);
  client.pump();
  simulation.run(1_000_000);
  assert.equal(client.events.at(-1)?.type, 'dead');
});

test('what is said before live was taken fails before it', () => {
  const { simulation, server } = scene();
  const client = new SimClient(server, { pingIntervalMs: 0 }, { pauseMs: () => 1e9 }).start();
  simulation.run(1);
  assert.equal(client.core.phase, 'live');
  const early = client.core.request(1, 'early');
  assert.equal(early.status, 'sendFailed');
  const types = [];
  for (let event = client.core.nextEvent(); event !== undefined; event = client.core.nextEvent()) types.push(event.type);
  assert.deepEqual(types, ['connecting', 'opened', 'sendFailed', 'live']);
  assert.equal(client.core.request(1, 'now').status, 'sending');
});

// ---------------------------------------------------------------------------------------------------------------
// Requests and limits

test('a request that nobody answers times out, and a late answer finds nobody', () => {
  /** @type {number[]} */
  const asked = [];
  const { simulation, server } = scene({ text: (_, { seq }) => asked.push(seq) });
  const client = new SimClient(server, { pingIntervalMs: 0, requestDeadlineMs: 1000 }).start();
  simulation.run(1);
  const [first, second] = [client.core.request(1, 'one'), client.core.request(1, 'two', 50)];
  client.pump();
  simulation.run(51);
  assert.deepEqual([first.status, second.status], ['waiting', 'timedOut']);
  simulation.run(1001);
  assert.equal(first.status, 'timedOut');
  server.open[0].text('app', 'response', { seq: asked[0], data: 'late' });
  simulation.run(2000);
  assert.equal(client.story, 'connecting opened live timedOut timedOut');
});

test('a request that timed out before it was sent is not sent any more', () => {
  const core = liveCore({});
  const request = core.request(0, 'slow', 10);
  core.elapsed(10);
  assert.equal(request.status, 'timedOut');
  assert.equal(core.nextFrame(), undefined);
});

test('numbers of requests are far from those of commands, and bytes are answered as bytes', () => {
  const core = liveCore({});
  const request = core.request(0, new Uint8Array([1, 2, 3]));
  const frame = /** @type {Uint8Array} */ (core.nextFrame());
  assert.deepEqual([...frame], [1, 3, 1, 1, request.id, 0, 0, 128, 1, 2, 3]);
  core.received(0, Uint8Array.from([1, 3, 4, 1, request.id, 0, 0, 128, ...Buffer.from('NOT_ALLOWED\0no')]).buffer);
  assert.deepEqual(core.nextEvent(), { type: 'reject', id: request.id, code: 'NOT_ALLOWED', msg: 'no' });
  core.received(0, new Uint8Array([1, 3, 0, 0, 7]).buffer);
  assert.deepEqual(core.nextEvent(), { type: 'bytes', bytes: new Uint8Array([7]) });
});

test('a refusal that names a request ends it, another is told as it is', () => {
  const core = liveCore({});
  const request = core.request(0, 'no');
  const { seq } = JSON.parse(String(core.nextFrame()));
  const error = { code: 'BAD_REQUEST', msg: 'nobody listens' };
  core.received(0, JSON.stringify({ v: 1, svc: 'sys', type: 'error', seq, data: error }));
  core.received(0, JSON.stringify({ v: 1, svc: 'sys', type: 'error', seq: 3, data: error }));
  assert.deepEqual(core.nextEvent(), { type: 'reject', id: request.id, ...error });
  assert.deepEqual(core.nextEvent(), { type: 'error', ...error, seq: 3 });
});

test('a full outbox, and too many open requests, refuse the next and take nothing', () => {
  const frames = liveCore({ outboxFramesMax: 2 });
  const first = frames.send(1);
  frames.send(2);
  assert.throws(() => frames.send(3), QueueFull);
  assert.throws(() => frames.request(0, 3), QueueFull);
  assert.throws(() => frames.command('x'), QueueFull);
  assert.equal(String(frames.nextFrame()).includes('"data":1'), true);
  assert.equal(first.status, 'sent');
  assert.equal(frames.send(3).id, first.id + 2, 'a refusal took an id');

  const bytes = liveCore({ outboxBytesMax: 100 });
  assert.throws(() => bytes.send('x'.repeat(100)), QueueFull);

  const open = liveCore({ requestsOpenMax: 2 });
  open.request(0, 1);
  open.request(0, 2);
  assert.throws(() => open.request(0, 3), QueueFull);
});

test('acknowledgements take one place, and are sent before what waits', () => {
  const core = liveCore({});
  core.send('waits');
  core.acknowledge('old');
  core.acknowledge('new');
  assert.equal(core.nextFrame(), 'new');
  assert.match(String(core.nextFrame()), /waits/);
  assert.equal(core.hasFrames, false);
});

test('what waited for one connection is not sent over the next', () => {
  const core = liveCore({ pingIntervalMs: 100 });
  core.elapsed(100);
  core.command('command');
  core.acknowledge('acknowledgement');
  core.send('message');
  core.lost(200, { why: 'cut' });
  core.opened(200, '');
  assert.equal(core.phase, 'opened');
  assert.equal(core.nextFrame(), undefined);
});

test('a program that takes no events loses its connection, and gets no other until it does', () => {
  const core = liveCore({ eventsMax: 10 });
  const message = JSON.stringify({ v: 1, svc: 'app', type: 'message', data: 1 });
  for (let count = 0; count < 20; count += 1) core.received(0, message);
  assert.equal(core.phase, 'waiting');
  assert.equal(core.wakeAt(), Infinity);
  core.elapsed(1e9);
  assert.equal(core.phase, 'waiting');
  assert.throws(() => core.send('whatever'), QueueFull);
  assert.throws(() => core.request(1e9, 'whatever'), QueueFull);
  while (core.nextEvent() !== undefined);
  core.elapsed(1e9);
  assert.equal(core.phase, 'connecting');
});

/** @param {Partial<Options>} options */
function liveCore(options) {
  const core = new Core({ url: 'ws://server/', seed: 1, pingIntervalMs: 0, ...options });
  core.start(0);
  core.opened(0, '');
  core.received(0, JSON.stringify({ v: 1, svc: 'sys', type: 'authed', data: { layout: 1 } }));
  while (core.nextEvent() !== undefined);
  while (core.nextAction() !== undefined);
  return core;
}
