// The scene of docs/journey.md: the server of examples/members.rs, a way to it that can be cut, and what travellers set out with.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binary } from '../../../test/server.mjs';
import { detour } from '../detour.mjs';
import { example, runExample } from '../example.mjs';

/**
 * @typedef {object} Baggage
 * @property {string} url the server's world
 * @property {string} detour the same by a way that can be cut
 * @property {string} forged a token of a key that the server does not know
 * @property {string} ann her token, good for longer than the journey
 * @property {string} bob his token, good for some seconds
 * @property {string} bobNext his next one, good for some seconds more
 *
 * @typedef {object} Scene
 * @property {() => Baggage | Promise<Baggage>} baggage for those who set out now
 * @property {() => void | Promise<void>} cut resets the connections of the detour
 * @property {() => void | Promise<void>} mute keeps back what the server says by them
 */

/** What the travellers are to tell. */
export const expected = String(/```text\n(.*?)```/s.exec(readFileSync(new URL('../../../../docs/journey.md', import.meta.url), 'utf8'))?.[1]);

/** What one is to tell whose server is not heard any more, and hears. */
export const silenced = 'connecting 1, opened, live, joined, disconnected, connecting 1, opened, resumed';

/** The example's path. Built before any test begins: a build takes as long as it takes, and tests have bounds. */
const members = process.env['WORLDSHARD_BIN'] ? example('members') : '';

/** @param {(scene: Scene) => Promise<void>} body */
export async function withScene(body) {
  const program = binary();
  const folder = mkdtempSync(join(tmpdir(), 'worldshard-journey-'));
  const [game, other] = ['game', 'other'].map((name) => {
    execFileSync(program, ['keygen', '--out', join(folder, name)]);
    return join(folder, name);
  });
  const token = (/** @type {string} */ key, /** @type {string} */ user, /** @type {number} */ ttl) =>
    execFileSync(program, ['token', '--key', `${key}.key`, '--user', user, '--ttl', String(ttl)], { encoding: 'utf8' }).trim();
  const { host, port, stop } = await runExample(members, [`${game}.pub`]);
  const way = await detour(port, host);
  try {
    await body({
      cut: way.cut,
      mute: way.mute,
      baggage: () => ({
        url: `ws://${host}:${port}/world`, detour: `ws://127.0.0.1:${way.port}/world`,
        forged: token(other, 'ann', 600), ann: token(game, 'ann', 600), bob: token(game, 'bob', 3), bobNext: token(game, 'bob', 6),
      }),
    });
  } finally {
    way.close();
    assert.equal(await stop(), 0, 'the server does not end well');
    rmSync(folder, { recursive: true, force: true });
  }
}
