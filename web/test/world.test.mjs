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
