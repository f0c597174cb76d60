// The client on real sockets: the platform's WebSocket where there is one, and that of the package `ws`.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocket as NodeWebSocket } from 'ws';
import { Handlers } from '../dist/client/src/handlers.js';
import { Client, connect } from '../dist/client/src/index.js';
import { MockServer } from './mock-server.mjs';

/** @typedef {import('../dist/client/src/index.js').ClientOptions} ClientOptions */
/** @typedef {import('../dist/client/src/index.js').ClientEvent} ClientEvent */

/** @type {Record<string, import('../dist/client/src/index.js').SocketConstructor>} */
const sockets = { ws: NodeWebSocket };
if (globalThis.WebSocket !== undefined) sockets['platform'] = globalThis.WebSocket;

/**
 * Serves and connects, and ends both.
 * @param {import('./mock-server.mjs').Options} serverOptions
 * @param {ClientOptions} clientOptions
 * @param {(client: Client, server: MockServer, events: ClientEvent[]) => Promise<void>} body
 */
async function withClient(serverOptions, clientOptions, body) {
  const server = new MockServer(serverOptions);
  const client = connect(await server.start(), { webSocket: NodeWebSocket, backoff: { baseMs: 50, factor: 2, capMs: 200 }, ...clientOptions });
  /** @type {ClientEvent[]} */
  const events = [];
  client.onAny((event) => events.push(event));
  try {
    await body(client, server, events);
  } finally {
    client.close();
    await client.finished;
    await server.stop();
  }
}

/**
 * The next event of a type.
 * @template {ClientEvent['type']} Type
 * @param {Client} client @param {Type} type
 * @returns {Promise<Extract<ClientEvent, {type: Type}>>}
 */
