// The page of the examples on the real server: every example is clicked through, with two pages where others matter.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser } from './browser.mjs';
import { binary, serve } from './server.mjs';

/** @typedef {import('playwright-core').Page} Page */

// One for each page: a page behind another one draws nothing, and waits a second for each step.
/** @type {Awaited<ReturnType<typeof openBrowser>>[]} */
let browsers = [];
/** @type {string} */
let program;
before(async () => {
  program = binary();
  browsers = await Promise.all([openBrowser(), openBrowser()]);
});
after(() => Promise.all(browsers.map((browser) => browser.close())));

/** The page of a server, twice. @param {string} url */
async function openBoth(url) {
  const [one, other] = await Promise.all(browsers.map((browser) => browser.open(url)));
  assert.ok(one && other);
  return [one, other];
}

/** Opens a tab and waits for its connection. @param {Page} page @param {string} name */
async function open(page, name) {
  await page.getByRole('tab', { name, exact: true }).click();
  await page.locator('#link[data-state="connected"]').waitFor({ timeout: 5000 });
}

/** @param {Page} page */
const pane = (page) => page.locator('.pane:not([hidden])');

/** Clicks one of the commands to try. @param {Page} page @param {string} command */
const tries = (page, command) => page.locator('#commands').getByRole('button', { name: command, exact: true }).click();

/** @param {Page} page @param {string} text */
async function says(page, text) {
  await pane(page).locator('input').fill(text);
  await pane(page).getByRole('button', { name: 'send' }).click();
}

/** Waits for a line that came, whole or by a pattern. @param {Page} page @param {string | RegExp} text */
async function hears(page, text) {
  const whole = typeof text === 'string' ? new RegExp(`^${text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`) : text;
  await pane(page).locator('li[data-way="received"] .said').filter({ hasText: whole }).first().waitFor({ timeout: 5000 });
}

/** How many lines came so far. @param {Page} page @param {string} text */
const count = (page, text) => pane(page).locator('li[data-way="received"] .said').filter({ hasText: text }).count();

for (const shards of ['1', '2', '8']) {
  test(`every example of the tour does what it says, on ${shards} shards`, async () => {
    const server = await serve(program, ['--app', 'tour', '--shards', shards, '--bind', '127.0.0.1:0']);
    const both = await openBoth(server.url);
    const [a, b] = both.map(({ page }) => page);
  assert.ok(a && b);
    try {
      await open(a, 'Echo');
      await tries(a, 'hello');
      await hears(a, 'hello');

      for (const page of [a, b]) await open(page, 'Broadcast');
      await tries(a, 'hello, all');
      for (const page of [a, b]) await hears(page, 'hello, all');

      for (const page of [a, b]) {
        await open(page, 'Chat');
        await tries(page, '/join lounge');
        await hears(page, '[System] Joined room: lounge');
      }
      await tries(a, '/nick Ann');
      await hears(a, /nickname is now: Ann/);
      await says(a, 'good evening');
      for (const page of [a, b]) await hears(page, 'Ann: good evening');
      await tries(b, '/list');
      await hears(b, /lounge \(2 users\)/);
      await tries(a, '/leave');
      await hears(b, '[System] Ann has left.');
      await tries(a, '/dance');
      await hears(a, '[Error] Unknown command: /dance');

      for (const page of [a, b]) await open(page, 'Lobby');
      await tries(a, '/lobby create duel 2');
      await hears(a, /Created and joined 'duel' \(1\/2\)/);
      await tries(b, '/lobby list');
      await hears(b, /duel \(1\/2\)/);
      await tries(b, '/lobby join duel');
      for (const page of [a, b]) await hears(page, /\[Match\] .*: 2 here/);

      for (const page of [a, b]) await open(page, 'Counter');
      await tries(a, 'increment');
      for (const page of [a, b]) await hears(page, 'new value: 1');
      await b.fill('#room', 'two');
      await b.getByRole('button', { name: 'go there' }).click();
      await b.locator('#link[data-state="connected"]').waitFor({ timeout: 5000 });
      await hears(b, 'value: 0');
      await tries(b, 'increment');
      await tries(b, 'increment');
      await hears(b, 'new value: 2');
      assert.equal(await count(a, 'new value: 2'), 0, 'a room hears of its own number alone');

      await open(a, 'Clock');
      await hears(a, '2 s');

      for (const page of [a, b]) {
        await open(page, 'Button');
        await hears(page, 'free');
      }
      await pane(a).locator('.big').hover();
      await a.mouse.down();
      await hears(a, 'held by you');
      await pane(b).locator('.big[data-held="other"]').waitFor({ timeout: 5000 });
      await tries(b, 'press');
      await hears(b, /not yours/);
      await a.mouse.up();
      await pane(b).locator('.big[data-held=""]').waitFor({ timeout: 5000 });

      for (const page of [a, b]) await open(page, 'Places');
      await tries(a, '/move 0 0');
      await pane(b).locator('canvas').click({ position: { x: 200, y: 100 } });
      await tries(b, '/move 30 40');
      await hears(a, /^pos \d+ 30 40$/);
      await tries(a, '/move 30 40');
      await hears(b, /^pos \d+ 30 40$/);
      await says(a, '/move 500 500');
      await hears(b, /^leave \d+$/);
      await says(a, '/move NaN 0');
      await hears(a, /BAD_REQUEST/);

      assert.deepEqual(both.map(({ faults }) => faults), [[], []]);
    } finally {
      await Promise.all([a.close(), b.close()]);
      assert.equal(await server.stop(), 0, 'the server does not end well');
    }
  });
}

for (const shards of ['1', '2', '8']) {
  test(`places with a height are told with it, on ${shards} shards`, async () => {
    const server = await serve(program, ['--app', 'space', '--shards', shards, '--bind', '127.0.0.1:0']);
    const both = await openBoth(server.url);
    const [a, b] = both.map(({ page }) => page);
    assert.ok(a && b);
    try {
      for (const page of [a, b]) await open(page, 'Space');
      await tries(a, '/move 0 0 0');
      await tries(b, '/move 30 0 40');
      await hears(a, /^pos \d+ 30 0 40$/);
      await b.locator('#height').fill('50');
      await pane(b).locator('canvas').click();
      await hears(a, /^pos \d+ -?\d+ 50 -?\d+$/);
      assert.deepEqual(both.map(({ faults }) => faults), [[], []]);
    } finally {
      await Promise.all([a.close(), b.close()]);
      assert.equal(await server.stop(), 0, 'the server does not end well');
    }
  });
}
