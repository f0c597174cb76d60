// The scene of docs/journey.md: the server of examples/members.rs, a way to it that can be cut, and what travellers set out with.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binary, built } from '../../../test/server.mjs';
import { detour } from '../detour.mjs';

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

/** @param {(scene: Scene) => Promise<void>} body */
export async function withScene(body) {
  const program = binary();
  // Once: nobody is on the way while it is built.
  members ??= built('members', ['--package', 'worldshard', '--example', 'members']);
  const folder = mkdtempSync(join(tmpdir(), 'worldshard-journey-'));
  const [game, other] = ['game', 'other'].map((name) => {
    execFileSync(program, ['keygen', '--out', join(folder, name)]);
    return join(folder, name);
  });
  const token = (/** @type {string} */ key, /** @type {string} */ user, /** @type {number} */ ttl) =>
    execFileSync(program, ['token', '--key', `${key}.key`, '--user', user, '--ttl', String(ttl)], { encoding: 'utf8' }).trim();
  const { host, port, stop } = await serve(members, `${game}.pub`);
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

/** Starts the example at an address that no other program has: all of 127.0.0.0/8 is this machine's. @param {string} path @param {string} key */
async function serve(path, key) {
  const { pid } = process;
  const host = `127.${64 + ((pid >> 16) & 63)}.${(pid >> 8) & 255}.${pid & 255}`;
  const port = PORT + (scenes += 1);
  const child = spawn(path, [key], { stdio: 'inherit', env: { ...process.env, WORLDSHARD_BIND: `${host}:${port}` } });
  /** @type {Promise<number | null>} */
  const ended = new Promise((done) => child.once('close', done));
  const stop = () => {
    child.kill('SIGINT');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    return ended.finally(() => clearTimeout(timer));
  };
  const deadline = performance.now() + START_MS_MAX;
  while (!(await listens(host, port))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await stop();
      throw new Error(`nobody listens on ${host}:${port}`);
    }
    await new Promise((done) => setTimeout(done, 20));
  }
  return { host, port, stop };
}

/** @param {string} host @param {number} port @returns {Promise<boolean>} */
function listens(host, port) {
  return new Promise((answer) => {
    const socket = connect(port, host, () => {
      socket.destroy();
      answer(true);
    });
    socket.once('error', () => answer(false));
  });
}

let scenes = 0;
/** The example's path, once it is built. @type {string | undefined} */
let members;
const PORT = 8080;
const START_MS_MAX = 20_000;
const STOP_MS_MAX = 10_000;
