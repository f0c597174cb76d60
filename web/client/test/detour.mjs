// A way to a server that can be cut: connections are passed on byte by byte, reset or kept back on demand.

import { connect, createServer } from 'node:net';

/** An address that leads to the server until its connections are cut. @param {number} port @param {string} [host] */
export async function detour(port, host = '127.0.0.1') {
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set();
  /** What comes back. @type {Set<() => void>} */
  const mutes = new Set();
  const between = createServer((near) => {
    const far = connect(port, host);
    near.pipe(far).pipe(near);
    const mute = () => void far.unpipe(near).resume();
    mutes.add(mute);
    near.on('close', () => mutes.delete(mute));
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => sockets.delete(socket));
    }
  });
  await new Promise((done) => between.listen(0, '127.0.0.1', () => done(undefined)));
  const address = between.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    cut: () => sockets.forEach((socket) => socket.resetAndDestroy()),
    mute: () => mutes.forEach((mute) => mute()),
    close: () => {
      sockets.forEach((socket) => socket.destroy());
      between.close();
    },
  };
}
