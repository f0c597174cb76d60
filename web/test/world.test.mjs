// The page on the real server: entities of several shards move, the avatar obeys, a restart is survived.

import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openBrowser, stateOf, until } from './browser.mjs';
import { binary, serve } from './server.mjs';

/** @type {Awaited<ReturnType<typeof openBrowser>>} */
let browser;
/** @type {string} */
let program;
/** @type {string} */
let pictures;
before(async () => {
  program = binary();
  browser = await openBrowser();
  pictures = await mkdtemp(join(tmpdir(), 'worldshard-pictures-'));
});
after(async () => {
  await browser?.close();
  console.log(`# pictures of the page: ${pictures}`);
});

for (const world of ['flock', 'crowd', 'swarm3d']) {
  test(`${world}: within 5 s entities of two shards move, and the avatar goes where it is steered`, async () => {
    const server = await serve(program, ['--world', world, '--shards', '2', '--bind', '127.0.0.1:0']);
    const { page, faults } = await browser.open(server.url);
    try {
      const begun = await until(page, 'entities of two shards move', (state) =>
        state.standing === 'in' && state.position && state.visible > 0 && state.ownersMoving.length >= 2 && state.ownersSeen.length >= 2, 5000);
      assert.ok(begun.moving > 100, `only ${begun.moving} of ${begun.entities} move`);
      await until(page, 'measurements of both shards', ({ statusShards }) => statusShards === 2, 5000);
      for (const row of await page.locator('.shard').all()) {
        // The first measurement is from before the first tick, and a rate takes two.
        for (const [plot, told] of [/^(?!0 )[0-9.]+ (µs|ms)$/, /^[1-9][0-9,]*$/, /^[0-9.,]+$/].entries()) {
          await row.locator('.plot b').nth(plot).filter({ hasText: told }).waitFor({ timeout: 5000 });
        }
      }
      await page.check('#ghosts');
      await until(page, 'ghosts of the border', ({ ghosts }) => ghosts > 0, 5000);

      const { position: from, greeting } = await stateOf(page);
      // Away from the nearer edge, or the world's end would stop it.
      const axis = world === 'swarm3d' ? 2 : 0;
      const ahead = from[axis] < (greeting.space.min[axis] + greeting.space.max[axis]) / 2;
      const key = axis === 2 ? (ahead ? 'r' : 'v') : (ahead ? 'd' : 'a');
      await page.keyboard.down(key);
      const moved = await until(page, 'the avatar moves', ({ position }) => Math.abs(position[axis] - from[axis]) > 5, 5000);
      await page.keyboard.up(key);
      assert.equal(moved.position[axis] > from[axis], ahead, 'it went the wrong way');
      assert.ok(moved.tick > begun.tick);
      await page.screenshot({ path: join(pictures, `${world}.png`) });
      assert.deepEqual((await stateOf(page)).errors, []);
      assert.deepEqual(faults, []);
    } finally {
      await page.close();
      assert.equal(await server.stop(), 0, 'the server does not end well');
    }
  });
}

test('a camera takes the place of the avatar, is moved by dragging, and gives the place back', async () => {
  const server = await serve(program, ['--shards', '2', '--bind', '127.0.0.1:0']);
  const { page, faults } = await browser.open(server.url);
  try {
    const avatar = await until(page, 'an avatar', (state) => state.standing === 'in' && state.position && state.visible > 0, 5000);
    await page.check('input[value="camera"]');
    const camera = await until(page, 'a camera', (state) => state.standing === 'in' && state.entity === undefined && state.visible > 0, 5000);
    await page.check('#follow');
    await page.mouse.move(400, 400);
    await page.mouse.down();
    for (let x = 400; x >= 300; x -= 10) await page.mouse.move(x, 400);
    await page.mouse.up();
    const dragged = await until(page, 'it moves', ({ position }) => Math.abs(position[0] - camera.position[0]) > 20, 2000);
    await until(page, 'others are seen there', ({ tick, visible }) => tick > dragged.tick + 20 && visible > 0, 5000);
    await page.check('input[value="avatar"]');
    const back = await until(page, 'an avatar again', (state) => state.standing === 'in' && state.entity !== undefined && state.position, 5000);
    assert.notEqual(back.entity, avatar.entity, 'an id is never used again');
    assert.ok(Math.abs(back.position[0] - dragged.position[0]) < 10);
    assert.deepEqual(back.errors, []);
    assert.deepEqual(faults, []);
  } finally {
    await page.close();
    await server.stop();
  }
});

