// What README.md tells a reader to type: its commands and its snippet, word for word, and what it says comes of it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openBrowser, until } from './browser.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** The one part of README.md that `pattern` captures. @param {RegExp} pattern */
function told(pattern) {
  const found = [...readme.matchAll(pattern)];
  assert.equal(found.length, 1, `README.md has ${found.length} places like ${pattern}`);
  return String(found[0]?.[1]);
}

/** @type {Awaited<ReturnType<typeof openBrowser>>} */
let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

/**
 * Runs a command of README.md in its folder until `body` is done, then ends it as ctrl-c would.
 * @param {string} command
 * @param {(said: () => string) => Promise<void>} body
 */
async function running(command, body) {
  // A group of its own: ctrl-c reaches all of it, cargo and what cargo runs.
  const child = spawn('sh', ['-c', `exec ${command}`], { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((/** @type {(code: number | null) => void} */ done) => child.once('close', done));
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
  });
  try {
    await body(() => said);
    process.kill(-Number(child.pid), 'SIGINT');
    assert.equal(await ended, 0, `${command} did not end well by ctrl-c`);
  } finally {
    try {
      process.kill(-Number(child.pid), 'SIGKILL');
    } catch {
      // It has ended, as it should.
    }
  }
}

/** Waits for the first line. @param {() => string} said @param {number} timeoutMs */
async function spoken(said, timeoutMs) {
  const deadline = performance.now() + timeoutMs;
  while (!said().includes('\n')) {
    if (performance.now() > deadline) throw new Error(`it says ${JSON.stringify(said())}, and that is no line`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Asks until somebody answers. @param {string} url @param {number} timeoutMs */
async function answers(url, timeoutMs) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await fetch(url);
    } catch (error) {
      if (performance.now() > deadline) throw new Error(`nobody answers at ${url}: ${error}`);
      await new Promise((done) => setTimeout(done, 100));
    }
  }
}

test('the first command serves the page that it names', async () => {
  const command = told(/^\$ (cargo run --release .*)$/gm);
  const line = told(/^(worldshard: http:.*)$/gm);
  const address = String(/http:\S+/.exec(line)?.[0]);
  await running(command, async (said) => {
    await spoken(said, BUILD_MS_MAX);
    assert.equal(shape(said()), shape(`${line}\n`));
    // Who reads the line may go there.
    assert.equal((await fetch(address)).status, 200);
    const { page, faults } = await browser.open(address);
    await until(page, 'thousands of boids of two shards', ({ entities, ownersMoving }) => entities > 4000 && ownersMoving.length >= 2, 10_000);
    assert.deepEqual(faults, []);
    await page.close();
  });
});

/** The ready line without what depends on the machine. @param {string} line */
function shape(line) {
  return line.replace(/\d+ shards/, 'N shards').replace(/runtime .*/, 'runtime R');
}

test('the snippet, typed into the console of a tab at the example\'s address, hears its echo', async () => {
  const command = told(/`(cargo run -p worldshard --example echo)`/g);
  const address = told(/console of a tab at `(http:\S+)`/g);
  const snippet = told(/```js\n([^`]*)```/g);
  await running(command, async () => {
    await answers(address, BUILD_MS_MAX);
    // The application has no page there: the tab shows what a reader's would, and its console works all the same.
    const { page, faults } = await browser.open(address, /404/);
    const heard = page.waitForEvent('console', { predicate: (message) => message.type() === 'log', timeout: 10_000 });
    await page.evaluate(snippet);
    assert.equal((await heard).text(), 'hello');
    assert.deepEqual(faults, []);
    await page.close();
  });
});

/** A cold build of the release takes minutes on a small machine. */
const BUILD_MS_MAX = 900_000;
