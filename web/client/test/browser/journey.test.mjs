// The journey of docs/journey.md in a headless browser, and a server that falls silent.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBrowser } from '../../../test/browser.mjs';
import { expected, silenced, withScene } from '../journey/scene.mjs';
import { MockServer } from '../mock-server.mjs';

const real = { skip: !process.env['WORLDSHARD_BIN'] && 'WORLDSHARD_BIN is not set', timeout: 60_000 };

for (const [name, what, told] of [
  ['travel', 'goes through the journey of the document', expected],
  ['fallSilent', 'resumes a session whose server fell silent', silenced],
]) {
  test(`the TypeScript client ${what} in a page`, real, () =>
    withScene(async (scene) => {
      // For its files alone.
      const files = new MockServer({ root: new URL('../../', import.meta.url) });
      await files.start();
      const browser = await openBrowser();
      try {
        const { page, faults } = await browser.open(`${files.origin}/test/browser/page.html`);
        for (const [key, value] of Object.entries(scene)) await page.exposeFunction(key, value);
        const heard = await page.evaluate(async ([path, name]) => (await import(path))[name](window), ['/test/journey/travel.mjs', name]);
        assert.equal(heard, told);
        assert.deepEqual(faults, []);
      } finally {
        await browser.close();
        await files.stop();
      }
    }));
}
