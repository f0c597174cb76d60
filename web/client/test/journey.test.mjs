// The journey of docs/journey.md in node, with the WebSocket of the package `ws` and with node's own; and a server that falls silent.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { expected, silenced, withScene } from './journey/scene.mjs';
import { fallSilent, travel } from './journey/travel.mjs';

const real = { skip: !process.env['WORLDSHARD_BIN'] && 'WORLDSHARD_BIN is not set', timeout: 60_000 };
const own = { ...real, skip: real.skip || (globalThis.WebSocket === undefined && 'node has none') };

// Most of a journey is waiting.
describe('the TypeScript client', { concurrency: true }, () => {
  for (const [name, bounded, options] of /** @type {const} */ ([['of ws', real, { webSocket: WebSocket }], ['of node', own, {}]])) {
    test(`goes through the journey of the document with the WebSocket ${name}`, bounded, () =>
      withScene(async (scene) => assert.equal(await travel(scene, options), expected)));

    test(`resumes a session whose server fell silent with the WebSocket ${name}`, bounded, () =>
      withScene(async (scene) => assert.equal(await fallSilent(scene, options), silenced)));
  }
});
