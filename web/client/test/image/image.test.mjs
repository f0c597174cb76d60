// An image of deploy/Containerfile, which WORLDSHARD_IMAGE names, run by the command line in WORLDSHARD_RUN: that it starts as
// docs/operations.md says and serves what the command serves.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { serve } from '../../../test/server.mjs';

const image = process.env['WORLDSHARD_IMAGE'] ?? '';
const run = (process.env['WORLDSHARD_RUN'] ?? '').trim().split(/\s+/);
const folder = mkdtempSync(join(tmpdir(), 'worldshard-image-'));
after(() => rmSync(folder, { recursive: true, force: true }));
before(() => assert.ok(image && run.length > 1, 'WORLDSHARD_IMAGE and WORLDSHARD_RUN say what to run'));

/** A program that is the image run with more flags. @param {string} name @param {string[]} flags */
function program(name, flags) {
  const path = join(folder, name);
  const words = [...run, ...flags, image].map((word) => `'${word}'`).join(' ');
  writeFileSync(path, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
  return path;
}

/** The profile of containers with what docs/seccomp.json adds. */
function profileWithIoUring() {
  const ofContainers = JSON.parse(readFileSync(process.env['WORLDSHARD_SECCOMP'] ?? '/usr/share/containers/seccomp.json', 'utf8'));
  const added = JSON.parse(readFileSync(new URL('../../../../docs/seccomp.json', import.meta.url), 'utf8'));
  const path = join(folder, 'with-io-uring.json');
  writeFileSync(path, JSON.stringify({ ...ofContainers, syscalls: [...ofContainers.syscalls, ...added.syscalls] }));
  return path;
}

/** @param {number} port @param {string} path */
async function get(port, path) {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: answer.status, body: await answer.text() };
}

/** @param {number} port @returns {Promise<WebSocket>} */
async function connected(port) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { perMessageDeflate: false });
  await new Promise((open, fail) => socket.once('open', open).once('error', fail));
  return socket;
}

/** What comes next. @param {WebSocket} socket @returns {Promise<{data: Buffer, binary: boolean}>} */
const heard = (socket) =>
  new Promise((done, fail) => {
    const closed = (/** @type {number} */ code, /** @type {Buffer} */ reason) => fail(new Error(`closed: ${code} ${reason}`));
    socket.once('close', closed);
    socket.once('message', (data, binary) => {
      socket.off('close', closed);
      done({ data: /** @type {Buffer} */ (data), binary });
    });
  });

/** @param {WebSocket} socket @param {Buffer} data @param {boolean} binary @param {number} parts */
async function echoes(socket, data, binary, parts) {
  const answer = heard(socket);
  const step = Math.ceil(data.length / parts) || 1;
  for (let part = 0; part < parts; part += 1) {
    socket.send(data.subarray(part * step, (part + 1) * step), { binary, fin: part === parts - 1 });
  }
  const back = await answer;
  assert.equal(back.binary, binary);
  assert.ok(back.data.equals(data), `${data.length} bytes in ${parts} parts came back otherwise`);
}

/** @param {string} path of the program @param {string[]} options @param {(port: number) => Promise<void>} body */
async function serving(path, options, body) {
  const server = await serve(path, ['--bind', '127.0.0.1:0', ...options]);
  try {
    await body(server.port);
  } finally {
    assert.equal(await server.stop(), 0);
  }
}

test('the image echoes every length, in parts too, and answers each ping once', { timeout: 120_000 }, async () => {
  await serving(program('echo', ['--read-only']), ['--app', 'echo', '--shards', '2'], async (port) => {
    const socket = await connected(port);
    for (const binary of [false, true]) {
      for (const length of [0, 1, 125, 126, 65_535, 65_536]) {
        await echoes(socket, Buffer.alloc(length, 'x'), binary, 1);
      }
      await echoes(socket, Buffer.alloc(70_000, 'y'), binary, 3);
    }
    /** @type {string[]} */
    const pongs = [];
    socket.on('pong', (data) => pongs.push(data.toString()));
    socket.ping('one');
    socket.ping('two');
    // What is echoed after them comes after their pongs.
    await echoes(socket, Buffer.from('after'), false, 1);
    assert.deepEqual(pongs, ['one', 'two']);
    socket.terminate();
    const health = await get(port, '/healthz');
    assert.equal(health.status, 200, health.body);
    assert.equal((await get(port, '/readyz')).status, 200);
  });
});

test('as it comes, the image serves its port, writes its folder alone, and a stop drains it', { timeout: 120_000 }, async () => {
  const name = `worldshard-image-${process.pid}`;
  const words = [...run, '--read-only', '--name', name, '--detach', image];
  execFileSync(words[0], words.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] });
  const [command, ...flags] = run.slice(0, run.indexOf('run'));
  try {
    const until = Date.now() + 60_000;
    let ready = 0;
    while (ready !== 200) {
      assert.ok(Date.now() < until, 'not ready within a minute');
      ready = await get(8080, '/readyz').then(({ status }) => status, () => 0);
    }
    const socket = new WebSocket('ws://127.0.0.1:8080/world');
    const gone = new Promise((done) => socket.once('close', (code, reason) => done([code, reason.toString() !== ''])));
    await heard(socket);
    const stopped = spawnSync(command, [...flags, 'stop', '--time', '60', name], { encoding: 'utf8' });
    assert.equal(stopped.status, 0, stopped.stderr);
    assert.deepEqual(await gone, [1001, true]);
  } finally {
    spawnSync(command, [...flags, 'rm', '--force', name]);
  }
});

test('glommio runs under the profile with what docs/seccomp.json adds, and is refused by name without', { timeout: 120_000 }, async (t) => {
  // A machine may allow less.
  const bytes = process.env['WORLDSHARD_MEMLOCK'] ?? '67108864';
  const memory = ['--ulimit', `memlock=${bytes}:${bytes}`];
  const without = spawnSync(program('plain', memory), ['serve', '--bind', '127.0.0.1:0', '--runtime', 'glommio'], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.notEqual(without.status, 0);
  assert.match(without.stderr, /io_uring/);
  const profile = ['--security-opt', `seccomp=${profileWithIoUring()}`];
  if (process.env['WORLDSHARD_EMULATED']) return t.skip('the emulator has no io_uring');
  await serving(program('with', [...memory, ...profile]), ['--runtime', 'glommio', '--app', 'echo'], async (port) => {
    const status = await get(port, '/status');
    assert.match(status.body, /glommio/);
    const socket = await connected(port);
    await echoes(socket, Buffer.from('over io_uring'), false, 1);
    socket.terminate();
  });
});
