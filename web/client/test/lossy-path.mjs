// A path to a server over which everything takes long, and some of it longer: what is lost is sent again, and what is behind it
// waits, as on TCP. Connections can be cut. Never looks at what it carries.

import { connect, createServer } from 'node:net';

/**
 * @param {{host: string, port: number}} server
 * @param {() => number} chance from 0 to 1
 */
export async function lossyPath({ host, port }, chance) {
  const carried = { segments: 0, lost: 0 };
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set();

  const delayMs = () => {
    carried.segments += 1;
    if (chance() >= LOSS) return ONE_WAY_MS;
    carried.lost += 1;
    return ONE_WAY_MS + 200 + 200 * chance();
  };

  /** @param {import('node:net').Socket} from @param {import('node:net').Socket} to */
  const carry = (from, to) => {
    let last = 0;
    /** Each timer takes the first, so that nothing overtakes. @type {(() => void)[]} */
    const waiting = [];
    const later = (/** @type {() => void} */ what, /** @type {number} */ ms) => {
      last = Math.max(last, performance.now() + ms);
      waiting.push(what);
      setTimeout(() => waiting.shift()?.(), Math.ceil(last - performance.now()));
    };
    from.on('data', (bytes) => later(() => to.writable && to.write(bytes), delayMs()));
    from.on('end', () => later(() => to.end(), ONE_WAY_MS));
  };

  const between = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    const far = connect({ host, port, noDelay: true, allowHalfOpen: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        (socket === near ? far : near).destroy();
      });
    }
    carry(near, far);
    carry(far, near);
  });
  await new Promise((done) => between.listen(0, '127.0.0.1', () => done(undefined)));
  const address = between.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    carried,
    /** Breaks all connections, with what is on its way. */
    cut: () => sockets.forEach((socket) => socket.destroy()),
    close: () => {
      sockets.forEach((socket) => socket.destroy());
      between.close();
    },
  };
}

/** From one end to the other. */
export const ONE_WAY_MS = 100;
/** How much is lost, of all segments. */
const LOSS = 0.02;