function next(client, type) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${type} within 20 s`)), 20_000);
    const off = client.on(type, (event) => {
      clearTimeout(timer);
      off();
      resolve(event);
    });
  });
}

/** @type {import('./mock-server.mjs').App} */
const parrot = {
  opened: (session) => session.say({ type: 'state' }),
  message: (session, data) => session.say(data),
  request: (session, data, answer) => {
    const wish = data instanceof Uint8Array ? String.fromCharCode(data[0]) : data;
    if (wish === 'a') answer.ack();
    else if (wish === 'r') answer.reject('NOT_ALLOWED', 'never');
    else if (wish === 'cut') session.socket.terminate();
    else if (wish !== 'silent') answer.respond(data);
  },
};

for (const [name, webSocket] of Object.entries(sockets)) {
  test(`${name}: messages and requests, as JSON and as bytes`, () =>
    withClient({ app: parrot }, { webSocket }, async (client, _, events) => {
      await next(client, 'live');
      const bytes = Uint8Array.of(1, 2, 255);
      assert.equal(client.send({ type: 'hello', deep: [1, null] }).status, 'sent');
      client.send(bytes);
      const outcomes = await Promise.all(['a', 'r', { x: 1 }, Uint8Array.from(Buffer.from('a')), Uint8Array.from(Buffer.from('r')), bytes]
        .map((data) => client.request(data).outcome));
      const ids = outcomes.map(({ id }) => id);
      assert.deepEqual(outcomes, [
        { type: 'ack', id: ids[0] }, { type: 'reject', id: ids[1], code: 'NOT_ALLOWED', msg: 'never' },
        { type: 'response', id: ids[2], data: { x: 1 } }, { type: 'ack', id: ids[3] },
        { type: 'reject', id: ids[4], code: 'NOT_ALLOWED', msg: 'never' }, { type: 'response', id: ids[5], data: bytes },
      ]);
      assert.deepEqual(events.slice(0, 6), [
        { type: 'connecting', attempt: 1 }, { type: 'opened' }, events[2], { type: 'message', data: { type: 'state' } },
        { type: 'message', data: { type: 'hello', deep: [1, null] } }, { type: 'bytes', bytes },
      ]);
      assert.deepEqual(events.slice(6), outcomes);
    }));

  test(`${name}: a request that is cut off is lost, what is said meanwhile fails, and the next connection is live`, () =>
    withClient({ app: parrot }, { webSocket }, async (client, server, events) => {
      await next(client, 'live');
      const lost = client.request('cut');
      await next(client, 'disconnected');
      const failed = client.request('too late');
      assert.equal(client.send('too late').status, 'failed');
      assert.equal((await lost.outcome).type, 'responseLost');
      assert.equal((await failed.outcome).type, 'sendFailed');
      await next(client, 'message');
      assert.deepEqual(events.map(({ type }) => type), [
        'connecting', 'opened', 'live', 'message', 'disconnected', 'responseLost', 'connecting', 'sendFailed', 'messageFailed',
        'opened', 'live', 'message',
      ]);
      assert.equal(server.upgrades.length, 2);
    }));

  test(`${name}: a credential by message, and by subprotocol`, async () => {
    for (const by of /** @type {const} */ (['message', 'subprotocol'])) {
      const auth = { token: 'right', by, user: 'ann' };
      await withClient({ credential: 'right' }, { webSocket, auth, connect: { team: 1 } }, async (client, server) => {
        const { greeting } = await next(client, 'live');
        assert.deepEqual([greeting.user, greeting.connect], ['ann', { team: 1 }]);
        assert.ok(!server.upgrades[0].url.includes('right'), 'the credential is in the address');
      });
    }
  });

  test(`${name}: a wrong credential is asked for again once, and the end of it is told`, async () => {
    let asked = 0;
    const refresh = async () => {
      asked += 1;
      return { token: 'wrong again' };
    };
    await withClient({ credential: 'right' }, { webSocket, auth: { token: 'wrong' }, refresh }, async (client, server, events) => {
      await client.finished;
      assert.equal(asked, 1);
      assert.equal(server.upgrades.length, 2);
      assert.deepEqual(events.filter(({ type }) => type === 'closedByServer'), new Array(2).fill(
        { type: 'closedByServer', code: 1008, reason: 'AUTH_FAILED: the credential is wrong' }));
      assert.equal(events.at(-1)?.type, 'dead');
    });
  });

  test(`${name}: a refreshed credential goes on`, () =>
    withClient({ credential: 'right' }, { webSocket, auth: { token: 'wrong' }, refresh: () => ({ token: 'right' }) }, async (client) => {
      await next(client, 'live');
    }));

  test(`${name}: a session in the world is resumed, with the commands that did not arrive`, () =>
    withClient({ resume: true }, { webSocket }, async (client, server) => {
      const first = await next(client, 'live');
      assert.equal(first.resumed, false);
      client.world.join();
      await next(client, 'joined');
      for (let count = 0; count < 10; count += 1) client.world.steer([1, 0, 0]);
      const [session] = server.sessions;
      await until(() => session.commands.length === 10);
      server.cut();
      // Nobody reads these any more.
      for (let count = 0; count < 3; count += 1) client.world.steer([0, 1, 0]);
      const live = await next(client, 'live');
      assert.equal(live.resumed, true);
      assert.equal(live.greeting.session, first.greeting.session);
      assert.equal(client.world.entity, 1);
      await next(client, 'delta');
      await until(() => session.commands.length === 13);
      assert.deepEqual(session.commands, Array.from({ length: 13 }, (_, index) => index + 1));
    }));

  test(`${name}: a session that is not there any more is followed by another`, () =>
    withClient({ resume: true }, { webSocket }, async (client, server) => {
      const first = await next(client, 'live');
      client.world.join();
      await next(client, 'joined');
      server.resumable.clear();
      server.cut();
      const live = await next(client, 'live');
      assert.equal(live.resumed, false);
      assert.notEqual(live.greeting.session, first.greeting.session);
      assert.equal(client.world.standing, 'out');
      assert.deepEqual(server.upgrades.at(-1)?.protocols, []);
    }));

  test(`${name}: the world is seen as the server has it`, () =>
    withClient({}, { webSocket }, async (client) => {
      await next(client, 'live');
      client.world.join();
      /** @type {number[]} */
      const ticks = [];
      const seen = new Promise((/** @type {(value?: undefined) => void} */ done) => client.on('delta', ({ tick }) => {
        ticks.push(tick);
        if (ticks.length === 4) done();
      }));
      await seen;
      assert.deepEqual(ticks, [100, 101, 105, 106]);
      assert.deepEqual(client.world.view.ids(), [2, 9]);
      assert.equal(client.world.view.digest().toString(16), 'eff68b0b6e4be5c9f6fe074caa9038e7');
      assert.equal(Math.round(Number(client.positionOf(9)?.[0]) * 1e6), 9e6);
    }));

  test(`${name}: a ping of the application is answered and measured`, () =>
    withClient({}, { webSocket, pingIntervalMs: 20 }, async (client) => {
      await next(client, 'live');
      await until(() => client.rttMs !== undefined);
      assert.ok(Number(client.rttMs) < 1000);
    }));
}

test('who awaits an outcome goes on before the next event is given', () =>
  withClient({
    app: {
      request: (session, _, answer) => {
        answer.ack();
        session.say('after');
      },
    },
  }, {}, async (client) => {
    await next(client, 'live');
    /** @type {string[]} */
    const order = [];
    client.on('ack', () => order.push('event'));
    const said = new Promise((/** @type {(value?: undefined) => void} */ done) => client.on('message', () => {
      order.push('message');
      done();
    }));
    const asked = (async () => {
      await client.request(1).outcome;
      order.push('outcome');
    })();
    await Promise.all([said, asked]);
    assert.deepEqual(order, ['event', 'outcome', 'message']);
  }));

test('even when both come in one piece, an outcome goes before the event behind it', async () => {
  // A socket that says two things in one turn of the event loop, as none may but a program's own.
  /** @type {any} */
  let socket;
  class Both {
    constructor() {
      socket = this;
      this.readyState = 1;
      this.bufferedAmount = 0;
      this.protocol = '';
      this.binaryType = '';
      /** @type {any} */ this.onopen = null;
      /** @type {any} */ this.onmessage = null;
      /** @type {any} */ this.onclose = null;
      /** @type {any} */ this.onerror = null;
      /** @type {any[]} */ this.sent = [];
    }
    send(/** @type {string | Uint8Array} */ frame) {
      this.sent.push(frame);
    }
    close() {}
  }
  const client = connect('ws://nowhere/', { webSocket: Both });
  const turn = () => new Promise((done) => setTimeout(() => done(undefined)));
  await turn();
  const says = (/** @type {object} */ parts) => socket.onmessage({ data: JSON.stringify({ v: 1, ...parts }) });
  socket.onopen();
  says({ svc: 'sys', type: 'authed', data: { layout: 1 } });
  await turn();
  /** @type {string[]} */
  const order = [];
  client.on('message', ({ data }) => order.push(String(data)));
  const { outcome } = client.request('x');
  void outcome.then(() => order.push('outcome'));
  const { seq } = JSON.parse(socket.sent[0]);
  says({ svc: 'app', type: 'message', data: 'before' });
  says({ svc: 'app', type: 'ack', seq });
  says({ svc: 'app', type: 'message', data: 'after' });
  await turn();
  assert.deepEqual(order, ['before', 'outcome', 'after']);
  client.close();
});

test('handlers of several types hear one order, and one that was taken back hears nothing', () =>
  withClient({ app: { opened: (session) => [1, 2, 3].forEach((n) => [{ type: 'odd', n }, { type: 'even', n }].forEach((data) => session.say(data))) } }, {}, async (client) => {
    const typed = /** @type {Client<{serverMessage: {type: 'odd', n: number} | {type: 'even', n: number} | {type: 'none'}}>} */ (/** @type {unknown} */ (client));
    /** @type {string[]} */
    const heard = [];
    typed.onMessage('odd', ({ n }) => heard.push(`odd ${n}`));
    const off = typed.onMessage('even', ({ n }) => {
      heard.push(`even ${n}`);
      if (n === 2) off();
    });
    typed.onMessage('none', () => heard.push('none'));
    await until(() => heard.length === 5);
    assert.deepEqual(heard, ['odd 1', 'even 1', 'odd 2', 'even 2', 'odd 3']);
  }));

test('a handler that throws keeps the event from no other, and its error is not swallowed', () => {
  /** @type {(() => void)[]} */
  const queued = [];
  const { queueMicrotask } = globalThis;
  /** @type {Handlers<{type: 'one'}>} */
  const handlers = new Handlers();
  let heard = 0;
  handlers.add('one', () => {
    throw new Error('mine');
  });
  handlers.addForAll(() => {
    heard += 1;
  });
  globalThis.queueMicrotask = (deed) => queued.push(deed);
  try {
    handlers.emit({ type: 'one' });
  } finally {
    globalThis.queueMicrotask = queueMicrotask;
  }
  assert.equal(heard, 1);
  assert.throws(() => queued[0](), /mine/);
});

test('no handler is called while the program says something', () =>
  withClient({}, {}, async (client, server, events) => {
    await next(client, 'live');
    server.cut();
    await next(client, 'disconnected');
    const before = events.length;
    const { id } = client.request('x');
    assert.equal(events.length, before);
    client.close();
    assert.equal(events.length, before);
    await client.finished;
    assert.ok(events.some((event) => event.type === 'sendFailed' && event.id === id));
  }));

test('a handler may say something, and what it says is sent in that order', () =>
  withClient({ app: parrot }, {}, async (client) => {
    /** @type {unknown[]} */
    const heard = [];
    client.on('live', () => {
      client.send('one');
      client.send('two');
    });
    client.on('message', ({ data }) => {
      heard.push(data);
      if (data === 'one') client.send('three');
    });
    await until(() => heard.includes('three'));
    assert.deepEqual(heard, [{ type: 'state' }, 'one', 'two', 'three']);
  }));

test('Retry-After is honoured where the platform shows it', () =>
  withClient({}, {}, async (client, server) => {
    await next(client, 'live');
    server.refusal = { status: 503, headers: { 'retry-after': '1' } };
    server.cut();
    const { why } = await next(client, 'disconnected');
    assert.equal(why, 'the connection broke off');
    assert.match((await next(client, 'disconnected')).why, /503/);
    const refusedAt = performance.now();
    server.refusal = undefined;
    await next(client, 'live');
    assert.ok(performance.now() - refusedAt >= 990, 'it came back too soon');
    assert.equal(server.upgrades.length, 3);
  }));

test('a server that refuses the request itself is the end', () =>
  withClient({}, { protocolVersion: '1' }, async (client, server) => {
    server.refusal = { status: 400 };
    await client.finished;
    assert.equal(new URL(server.upgrades[0].url, 'http://x').searchParams.get('v'), '1');
  }));

test('what the socket does not take waits in the outbox, and goes on when it does', () =>
  withClient({ app: parrot }, { socketBytesMax: 1000, outboxBytesMax: 2 ** 24 }, async (client) => {
    await next(client, 'live');
    let heard = 0;
    client.on('message', () => {
      heard += 1;
    });
    const handles = Array.from({ length: 100 }, () => client.send('x'.repeat(100_000)));
    assert.ok(handles.some(({ status }) => status === 'sending'), 'nothing waited');
    await until(() => heard >= 100);
    assert.ok(handles.every(({ status }) => status === 'sent'));
  }));

test('a dead client answers at once that nothing is sent', () =>
  withClient({}, {}, async (client) => {
    client.close();
    await client.finished;
    assert.equal(client.send(1).status, 'failed');
    assert.equal((await client.request(1).outcome).type, 'sendFailed');
  }));

test('closing is seen by the server as a close', () =>
  withClient({}, {}, async (client, server, events) => {
    await next(client, 'live');
    const [session] = server.sessions;
    const closed = once(session.socket, 'close');
    client.close();
    const [code, reason] = await closed;
    assert.deepEqual([code, String(reason)], [1000, 'client done']);
    assert.deepEqual(events.slice(-2), [{ type: 'closedBySelf' }, { type: 'dead', cause: 'closedBySelf', unsent: [] }]);
  }));

test('addresses', () => {
  assert.throws(() => connect('ftp://server/', { webSocket: NodeWebSocket }), RangeError);
  assert.throws(() => connect('/world', { webSocket: NodeWebSocket }));
  if (globalThis.WebSocket === undefined) assert.throws(() => connect('ws://server/'), /webSocket/);
});

/** @param {() => boolean} holds */
async function until(holds) {
  const deadline = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within 20 s: ${holds}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}
