// The journey of docs/journey.md in a headless browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBrowser } from '../../../test/browser.mjs';
import { expected, withScene } from '../journey/scene.mjs';
import { MockServer } from '../mock-server.mjs';

const real = { skip: !process.env['WORLDSHARD_BIN'] && 'WORLDSHARD_BIN is not set', timeout: 60_000 };

test('the TypeScript client goes through the journey of the document in a page', real, () =>
  withScene(async ({ baggage, cut }) => {
    // For its files alone.
    const files = new MockServer({ root: new URL('../../', import.meta.url) });
    await files.start();
    const browser = await openBrowser();
    try {
      const { page, faults } = await browser.open(`${files.origin}/test/browser/page.html`);
      await page.exposeFunction('baggage', baggage);
      await page.exposeFunction('cut', cut);
      const told = await page.evaluate(async (path) => (await import(path)).travel(window), '/test/journey/travel.mjs');
      assert.equal(told, expected);
      assert.deepEqual(faults, []);
    } finally {
      await browser.close();
      await files.stop();
    }
  }));
