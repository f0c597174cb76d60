// A way to a server that can be cut: connections are passed on byte by byte, and reset on demand.

import { connect, createServer } from 'node:net';

/** An address that leads to the server until its connections are cut. @param {number} port @param {string} [host] */
export async function detour(port, host = '127.0.0.1') {
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set();
  const between = createServer((near) => {
    const far = connect(port, host);
    near.pipe(far).pipe(near);
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
    close: () => {
      sockets.forEach((socket) => socket.destroy());
      between.close();
    },
  };
}
