// The example at the top of README.md, word for word but for the address.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MockServer } from './mock-server.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

test('the ten lines join a world, see it, and end when the server does', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const example = String(/```js\n(.*?)```/s.exec(readme)?.[1]);
  assert.equal(example.trimEnd().split('\n').length, 10);
  const server = new MockServer();
  const url = await server.start();
  assert.ok(example.includes('ws://127.0.0.1:8080/world'));
  const script = example.replace('ws://127.0.0.1:8080/world', url);
  // Only node 20 needs to be told that it has a WebSocket.
  const flags = globalThis.WebSocket === undefined ? ['--experimental-websocket'] : process.execArgv.filter((flag) => flag.endsWith('-websocket'));
  const child = spawn(process.execPath, [...flags, '--input-type=module', '--eval', script], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((done) => child.once('close', done));
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
    if (said.includes('tick 106')) server.close(1001, 'draining');
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  assert.equal(await ended, 0, said);
  clearTimeout(timer);
  await server.stop();
  assert.deepEqual(said.trimEnd().split('\n'), [
    'I am 1', 'tick 100: I see 3', 'tick 101: I see 3', 'tick 105: I see 3', 'tick 106: I see 2', 'over',
  ]);
});
