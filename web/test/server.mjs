// Starts the real server for a test and ends it again. The binary is WORLDSHARD_BIN, or else built with cargo.

import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The path of the binary. */
export function binary() {
  return process.env['WORLDSHARD_BIN'] || built('worldshard', ['--bin', 'worldshard']);
}

/** Builds a program with cargo. @param {string} name @param {string[]} selection @returns {string} its path */
export function built(name, selection) {
  const build = spawnSync('cargo', ['build', '--quiet', ...selection, '--message-format', 'json'], {
    cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 2 ** 28,
  });
  const programs = build.stdout.split('\n').filter((line) => line.includes('"executable":"')).map((line) => JSON.parse(line));
  const path = programs.find(({ target }) => target.name === name)?.executable;
  if (build.status !== 0 || !path) throw new Error(`cargo did not build ${name}`);
  return path;
}

/**
 * Serves on loopback.
 * @param {string} path of the binary
 * @param {string[]} options of `serve`
 * @returns {Promise<{url: string, port: number, stop: () => Promise<number | null>}>}
 */
export function serve(path, options) {
  const child = spawn(path, ['serve', ...options], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } });
  const ended = new Promise((/** @type {(code: number | null) => void} */ done) => child.once('close', done));
  const stop = async () => {
    child.kill('SIGINT');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    const code = await ended;
    clearTimeout(timer);
    return code;
  };
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the server named no address within ${START_MS_MAX} ms; it said:\n${said}`));
    }, START_MS_MAX);
    const listen = (/** @type {Buffer} */ chunk) => {
      said += chunk;
      const port = /127\.0\.0\.1:(\d+)/.exec(said)?.[1];
      // Port 0 is what it was asked for, not what it got.
      if (!port || port === '0') return;
      clearTimeout(timer);
      resolve({ url: `http://127.0.0.1:${port}/`, port: Number(port), stop });
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.once('error', reject);
    void ended.then((code) => reject(new Error(`the server ended with ${code}; it said:\n${said}`)));
  });
}

const START_MS_MAX = 20_000;
const STOP_MS_MAX = 10_000;
