// Starts one of the repository's examples, a server that listens where it is told, and ends it again.

import { spawn, spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/**
 * Builds and runs it. It names no address, so it gets one of this process's own: all of 127.0.0.0/8 is this machine's.
 * @param {string} name
 * @returns {Promise<{host: string, port: number, origin: string, stop: () => Promise<number | null>}>}
 */
export async function runExample(name) {
  const [high, low] = [(process.pid >> 8) & 255, process.pid & 255];
  const [host, port] = process.platform === 'linux' ? [`127.${64 + (process.pid >> 16) % 64}.${high}.${low}`, 8081] : ['127.0.0.1', 8081];
  const child = spawn(build(name), { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, WORLDSHARD_BIND: `${host}:${port}` } });
  const ended = new Promise((/** @type {(code: number | null) => void} */ done) => child.once('close', done));
  const stop = async () => {
    child.kill('SIGINT');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    const code = await ended;
    clearTimeout(timer);
    return code;
  };
  const deadline = performance.now() + START_MS_MAX;
  while (!(await listens(host, port))) {
    if (child.exitCode !== null) throw new Error(`the example ${name} ended with ${child.exitCode}`);
    if (performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`the example ${name} did not listen within ${START_MS_MAX} ms`);
    }
    await new Promise((done) => setTimeout(done, 20));
  }
  return { host, port, origin: `http://${host}:${port}`, stop };
}

/** The path of its program. @param {string} name */
function build(name) {
  const cargo = ['build', '--quiet', '--package', 'worldshard', '--example', name, '--message-format', 'json'];
  const { status, stdout } = spawnSync('cargo', cargo, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 2 ** 28 });
  const built = stdout.split('\n').filter((line) => line.includes('"executable":"')).map((line) => JSON.parse(line));
  const path = built.find(({ target }) => target.name === name)?.executable;
  if (status !== 0 || !path) throw new Error(`cargo did not build the example ${name}`);
  return path;
}

/** @param {string} host @param {number} port @returns {Promise<boolean>} */
function listens(host, port) {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

const START_MS_MAX = 20_000;
const STOP_MS_MAX = 10_000;
