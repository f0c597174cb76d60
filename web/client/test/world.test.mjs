// The client's part in a world: numbers of commands, acknowledgements, the view, and where things are between two deltas.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Prediction, Random, ReaderError, World } from '../dist/client/src/index.js';
import { readHotHeader } from '../dist/reader/worldshard-reader.js';

/** @typedef {import('../dist/client/src/index.js').Greeting} Greeting */

const golden = new URL('../../../protocol/golden/', import.meta.url);
const greeting = /** @type {Greeting} */ ({ session: 1, layout: 1, tick: 0, tick_rate_hz: 20 });

/** A delta as the server sends it. @param {string} name @param {number} seq */
function delta(name, seq) {
  const payload = readFileSync(new URL(`${name}.bin`, golden));
  return Uint8Array.from([1, 2, 1, 1, seq, 0, 0, 0, ...payload]).buffer;
}

/** A world, and what it says; while `live` is false it cannot say anything. */
function scene() {
  const said = {
    live: true,
    /** @type {ReturnType<typeof readHotHeader>[]} */
    commands: [],
    /** @type {(number | null)[]} */
    acknowledged: [],
  };
  const world = new World({
    command: (frame) => {
      if (said.live) said.commands.push(readHotHeader(/** @type {Uint8Array} */ (frame)));
      return said.live;
    },
    acknowledge: (frame) => said.acknowledged.push(readHotHeader(/** @type {Uint8Array} */ (frame)).deltaAck),
  });
  world.greeted(greeting, false);
  return { world, said };
}

/** One that has joined and seen the first delta at time 0. */
function joined() {
  const made = scene();
  made.world.join();
  made.world.text('joined', { entity: 1, tick: 99 });
  made.world.bytes(0, delta('delta_1_full', 1));
  return made;
}

test('the view has the server\'s digest after every delta, and each is acknowledged', () => {
  const { world, said } = scene();
  world.join({ mode: 'camera', at: [1, 2, 3] });
  assert.equal(world.standing, 'joining');
  assert.deepEqual(world.text('joined', { entity: null, tick: 99 }), { type: 'joined', entity: undefined, tick: 99 });
  for (const [index, name] of ['delta_1_full', 'delta_2_change', 'delta_3_empty', 'delta_4_replaces'].entries()) {
    const event = world.bytes(index * 50, delta(name, index + 1));
    const { view_after: after, tick } = JSON.parse(readFileSync(new URL(`${name}.json`, golden), 'utf8'));
    assert.equal(event?.type === 'delta' && event.tick, tick);
    assert.deepEqual(world.view.ids(), after.ids);
    assert.equal(world.view.digest().toString(16).padStart(32, '0'), after.digest);
  }
  assert.deepEqual(said.acknowledged, [1, 2, 3, 4]);
});

test('an entity is where it was at a delta, and moves to where the next has it while that lasts', () => {
  const { world } = joined();
  world.bytes(1000, delta('delta_2_change', 2));
  const x = (/** @type {number} */ now) => world.positionAt(1, now)?.[0];
  assert.deepEqual([x(900), x(1000), x(1025), x(1050), x(5000)], [1.5, 1.5, 1.625, 1.75, 1.75]);
  assert.equal(world.positionAt(77, 1000), undefined);
});

test('commands are numbered upwards, joins and what only asks are not', () => {
  const { world, said } = joined();
  assert.deepEqual([world.steer([1, 0, 0]), world.move([1, 1, 0]), world.look([0, 0, 0]), world.wish({ kind: 'default' }), world.custom(64, new Uint8Array(1))], [1, 2, 3, 4, 5]);
  world.overview(true);
  world.leave();
  assert.deepEqual(said.commands.map(({ opcode, seq }) => [opcode, seq]), [[1, null], [3, 1], [4, 2], [5, 3], [6, 4], [64, 5], [8, null], [2, null]]);
  assert.equal(world.standing, 'leaving');
  // What was on its way tells nothing any more.
  assert.equal(world.bytes(10, delta('delta_2_change', 2)), undefined);
  assert.deepEqual(world.text('left', undefined), { type: 'left' });
  assert.equal(world.view.size, 0);
});

test('nothing is numbered while nothing can be said', () => {
  const { world, said } = joined();
  said.live = false;
  assert.equal(world.steer([1, 0, 0]), undefined);
  assert.equal(world.join(), false);
  said.live = true;
  assert.equal(world.steer([1, 0, 0]), 1);
});