test('the page meets a restarted server again', async () => {
  const options = ['--world', 'flock', '--shards', '2', '--entities', '2000'];
  const server = await serve(program, [...options, '--bind', '127.0.0.1:0']);
  const { page, faults } = await browser.open(server.url, /ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_ABORTED|502|503|WebSocket/);
  let again = server;
  try {
    await until(page, 'joined', ({ standing, moving }) => standing === 'in' && moving > 0, 5000);
    await server.stop();
    await until(page, 'noticed', ({ connected }) => !connected, 3000);
    await page.screenshot({ path: join(pictures, 'down.png') });
    again = await serve(program, [...options, '--bind', `127.0.0.1:${server.port}`]);
    const state = await until(page, 'joined again', ({ standing, ownersMoving }) => standing === 'in' && ownersMoving.length === 2, 12_000);
    assert.deepEqual(state.errors, []);
    assert.deepEqual(faults, []);
  } finally {
    await page.close();
    await again.stop();
  }
});

test('the reader makes the same set of deltas as of full snapshots, tick by tick, and moves what it saw between them', async () => {
  const server = await serve(program, ['--world', 'crowd', '--shards', '2', '--bind', '127.0.0.1:0']);
  const { page, faults } = await browser.open(`${server.url}healthz`, /favicon|404/);
  try {
    const { deltas, snapshots, wrong } = await page.evaluate(watchTwice, 40);
    const common = Object.keys(deltas).filter((tick) => snapshots[tick] !== undefined);
    assert.ok(common.length >= 20, `only ${common.length} ticks to compare`);
    for (const tick of common) assert.equal(deltas[tick], snapshots[tick], `tick ${tick}`);
    assert.ok(new Set(Object.values(deltas)).size > 20, 'the world stands still');
    assert.deepEqual(wrong, []);
    assert.deepEqual(faults, []);
  } finally {
    await page.close();
    await server.stop();
  }
});

/**
 * Runs in the page: two cameras at one place, one told by deltas, one by full snapshots. Digests by tick, and what
 * was not half-way between two deltas when asked for.
 * @param {number} ticks
 */
async function watchTwice(ticks) {
  const path = '/reader/worldshard-reader.js';
  const { View, readGreeting, readHotHeader, encodeMessage } = await import(path);
  /** @type {string[]} */
  const wrong = [];
  /** @param {boolean} full @returns {Promise<Record<string, string>>} */
  const watch = (full) => new Promise((resolve, reject) => {
    /** @type {Record<string, string>} */
    const digests = {};
    const view = new View();
    const socket = new WebSocket(`ws://${location.host}/world`);
    socket.binaryType = 'arraybuffer';
    socket.onclose = () => reject(new Error('closed'));
    const take = (/** @type {ArrayBuffer} */ bytes) => {
      const { seq, payloadOffset } = readHotHeader(bytes);
      const before = new Map(view.ids().map((/** @type {number} */ id) => [id, view.positionAt(id, 1)]));
      view.apply(bytes, payloadOffset);
      for (const id of view.ids()) {
        const [from, to, between] = [before.get(id), view.positionAt(id, 1), view.positionAt(id, 0.5)];
        const far = from && between.some((/** @type {number} */ axis, /** @type {number} */ at) => Math.abs(axis - (from[at] + to[at]) / 2) > 1e-3);
        if (far) wrong.push(`${id} at ${between}, from ${from} to ${to}`);
      }
      digests[view.tick] = view.digest().toString(16);
      socket.send(encodeMessage({ type: 'ack' }, { deltaAck: seq }));
      if (Object.keys(digests).length >= ticks) {
        socket.onclose = null;
        socket.close();
        resolve(digests);
      }
    };
    socket.onmessage = ({ data }) => {
      if (typeof data !== 'string') return take(data);
      if (!data.includes('"authed"')) return;
      const { space } = readGreeting(data);
      const at = [0, 1, 2].map((axis) => (space.min[axis] + space.max[axis]) / 2);
      socket.send(encodeMessage({ type: 'join', mode: 'camera', at, interest: { kind: 'default' }, full, acks: true }));
    };
  });
  const [deltas, snapshots] = await Promise.all([watch(false), watch(true)]);
  return { deltas, snapshots, wrong };
}
