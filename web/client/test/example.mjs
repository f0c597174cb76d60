// Starts one of the repository's examples, a server that listens where it is told, and ends it again.

import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { built } from '../../test/server.mjs';

/** The path of its program, which is built. @param {string} name */
export function example(name) {
  return built(name, ['--package', 'worldshard', '--example', name]);
}

/**
 * Runs it. It names no address, so it gets one that no other program has: all of 127.0.0.0/8 is this machine's.
 * @param {string} program
 * @param {string[]} [options]
 * @returns {Promise<{host: string, port: number, origin: string, stop: () => Promise<number | null>}>}
 */
export async function runExample(program, options = []) {
  const { pid, platform } = process;
  const host = platform === 'linux' ? `127.${64 + ((pid >> 16) & 63)}.${(pid >> 8) & 255}.${pid & 255}` : '127.0.0.1';
  const port = PORT + (started += 1);
  const child = spawn(program, options, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, WORLDSHARD_BIND: `${host}:${port}` } });
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
      throw new Error(`nobody listens on ${host}:${port}: ${program}`);
    }
    await new Promise((done) => setTimeout(done, 20));
  }
  return { host, port, origin: `http://${host}:${port}`, stop };
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

let started = 0;
const PORT = 8080;
const START_MS_MAX = 20_000;
const STOP_MS_MAX = 10_000;
