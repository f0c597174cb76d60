// The Rust client, compiled to wasm32, in node and in a headless browser: docs/journey.md, and where the
// platform's socket and clock matter.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { openBrowser } from '../../web/test/browser.mjs';
import { expected, silenced, withScene } from '../../web/client/test/journey/scene.mjs';
import { MockServer } from '../../web/client/test/mock-server.mjs';
import { fallSilent, travel, tryInVain } from './travel.mjs';

const NAME = 'pkg/worldshard_client_wasm_bg.wasm';
const wasm = readFileSync(new URL(NAME, import.meta.url));
const bounded = { timeout: 60_000 };
const refused = 'connecting 1, disconnected, connecting 2, disconnected, dead AttemptsSpent';

/** @typedef {Awaited<ReturnType<Awaited<ReturnType<typeof openBrowser>>['open']>>['page']} Page */
/** @typedef {import('../../web/client/test/journey/scene.mjs').Scene} Scene */

/** @param {(page: Page, origin: string) => Promise<void>} body @param {RegExp} [expectedFaults] */
async function withPage(body, expectedFaults) {
  // For its files alone: it refuses all upgrades.
  const files = new MockServer({ root: new URL('./', import.meta.url) });
  files.refusal = { status: 404 };
  await files.start();
  const browser = await openBrowser();
  try {
    const { page, faults } = await browser.open(`${files.origin}/page.html`, expectedFaults);
    await body(page, files.origin);
    assert.deepEqual(faults, []);
  } finally {
    await browser.close();
    await files.stop();
  }
}

/** Calls a function of travel.mjs there. @param {Page} page @param {string} name @param {Scene | string} given */
async function inPage(page, name, given) {
  if (typeof given === 'object') {
    for (const [key, value] of Object.entries(given)) await page.exposeFunction(key, value);
  }
  return page.evaluate(async ({ name, module, wasm, url }) => {
    const bytes = await (await fetch(wasm)).arrayBuffer();
    return (await import(module))[name](bytes, url ?? window);
  }, { name, module: '/travel.mjs', wasm: NAME, url: typeof given === 'string' ? given : undefined });
}

// Most of a journey is waiting.
describe('the Rust client compiled to wasm32', { concurrency: true }, () => {
  test('goes through the journey of the document in node', bounded, () =>
    withScene(async (scene) => assert.equal(await travel(wasm, scene), expected)));

  test('goes through the journey of the document in a page', bounded, () =>
    withScene((scene) => withPage(async (page) => assert.equal(await inPage(page, 'travel', scene), expected))));

  test('resumes a session whose server fell silent, in node', bounded, () =>
    withScene(async (scene) => assert.equal(await fallSilent(wasm, scene), silenced)));

  test('resumes a session whose server fell silent, in a page', bounded, () =>
    withScene((scene) => withPage(async (page) => assert.equal(await inPage(page, 'fallSilent', scene), silenced))));

  test('is told of a refused upgrade at once, and tries again in time, in node', bounded, async () => {
    const server = new MockServer();
    server.refusal = { status: 404 };
    try {
      assert.equal(await tryInVain(wasm, await server.start()), refused);
    } finally {
      await server.stop();
    }
  });

  test('is told of a refused upgrade at once, and tries again in time, in a page', bounded, () =>
    withPage(async (page, origin) => assert.equal(await inPage(page, 'tryInVain', `${origin}/world`.replace('http', 'ws')), refused), /WebSocket connection/));
});
