// The avatar's sample on its server, examples/avatar.rs, over a path with 200 ms from word to answer, 2 % loss and broken
// connections: in the end client and server have it in the same place, bit for bit. Runs where WORLDSHARD_BIN says that servers
// can be had.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random, connect } from '@worldshard/client';
import { WebSocket } from 'ws';
import { Avatar, ROCK, STRIDE_M, wayAt } from '../samples/avatar/avatar.js';
import { example, runExample } from './example.mjs';
import { ONE_WAY_MS, lossyPath } from './lossy-path.mjs';

const served = { skip: !process.env['WORLDSHARD_BIN'] && 'WORLDSHARD_BIN is not set' };

/** @typedef {import('@worldshard/client').Triple} Triple */

/** Hither and thither near the rock, and against it. @type {(at: Triple, heading: number, random: Random) => number} */
function aroundTheRock([x, y], heading, random) {
  const [dx, dy] = [ROCK[0] - x, ROCK[1] - y];
  return Math.hypot(dx, dy) > 10 ? Math.atan2(dy, dx) : heading + random.next() - 0.5;
}

/** To and fro through where the wind blows. @type {(at: Triple, heading: number) => number} */
function throughTheWind([x], heading) {
  return x < 488 ? 0 : x > 522 ? Math.PI : heading;
}

test('an avatar ends where its server has it, and is corrected only where it is carried off', served, async (context) => {
  const server = await runExample(example('avatar'));
  try {
    for (const ways of [aroundTheRock, throughTheWind]) {
      const { corrections, aheadMax, carried } = await walk(server, ways);
      context.diagnostic(`${ways.name}: ${corrections} corrections, up to ${aheadMax} strides ahead, ${JSON.stringify(carried)}`);
      assert.equal(corrections > 0, ways === throughTheWind, `${corrections} corrections`);
    }
  } finally {
    assert.equal(await server.stop(), 0);
  }
});

/** @param {{host: string, port: number}} server @param {typeof aroundTheRock} ways */
async function walk(server, ways) {
  const random = new Random(3);
  const path = await lossyPath(server, () => random.next());
  const client = connect(`ws://127.0.0.1:${path.port}/world`, { webSocket: WebSocket, seed: 1, backoff: { baseMs: 50, factor: 2, capMs: 200 } });
  // Sees the same world from beside it, as the server says it.
  const witness = connect(`ws://${server.host}:${server.port}/world`, { webSocket: WebSocket });
  try {
    witness.on('live', () => witness.world.join({ mode: 'camera', at: [505, 500, 0], interest: { kind: 'radius', radius: 100 } }));
    const avatar = new Avatar(client);
    let lives = 0;
    client.on('live', () => { lives += 1; });
    // Only a correction moves what is shown, and nothing is confirmed before it can have been heard of.
    /** @type {number[]} */
    const said = [];
    let shown = avatar.at;
    avatar.changed = (corrected) => {
      if (shown !== undefined) assert.equal(corrected, shown.some((metres, axis) => metres !== avatar.at?.[axis]));
      shown = avatar.at;
      for (; said.length > avatar.ahead; said.shift()) assert.ok(performance.now() - said[0] >= 2 * ONE_WAY_MS - 1);
    };
    await until('an avatar', () => avatar.at !== undefined);
    const entity = Number(client.world.entity);
    let [heading, strides, aheadMax] = [Math.PI, 0, 0];
    const deadline = performance.now() + 60_000;
    while (strides < STRIDES) {
      await pause(STRIDE_EVERY_MS);
      assert.ok(performance.now() < deadline, `only ${strides} strides`);
      const { at: from } = avatar;
      assert.ok(from);
      heading = ways(from, heading, random);
      const saidAt = performance.now();
      // There may be no connection just now.
      if (!avatar.stride(wayAt(heading))) continue;
      said.push(saidAt);
      shown = avatar.at;
      assert.ok(shown && Math.hypot(shown[0] - from[0], shown[1] - from[1]) <= STRIDE_M + 1e-3, 'a leap');
      aheadMax = Math.max(aheadMax, avatar.ahead);
      strides += 1;
      // The last cut comes with the last stride.
      if (strides % CUT_EVERY === 0) path.cut();
    }
    await until('all is confirmed', () => avatar.ahead === 0 && client.live);
    assert.deepEqual([client.world.entity, lives], [entity, 1 + STRIDES / CUT_EVERY], 'the session went on over each connection');
    const servers = () => witness.world.view.get(entity)?.record;
    await until('the witness sees it there', () => servers()?.x === avatar.at?.[0] && servers()?.y === avatar.at?.[1]);
    assert.ok(path.carried.lost > 0);
    return { corrections: avatar.corrections, aheadMax, carried: path.carried };
  } finally {
    client.close();
    witness.close();
    await Promise.all([client.finished, witness.finished]);
    path.close();
  }
}

/** @param {string} what @param {() => boolean} holds */
async function until(what, holds) {
  const deadline = performance.now() + 30_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`${what}: not within 30 s`);
    await pause(10);
  }
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

const STRIDES = 300;
const CUT_EVERY = 100;
const STRIDE_EVERY_MS = 20;
