// The shared button over a slow and lossy network: whoever pressed what, in the end all show what the server has.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random, connect } from '@worldshard/client';
import { WebSocket } from 'ws';
import { buttonApp } from '../samples/shared-button/app.mjs';
import { SharedButton } from '../samples/shared-button/shared-button.js';
import { MockServer } from './mock-server.mjs';

/** @typedef {import('@worldshard/client').Client<import('../samples/shared-button/shared-button.js').ButtonChannel>} ButtonClient */

test('under 200 ms of delay, 2 % loss and broken connections the final states are equal', async () => {
  const random = new Random(8);
  const app = buttonApp();
  // What is lost is sent again, and delays all behind it.
  const server = new MockServer({ app, delayMs: () => 100 + (random.next() < 0.02 ? 400 : 0) });
  const url = await server.start();
  const buttons = ['ann', 'bob', 'cleo'].map((name, seed) => {
    const client = /** @type {ButtonClient} */ (connect(url, { webSocket: WebSocket, seed, auth: { user: name }, backoff: { baseMs: 50, factor: 2, capMs: 200 } }));
    return new SharedButton(client, name, () => {});
  });
  let predicted = 0;
  const pressing = setInterval(() => {
    const shared = buttons[Math.floor(random.next() * buttons.length)];
    const held = shared.isMine;
    if (held) shared.release();
    else shared.press();
    // Whoever may expect yes sees it at once, long before the server has heard of it.
    if (shared.known && shared.isMine !== held) predicted += 1;
  }, 40);
  await pause(2500);
  server.cut();
  await pause(2500);
  clearInterval(pressing);
  // Longer than anything is on its way.
  await pause(2500);
  try {
    for (const { name, known, holder, isPending } of buttons) {
      assert.deepEqual([name, known, holder, isPending], [name, true, app.holder, false]);
    }
    assert.ok(predicted > 10, `only ${predicted} were shown at once`);
    assert.ok(buttons.some(({ takenBack }) => takenBack > 0), 'nothing was ever taken back');
    assert.equal(server.upgrades.length, 6);
  } finally {
    for (const { client } of buttons) client.close();
    await server.stop();
  }
});

/** @param {number} ms */
function pause(ms) {
  return new Promise((done) => setTimeout(done, ms));
}
