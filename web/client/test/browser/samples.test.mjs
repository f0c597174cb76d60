// The samples' pages as the examples serve them, in two tabs each, 200 ms from word to answer away from their server.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser, stateOf, until } from '../../../test/browser.mjs';
import { example, runExample } from '../example.mjs';
import { lossyPath } from '../lossy-path.mjs';

/** @typedef {Awaited<ReturnType<Awaited<ReturnType<typeof openBrowser>>['open']>>} Tab */

/** @type {Awaited<ReturnType<typeof openBrowser>>} */
let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

/** Two tabs with a page of an example. @param {string} name @param {(tabs: [Tab, Tab]) => Promise<void>} body */
async function inTwoTabs(name, body) {
  const server = await runExample(example(name));
  // Nothing is lost: what comes late by chance would only blur what is shown at once.
  const path = await lossyPath(server, () => 1);
  try {
    const open = (/** @type {string} */ who) => browser.open(`http://127.0.0.1:${path.port}/?name=${who}`);
    const tabs = await Promise.all([open('ann'), open('bob')]);
    await body(tabs);
    assert.deepEqual(tabs.flatMap(({ faults }) => faults), []);
    await Promise.all(tabs.map(({ page }) => page.close()));
  } finally {
    path.close();
    assert.equal(await server.stop(), 0);
  }
}

test('a press in one tab is seen in the other, and of two presses at once one is taken back', () =>
  inTwoTabs('button', async ([ann, bob]) => {
    const hold = (/** @type {Tab} */ { page }) => page.dispatchEvent('#button', 'pointerdown');
    const letGo = (/** @type {Tab} */ { page }) => page.dispatchEvent('#button', 'pointerup');
    for (const { page } of [ann, bob]) await until(page, 'the state', ({ known }) => known, 10_000);
    await hold(ann);
    const { holder } = await stateOf(ann.page);
    assert.equal(holder, 'ann', 'shown at once');
    await until(bob.page, 'the press of another', ({ holder }) => holder === 'ann', 10_000);
    assert.equal(await bob.page.locator('#status').textContent(), 'ann holds it');
    await letGo(ann);
    await until(bob.page, 'free', ({ holder }) => holder === null, 10_000);

    await Promise.all([hold(ann), hold(bob)]);
    const both = await Promise.all([ann, bob].map(({ page }) => until(page, 'an answer', ({ pending }) => !pending, 10_000)));
    assert.deepEqual(both.map(({ takenBack }) => takenBack).sort(), [0, 1]);
    const winner = both[0].takenBack === 0 ? ann : bob;
    const name = winner === ann ? 'ann' : 'bob';
    assert.deepEqual(both.map(({ holder }) => holder), [name, name]);

    // Whoever goes lets go.
    await winner.page.goto('about:blank');
    const loser = winner === ann ? bob : ann;
    await until(loser.page, 'free', ({ holder }) => holder === null, 10_000);
  }));

test('an avatar goes at once where keys lead it, ends where its server has it, and is seen in the other tab', () =>
  inTwoTabs('avatar', async ([ann, bob]) => {
    for (const { page } of [ann, bob]) await until(page, 'an avatar and another', ({ at, seen }) => at !== undefined && seen.length === 2, 10_000);
    const { at: from } = await stateOf(ann.page);
    await ann.page.keyboard.down('ArrowRight');
    const going = await until(ann.page, 'strides ahead', ({ ahead }) => ahead > 2, 10_000);
    assert.ok(going.at[0] > going.servers[0], 'it is ahead of its server');
    await until(ann.page, 'it is over there', ({ at }) => at[0] > from[0] + 4, 10_000);
    await ann.page.keyboard.up('ArrowRight');
    const { at, servers, corrections } = await until(ann.page, 'all is confirmed', ({ ahead }) => ahead === 0, 10_000);
    assert.deepEqual([at, corrections], [servers, 0]);
    await until(bob.page, 'the other sees it there', ({ seen }) => seen.some((/** @type {number[]} */ place) => place[0] === at[0]), 10_000);

    // Westwards there is a wind of which no client knows.
    await bob.page.bringToFront();
    await bob.page.keyboard.down('ArrowLeft');
    await until(bob.page, 'a correction', ({ corrections }) => corrections > 0, 20_000);
    await bob.page.keyboard.up('ArrowLeft');
    const blown = await until(bob.page, 'all is confirmed', ({ ahead }) => ahead === 0, 10_000);
    assert.deepEqual(blown.at, blown.servers);
  }));