test('a session that goes on says again what the server has not taken, with the same numbers', () => {
  const { world, said } = joined();
  for (let count = 0; count < 12; count += 1) world.steer([1, 0, 0]);
  world.bytes(50, delta('delta_2_change', 2)); // contains the first seven
  world.refused(11);
  said.commands = [];
  world.greeted({ ...greeting, entity: 1, command_sequence: 9 }, true);
  assert.deepEqual(said.commands.map(({ opcode, seq }) => [opcode, seq]), [[3, 10], [3, 12]]);
  assert.deepEqual([world.standing, world.entity, world.view.size], ['in', 1, 0]);
  world.bytes(100, delta('delta_1_full', 1));
  assert.equal(world.view.size, 3);
  assert.equal(world.steer([0, 0, 0]), 13);
});

test('another session begins anew', () => {
  const { world, said } = joined();
  world.steer([1, 0, 0]);
  said.commands = [];
  world.greeted({ ...greeting, session: 2 }, false);
  assert.deepEqual([said.commands, world.standing, world.entity, world.view.size], [[], 'out', undefined, 0]);
  assert.equal(world.steer([1, 0, 0]), 1);
});

test('an avatar that is gone leaves a camera', () => {
  const { world } = joined();
  assert.deepEqual(world.text('avatar_lost', { entity: 1 }), { type: 'avatarLost', entity: 1 });
  assert.deepEqual([world.standing, world.entity, world.view.size], ['in', undefined, 3]);
  assert.equal(world.text('weather', {}), undefined);
});

test('a delta that does not follow is refused and changes nothing', () => {
  const { world } = joined();
  const before = world.view.digest();
  assert.throws(() => world.bytes(50, delta('delta_3_empty', 2)), ReaderError);
  assert.equal(world.view.digest(), before);
});

// ---------------------------------------------------------------------------------------------------------------
// Prediction

/** @param {number} state @param {number} input one that depends on the order, so that a wrong one shows */
const step = (state, input) => (state * 3 + input) % 1_000_003;

test('what was predicted is what the server says, and what it refuses is as if it had never been', () => {
  const prediction = new Prediction(1, step);
  prediction.predict(1, 5);
  prediction.predict(2, 6);
  assert.equal(prediction.predict(4, 7), step(step(step(1, 5), 6), 7));
  assert.equal(prediction.reconcile(step(1, 5), 1), step(step(step(1, 5), 6), 7));
  assert.equal(prediction.reject(2), step(step(1, 5), 7));
  assert.equal(prediction.confirm(4), step(step(1, 5), 7));
  assert.deepEqual([prediction.base, prediction.pending], [step(step(1, 5), 7), 0]);
  prediction.predict(9, 1);
  assert.equal(prediction.reset(10), 10);
  assert.throws(() => prediction.predict(1, prediction.predict(1, 1)), RangeError);
});

test('under any delay, loss and refusal the client ends where the server is', () => {
  for (let seed = 1; seed <= 100; seed += 1) {
    const random = new Random(seed);
    const delay = () => 100 + random.next() * 100 + (random.next() < 0.02 ? 400 : 0);
    const prediction = new Prediction(0, step, 1000);
    let [server, echo, heard] = [0, 0, 0];
    /** @type {{at: number, deed: () => void}[]} */
    const due = [];
    const later = (/** @type {number} */ at, /** @type {() => void} */ deed) => due.push({ at, deed });
    let [arrival, back] = [0, 0];
    for (let id = 1; id <= 60; id += 1) {
      const sentAt = id * 50;
      const input = Math.floor(random.next() * 1000);
      later(sentAt, () => prediction.predict(id, input));
      // In order, as TCP has it: a lost packet delays all behind it.
      arrival = Math.max(arrival, sentAt + delay());
      const refused = random.next() < 0.1;
      later(arrival, () => {
        echo = id;
        if (!refused) server = step(server, input);
      });
    }
    for (let tick = 1; tick <= 100; tick += 1) {
      later(tick * 50 + 25, () => {
        const told = { state: server, upTo: echo };
        back = Math.max(back, tick * 50 + 25 + delay());
        later(back, () => {
          heard += 1;
          prediction.reconcile(told.state, told.upTo);
        });
      });
    }
    while (due.length > 0) {
      due.sort((one, other) => one.at - other.at);
      due.shift()?.deed();
    }
    assert.equal(heard, 100);
    assert.deepEqual([prediction.state, prediction.pending], [server, 0], `seed ${seed}`);
  }
});
