// The page of the small applications on the real server: clicks through it, and who hears what.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser } from './browser.mjs';
import { binary, serve } from './server.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @type {Awaited<ReturnType<typeof openBrowser>>} */
let browser;
/** @type {string} */
let program;
before(async () => {
  program = binary();
  browser = await openBrowser();
});
after(() => browser?.close());

/** Sends by the button, or by the return key. @param {Page} page @param {string} message @param {boolean} [byKey] */
async function say(page, message, byKey = false) {
  await page.locator('#send:enabled').waitFor({ timeout: 5000 });
  await page.fill('#message', message);
  if (byKey) await page.press('#message', 'Enter');
  else await page.click('#send');
}

/** The lines of the log, once there are so many. @param {Page} page @param {number} count */
async function lines(page, count) {
  await page.locator('#log li').nth(count - 1).waitFor({ timeout: 5000 });
  const items = await page.locator('#log li').all();
  return Promise.all(items.map(async (item) => [await item.getAttribute('data-way'), await item.locator('.kind').textContent(), await item.locator('.said').innerText()]));
}

test('echo: text comes back as text, binary as binary, nothing as nothing', async () => {
  const server = await serve(program, ['--app', 'echo', '--shards', '2', '--bind', '127.0.0.1:0']);
  const { page, faults } = await browser.open(server.url);
  try {
    await say(page, 'héllo <b>&amp;</b>');
    assert.deepEqual(await lines(page, 2), [['sent', 'text', 'héllo <b>&amp;</b>'], ['received', 'text', 'héllo <b>&amp;</b>']]);
    await page.check('input[value="binary"]');
    await say(page, 'é', true);
    assert.deepEqual((await lines(page, 4)).slice(2), [['sent', 'binary', 'é\nc3 a9'], ['received', 'binary', 'é\nc3 a9']]);
    await page.check('input[value="text"]');
    await say(page, '');
    assert.deepEqual((await lines(page, 6)).slice(4), [['sent', 'text', ''], ['received', 'text', '']]);
    assert.deepEqual([await page.textContent('#sent'), await page.textContent('#received')], ['3', '3']);
    await page.click('#clear');
    assert.equal(await page.locator('#log li').count(), 0);
    assert.equal(await page.textContent('#link-text'), 'connected');
    assert.deepEqual(faults, []);
  } finally {
    await page.close();
    assert.equal(await server.stop(), 0, 'the server does not end well');
  }
});

test('broadcast: what one page sends, every page hears once; and a restarted server is met again', async () => {
  const options = ['--app', 'broadcast', '--shards', '2', '--bind'];
  const server = await serve(program, [...options, '127.0.0.1:0']);
  const expected = /ERR_CONNECTION|ERR_EMPTY_RESPONSE|WebSocket/;
  const [one, other] = [await browser.open(server.url, expected), await browser.open(server.url, expected)];
  let again = server;
  try {
    await other.page.locator('#send:enabled').waitFor({ timeout: 5000 });
    await say(one.page, 'to all');
    assert.deepEqual(await lines(one.page, 2), [['sent', 'text', 'to all'], ['received', 'text', 'to all']]);
    assert.deepEqual(await lines(other.page, 1), [['received', 'text', 'to all']]);
    await server.stop();
    await one.page.locator('#notice', { hasText: 'No connection' }).waitFor({ timeout: 5000 });
    assert.equal(await one.page.locator('#send').isDisabled(), true);
    again = await serve(program, [...options, `127.0.0.1:${server.port}`]);
    await other.page.locator('#send:enabled').waitFor({ timeout: 15_000 });
    await say(one.page, 'again');
    assert.deepEqual((await lines(one.page, 4)).slice(2), [['sent', 'text', 'again'], ['received', 'text', 'again']]);
    assert.deepEqual([...one.faults, ...other.faults], []);
  } finally {
    await one.page.close();
    await other.page.close();
    await again.stop();
  }
});

test('on a phone nothing is wider than the screen', async () => {
  const phone = await openBrowser({ width: 390, height: 844 });
  const server = await serve(program, ['--app', 'echo', '--bind', '127.0.0.1:0']);
  try {
    const { page, faults } = await phone.open(server.url);
    await say(page, 'w'.repeat(500));
    await lines(page, 2);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
    assert.deepEqual(faults, []);
  } finally {
    await phone.close();
    await server.stop();
  }
});
