// The built module in a headless browser, whose WebSocket says less than others: no status, no headers, no pings.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser, until } from '../../../test/browser.mjs';
import { buttonApp } from '../../samples/shared-button/app.mjs';
import { MockServer } from '../mock-server.mjs';

/** @typedef {Awaited<ReturnType<Awaited<ReturnType<typeof openBrowser>>['open']>>['page']} Page */

const root = new URL('../../', import.meta.url);
/** A browser writes into its console that a connection broke, or was refused. */
const BROKEN = /WebSocket connection|ERR_|404|net::/;

/** @type {Awaited<ReturnType<typeof openBrowser>>} */
let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

/**
 * @param {import('../mock-server.mjs').Options} options
 * @param {object} clientOptions
 * @param {(page: Page, server: MockServer) => Promise<void>} body
 * @param {RegExp} [expected]
 */
async function withPage(options, clientOptions, body, expected) {
  const server = new MockServer({ root, ...options });
  await server.start();
  const { page, faults } = await browser.open(`${server.origin}/test/browser/page.html`, expected);
  try {
    await page.waitForFunction('typeof open_ === "function"');
    await page.evaluate((given) => /** @type {any} */ (window).open_(given), clientOptions);
    await body(page, server);
    assert.deepEqual(faults, []);
  } finally {
    await page.close();
    await server.stop();
  }
}

/** @type {import('../mock-server.mjs').App} */
const parrot = {
  message: (session, data) => session.say(data),
  request: (_, data, answer) => answer.respond(data),
};

test('a page joins a world and sees it as the server has it, and its pings are answered', () =>
  withPage({}, { pingIntervalMs: 50 }, async (page) => {
    await until(page, 'live', ({ lives }) => lives.length === 1, 5000);
    await page.evaluate(() => /** @type {any} */ (window).client.world.join());
    const state = await until(page, 'the last delta', ({ digest }) => digest === 'eff68b0b6e4be5c9f6fe074caa9038e7', 5000);
    assert.equal(state.entity, 1);
    await until(page, 'a round trip', ({ rttMs }) => rttMs !== undefined, 5000);
  }));

test('messages and requests go as JSON and as bytes', () =>
  withPage({ app: parrot }, {}, async (page) => {
    await until(page, 'live', ({ lives }) => lives.length === 1, 5000);
    const heard = await page.evaluate(async () => {
      const { client, events } = /** @type {any} */ (window);
      client.send({ hello: 1 });
      client.send(Uint8Array.of(7));
      const outcomes = await Promise.all([client.request([2]).outcome, client.request(Uint8Array.of(8)).outcome]);
      return {
        outcomes: outcomes.map(({ type, data }) => [type, [...data]]),
        messages: events.filter((/** @type {any} */ { type }) => type === 'message' || type === 'bytes').map((/** @type {any} */ { data, bytes }) => data ?? [...bytes]),
      };
    });
    assert.deepEqual(heard, { outcomes: [['response', [2]], ['response', [8]]], messages: [{ hello: 1 }, [7]] });
  }));

for (const by of ['message', 'subprotocol']) {
  test(`a credential is shown by ${by}, and why it is refused can be read`, async () => {
    await withPage({ credential: 'right' }, { auth: { token: 'right', by, user: 'ann' } }, async (page) => {
      const { lives } = await until(page, 'live', ({ lives }) => lives.length === 1, 5000);
      assert.equal(lives[0].user, 'ann');
    });
    await withPage({ credential: 'right' }, { auth: { token: 'wrong', by } }, async (page) => {
      await until(page, 'dead', ({ types }) => types.at(-1) === 'dead', 5000);
      const end = await page.evaluate(() => /** @type {any} */ (window).events.at(-2));
      assert.deepEqual(end, { type: 'closedByServer', code: 1008, reason: 'AUTH_FAILED: the credential is wrong' });
    });
  });
}

