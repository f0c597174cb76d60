// The client on the real server, which WORLDSHARD_BIN names; without it there is nothing to test against. What the server does
// not know is skipped, by its own word.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { WebSocket } from 'ws';
import { serve } from '../../test/server.mjs';
import { connect } from '../dist/client/src/index.js';
import { detour } from './detour.mjs';

/** @typedef {import('../dist/client/src/index.js').Client} Client */
/** @typedef {import('../dist/client/src/index.js').ClientEvent} ClientEvent */
/** @typedef {import('../dist/client/src/index.js').ClientOptions} ClientOptions */

const program = process.env['WORLDSHARD_BIN'] ?? '';
const help = program === '' ? '' : execFileSync(program, ['serve', '--help'], { encoding: 'utf8' });
const world = { skip: program === '' && 'WORLDSHARD_BIN is not set' };
const identity = { skip: world.skip || (!help.includes('--auth ') && 'the server knows no identity') };
const folder = mkdtempSync(join(tmpdir(), 'worldshard-client-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/**
 * @param {string[]} options of the server
 * @param {(scene: {open: (options?: ClientOptions, port?: number) => {client: Client, events: ClientEvent[]}, port: number,
 *   stop: () => Promise<number | null>}) => Promise<void>} body
 */
async function withServer(options, body) {
  const server = await serve(program, ['--world', 'flock', '--entities', '300', '--shards', '2', '--bind', '127.0.0.1:0', ...options]);
  /** @type {Client[]} */
  const clients = [];
  let stopped = false;
  const stop = () => {
    stopped = true;
    return server.stop();
  };
  try {
    await body({
      port: server.port,
      stop,
      open: (clientOptions = {}, port = server.port) => {
        const client = connect(`ws://127.0.0.1:${port}/world`, { webSocket: WebSocket, ...clientOptions });
        clients.push(client);
        /** @type {ClientEvent[]} */
        const events = [];
        client.onAny((event) => events.push(event));
        return { client, events };
      },
    });
  } finally {
    for (const client of clients) client.close();
    if (!stopped) assert.equal(await server.stop(), 0);
  }
}

/** @param {string} what @param {() => boolean} holds @param {ClientEvent[]} [events] for who has to find out why */
async function until(what, holds, events = []) {
  const deadline = performance.now() + 30_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`${what}: not within 30 s; ${JSON.stringify(events.slice(-20))}`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

/** @param {ClientEvent[]} events @param {string} type */
const count = (events, type) => events.filter((event) => event.type === type).length;

test('an avatar joins, is seen, goes where it is steered, and every command comes back as applied', world, () =>
  withServer([], async ({ open }) => {
    const { client, events } = open();
    client.on('live', () => client.world.join({ interest: { kind: 'radius', radius: 40 } }));
    await until('joined', () => client.world.entity !== undefined && client.world.view.get(client.world.entity) !== undefined, events);
    const entity = Number(client.world.entity);
    const at = () => Number(client.world.view.get(entity)?.record.x);
    const space = client.greeting?.space;
    assert.ok(space);
    const from = at();
    const ahead = from < (space.min[0] + space.max[0]) / 2;
    const seq = client.world.steer([ahead ? 1 : -1, 0, 0]);
    assert.equal(seq, 1);
    await until('it moves', () => (ahead ? at() - from : from - at()) > 5, events);
    await until('the command is in the state', () => events.some((event) => event.type === 'delta' && event.commandSequence === seq), events);
    assert.ok(client.world.view.size > 1);
    assert.equal(count(events, 'error'), 0);
  }));

test('a session outlives its connection: same avatar, no command lost or done twice', world, () =>
  withServer(['--resume-grace', '10'], async ({ open, port }) => {
    const way = await detour(port);
    try {
      const { client, events } = open({}, way.port);
      client.on('live', ({ resumed }) => resumed || client.world.join());
      await until('joined', () => client.world.entity !== undefined, events);
      const entity = client.world.entity;
      for (let round = 1; round <= 3; round += 1) {
        for (let command = 0; command < 3; command += 1) client.world.steer([0, command - 1, 0]);
        way.cut();
        await until('live again', () => count(events, 'live') === round + 1, events);
        await until('the last command is in the state', () => client.world.view.commandSequence === round * 3, events);
        assert.equal(client.world.entity, entity);
      }
      const lives = events.flatMap((event) => (event.type === 'live' ? [event] : []));
      assert.deepEqual(lives.map(({ resumed }) => resumed), [false, true, true, true]);
      assert.equal(new Set(lives.map(({ greeting }) => greeting.session)).size, 1);
      assert.equal(count(events, 'joined'), 1);
    } finally {
      way.close();
    }
  }));

test('where nobody waits for it, the next session is another one', world, () =>
  withServer(['--resume-grace', '0'], async ({ open, port }) => {
    const way = await detour(port);
    try {
      const { client, events } = open({}, way.port);
      client.on('live', () => client.world.join());
      await until('joined', () => client.world.entity !== undefined, events);
      way.cut();
      await until('joined again', () => count(events, 'joined') === 2, events);
      assert.ok(events.every((event) => event.type !== 'live' || !event.resumed));
    } finally {
      way.close();
    }
  }));

test('a server that ends says so, and the client ends with it', world, () =>
  withServer([], async ({ open, stop }) => {
    const { client, events } = open();
    await until('live', () => client.live, events);
    await stop();
    await client.finished;
    const [closed, dead] = events.slice(-2);
    assert.ok(closed.type === 'closedByServer' && closed.code === 1001);
    assert.deepEqual(dead, { type: 'dead', cause: 'closedByServer', unsent: [] });
  }));

test('a request that no application answers is rejected', world, () =>
  withServer([], async ({ open }) => {
    const { client, events } = open();
    await until('live', () => client.live, events);
    for (const data of [{ anyone: 'there' }, Uint8Array.of(1)]) {
      const outcome = await client.request(data, { deadlineMs: 1000 }).outcome;
      // A server that knows no requests refuses the text as such, and bytes without their number.
      const unknown = outcome.type === 'reject' ? outcome.code === 'BAD_REQUEST' : data instanceof Uint8Array && outcome.type === 'timedOut';
      assert.ok(unknown || (outcome.type === 'reject' && outcome.code === 'INTERNAL'), JSON.stringify(outcome));
    }
  }));

test('pings of the application are answered', world, (t) =>
  withServer([], async ({ open }) => {
    const { client, events } = open({ pingIntervalMs: 50 });
    await until('a round trip, or a refusal', () => client.rttMs !== undefined || count(events, 'error') > 0, events);
    if (events.some((event) => event.type === 'error' && event.code === 'BAD_REQUEST')) return t.skip('the server knows no pings');
    assert.equal(count(events, 'error'), 0);
  }));

test('a secret is shown by message and by subprotocol, and a wrong one is asked for again', identity, async () => {
  const secret = 'sixteen-bytes-and-some-more';
  const file = join(folder, 'secret');
  writeFileSync(file, `${secret}\n`);
  await withServer(['--auth', 'secret', '--auth-secret-file', file], async ({ open }) => {
    for (const by of /** @type {const} */ (['message', 'subprotocol'])) {
      const { client, events } = open({ auth: { token: secret, user: 'ann', by }, connect: { team: 3 } });
      await until('live', () => client.live, events);
      assert.deepEqual([client.greeting?.user, client.greeting?.connect, client.greeting?.tenant], ['ann', { team: 3 }, 'default']);
      assert.match(String(client.greeting?.trace), /^[0-9a-f]{32}$/);
    }
    let asked = 0;
    const { client, events } = open({
      auth: { token: 'wrong', user: 'bob' },
      refresh: () => {
        asked += 1;
        return { token: secret, user: 'bob' };
      },
    });
    await until('live', () => client.live, events);
    assert.equal(asked, 1);
    assert.ok(events.some((event) => event.type === 'closedByServer' && event.code === 1008 && event.reason.startsWith('AUTH_FAILED')));
    const stranger = open();
    await stranger.client.finished;
    assert.equal(stranger.events.at(-1)?.type, 'dead');
  });
});

test('a token names its user, and an expired one is refreshed once', identity, async () => {
  const name = join(folder, 'game');
  execFileSync(program, ['keygen', '--out', name]);
  const token = (/** @type {number} */ ttl) =>
    execFileSync(program, ['token', '--key', `${name}.key`, '--user', 'ann', '--ttl', String(ttl)], { encoding: 'utf8' }).trim();
  await withServer(['--auth', 'token', '--auth-key', `${name}.pub`], async ({ open }) => {
    const old = token(1);
    await new Promise((done) => setTimeout(done, 2100));
    let asked = 0;
    const { client, events } = open({
      auth: { token: old, by: 'subprotocol' },
      refresh: async () => {
        asked += 1;
        return { token: token(60) };
      },
    });
    await until('live', () => client.live, events);
    assert.deepEqual([client.greeting?.user, asked], ['ann', 1]);

    const stubborn = open({ auth: { token: old }, refresh: () => ({ token: old }), reconnectOnServerClose: true });
    await stubborn.client.finished;
    assert.equal(count(stubborn.events, 'connecting'), 2);
  });
});

test('one session too many is turned away, or takes the place of the oldest', identity, async () => {
  const user = { auth: { user: 'ann' } };
  await withServer(['--auth', 'none', '--sessions-per-user', '1'], async ({ open }) => {
    const first = open(user);
    await until('live', () => first.client.live, first.events);
    const second = open(user);
    await second.client.finished;
    assert.ok(second.events.some((event) => event.type === 'closedByServer' && event.reason.startsWith('TOO_MANY_SESSIONS')));
    assert.ok(first.client.live);
  });
  await withServer(['--auth', 'none', '--sessions-per-user', '1', '--on-exceed', 'kick-oldest'], async ({ open }) => {
    const first = open(user);
    await until('live', () => first.client.live, first.events);
    const second = open(user);
    await until('live', () => second.client.live, second.events);
    await first.client.finished;
    assert.deepEqual(first.events.slice(-3), [
      { type: 'kicked', reason: 'max_sessions_exceeded' }, { type: 'closedByServer', code: 1008, reason: 'kicked' },
      { type: 'dead', cause: 'closedByServer', unsent: [] },
    ]);
  });
});

test('another version of the protocol is refused before anything else', identity, () =>
  withServer(['--protocol-version', '7'], async ({ open }) => {
    const right = open({ protocolVersion: '7' });
    await until('live', () => right.client.live, right.events);
    const wrong = open({ protocolVersion: '8' });
    await wrong.client.finished;
    assert.deepEqual(wrong.events.at(-1), { type: 'dead', cause: 'refused', unsent: [] });
  }));
