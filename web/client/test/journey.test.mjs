// The journey of docs/journey.md in node, with the WebSocket of the package `ws` and with node's own.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { expected, withScene } from './journey/scene.mjs';
import { travel } from './journey/travel.mjs';

const real = { skip: !process.env['WORLDSHARD_BIN'] && 'WORLDSHARD_BIN is not set', timeout: 60_000 };

// Most of a journey is waiting.
describe('the TypeScript client goes through the journey of the document', { concurrency: true }, () => {
  test('with the WebSocket of ws', real, () =>
    withScene(async (scene) => assert.equal(await travel(scene, { webSocket: WebSocket }), expected)));

  test("with node's own", { ...real, skip: real.skip || (globalThis.WebSocket === undefined && 'node has none') }, () =>
    withScene(async (scene) => assert.equal(await travel(scene), expected)));
});