test('a broken connection is resumed', () =>
  withPage({ resume: true }, {}, async (page, server) => {
    await until(page, 'live', ({ lives }) => lives.length === 1, 5000);
    await page.evaluate(() => /** @type {any} */ (window).client.world.join());
    await until(page, 'joined', ({ entity }) => entity === 1, 5000);
    server.cut();
    const { lives } = await until(page, 'live again', ({ lives }) => lives.length === 2, 5000);
    assert.deepEqual(lives.map((/** @type {any} */ { resumed }) => resumed), [false, true]);
    assert.equal(lives[0].session, lives[1].session);
    await until(page, 'deltas again', ({ types }) => types.lastIndexOf('delta') > types.lastIndexOf('live'), 5000);
  }, BROKEN));

test('a token that the server refuses is given up, though the browser hides the refusal', () =>
  withPage({ resume: true }, {}, async (page, server) => {
    await until(page, 'live', ({ lives }) => lives.length === 1, 5000);
    await page.evaluate(() => /** @type {any} */ (window).client.world.join());
    await until(page, 'joined', ({ entity }) => entity === 1, 5000);
    server.resumable.clear();
    server.cut();
    const { lives } = await until(page, 'live again', ({ lives }) => lives.length === 2, 10_000);
    assert.equal(lives[1].resumed, false);
    assert.deepEqual(server.upgrades.map(({ protocols }) => protocols.length), [0, 1, 1, 0]);
  }, BROKEN));

test('a token is kept while the server is not there', () =>
  withPage({ resume: true }, {}, async (page, server) => {
    await until(page, 'live', ({ lives }) => lives.length === 1, 5000);
    await page.evaluate(() => /** @type {any} */ (window).client.world.join());
    await until(page, 'joined', ({ entity }) => entity === 1, 5000);
    await server.stop();
    await page.waitForTimeout(1000);
    await server.start();
    const { lives } = await until(page, 'live again', ({ lives }) => lives.length === 2, 10_000);
    assert.equal(lives[1].resumed, true);
  }, BROKEN));

test('the shared button shows a press at once, keeps what is granted and takes back what is not', async () => {
  let delay = 0;
  const app = buttonApp();
  const server = new MockServer({ root, app, delayMs: () => delay });
  await server.start();
  const [ann, bob] = await Promise.all(['ann', 'bob'].map((name) => browser.open(`${server.origin}/samples/shared-button/?name=${name}`)));
  try {
    for (const { page } of [ann, bob]) await until(page, 'the state', ({ known }) => known, 5000);
    delay = 300;
    const hold = (/** @type {Page} */ page) => page.dispatchEvent('#button', 'pointerdown');
    await Promise.all([hold(ann.page), hold(bob.page)]);
    // Nobody has heard from the server yet.
    for (const [name, { page }] of /** @type {const} */ ([['ann', ann], ['bob', bob]])) {
      const { holder, pending } = await until(page, 'what is predicted', ({ pending }) => pending, 250);
      assert.deepEqual([holder, pending], [name, true]);
    }
    await until(ann.page, 'the server\'s word', ({ pending }) => !pending, 5000);
    await until(bob.page, 'the server\'s word', ({ pending }) => !pending, 5000);
    const states = await Promise.all([ann, bob].map(({ page }) => page.evaluate(() => ({ .../** @type {any} */ (window).worldshard }))));
    assert.deepEqual(states.map(({ holder }) => holder), [app.holder, app.holder]);
    assert.deepEqual(states.map(({ takenBack }) => takenBack).sort(), [0, 1]);
    assert.equal(await bob.page.locator('#status').textContent(), `${app.holder} holds it`);
    const winner = app.holder === 'ann' ? ann : bob;
    await winner.page.dispatchEvent('#button', 'pointerup');
    await until(ann.page, 'free again', ({ holder, pending }) => holder === null && !pending, 5000);
    await until(bob.page, 'free again', ({ holder }) => holder === null, 5000);
    assert.deepEqual([...ann.faults, ...bob.faults], []);
  } finally {
    await ann.page.close();
    await bob.page.close();
    await server.stop();
  }
});
