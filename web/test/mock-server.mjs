// A server of a small made-up world, in one file: what the page needs to be tried without the engine, and the only
// one that lies on demand. Speaks the wire as docs/wire.md has it; checks nothing it is told.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const TYPES = { html: 'text/html', css: 'text/css', js: 'text/javascript' };
const FULL = 1;

/**
 * @typedef {{metric?: 'plane' | 'flat' | 'solid', entities?: number, shards?: number, extent?: number, port?: number, layout?: number}} Options
 * @typedef {{id: number, at: number[], velocity: number[], owner: number}} Entity
 */

export class MockServer {
  /** @param {Options} [options] */
  constructor({ metric = 'plane', entities = 2000, shards = 2, extent = 1000, port = 0, layout = 1 } = {}) {
    this.options = { metric, entities, shards, extent, port, layout };
    this.tick = 0;
    this.handoffs = 0;
    /** @type {Set<Client>} */
    this.clients = new Set();
    const random = randomFrom(7);
    const axes = metric === 'plane' ? [1, 1, 0] : metric === 'flat' ? [1, 0, 1] : [1, 1, 1];
    this.axes = axes;
    /** @type {Entity[]} */
    this.entities = Array.from({ length: entities }, (_, index) => ({
      id: index + 1,
      at: axes.map((on) => on * random() * extent),
      velocity: axes.map((on) => on * (random() - 0.5) * 30),
      owner: 0,
    }));
    this.entities.forEach((entity) => this.place(entity));
    this.server = createServer((request, response) => this.answer(request, response));
    this.server.on('upgrade', (request, socket) => this.upgrade(request, socket));
  }

  /** @returns {Promise<string>} its address, as a URL */
  async start() {
    await new Promise((done) => this.server.listen(this.options.port, '127.0.0.1', () => done(undefined)));
    const address = this.server.address();
    this.options.port = typeof address === 'object' && address ? address.port : 0;
    this.timer = setInterval(() => this.step(), 50);
    return `http://127.0.0.1:${this.options.port}/`;
  }

  async stop() {
    clearInterval(this.timer);
    for (const client of this.clients) client.socket.destroy();
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  /** @param {Entity} entity */
  place(entity) {
    const { extent, shards } = this.options;
    const owner = Math.min(shards - 1, Math.floor((Number(entity.at[0]) / extent) * shards));
    if (owner !== entity.owner && this.tick > 0) this.handoffs += 1;
    entity.owner = owner;
  }

  step() {
    this.tick += 1;
    for (const entity of this.entities) {
      entity.at.forEach((at, axis) => {
        const next = at + Number(entity.velocity[axis]) * 0.05;
        if (next < 0 || next > this.options.extent) entity.velocity[axis] = -Number(entity.velocity[axis]);
        else entity.at[axis] = next;
      });
      this.place(entity);
    }
    for (const client of this.clients) client.publish();
  }

  /** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
  async answer(request, response) {
    const path = request.url ?? '/';
    if (path === '/status') {
      const shards = Array.from({ length: this.options.shards }, (_, shard) => ({
        shard,
        tick: this.tick,
        step_us: 400 + 150 * Math.sin(this.tick / 20 + shard) + 60 * Math.random(),
        world: {
          entities: this.entities.filter(({ owner }) => owner === shard).length,
          ghosts: 40 + shard,
          handoffs_in: Math.floor(this.handoffs / this.options.shards),
        },
      }));
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ tick: this.tick, shards }));
      return;
    }
    const file = path === '/' ? '/page/index.html' : path;
    try {
      const bytes = await readFile(new URL(`..${file}`, import.meta.url));
      const ending = /** @type {keyof typeof TYPES} */ (file.split('.').at(-1));
      response.setHeader('content-type', TYPES[ending] ?? 'text/plain');
      response.end(bytes);
    } catch {
      response.statusCode = 404;
      response.end('no such file\n');
    }
  }

  /** @param {import('node:http').IncomingMessage} request @param {import('node:stream').Duplex} socket */
  upgrade(request, socket) {
    const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}${MAGIC}`).digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    const client = new Client(this, socket);
    this.clients.add(client);
    client.greet();
  }
}

class Client {
  /** @param {MockServer} server @param {import('node:stream').Duplex} socket */
  constructor(server, socket) {
    this.server = server;
    this.socket = socket;
    /** @type {Buffer} */
    this.unread = Buffer.alloc(0);
    /** @type {Entity | undefined} */
    this.me = undefined;
    this.overview = 0;
    this.radius = 100;
    this.sequence = 0;
    this.acknowledged = 0;
    this.baseTick = 0;
    /** @type {Set<number>} */
    this.known = new Set();
    /** Sends one delta that cannot be read. */
    this.lie = false;
    socket.on('data', (bytes) => this.read(bytes));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      server.clients.delete(this);
      this.leave();
    });
  }

  greet() {
    const { shards, extent, metric, layout } = this.server.options;
    const max = this.server.axes.map((on) => on * extent);
    const edge = extent / shards;
    const territories = Array.from({ length: shards }, (_, shard) => ({
      shard, min: [shard * edge, 0, 0], max: [(shard + 1) * edge, max[1], max[2]],
    }));
    this.text({ v: 1, svc: 'sys', type: 'authed', data: {
      session: 1, layout, tick: this.server.tick, tick_rate_hz: 20, shards, home: 0, world: 'mock',
      space: { min: [0, 0, 0], max, metric, cell_edge_m: extent / 50 }, territories,
      interest: { radius_m: extent / 10, hysteresis_m: extent / 100, radius_max_m: extent / 5 },
      border_m: extent / 5 + extent / 90, components: [],
    } });
  }

  /** @param {Buffer} bytes */
  read(bytes) {
    this.unread = Buffer.concat([this.unread, bytes]);
    while (this.unread.length >= 6) {
      const short = Number(this.unread[1]) & 127;
      if (short > 125) return void this.socket.destroy();
      if (this.unread.length < 6 + short) return;
      const mask = this.unread.subarray(2, 6);
      const payload = this.unread.subarray(6, 6 + short).map((byte, index) => byte ^ Number(mask[index % 4]));
      const opcode = Number(this.unread[0]) & 15;
      this.unread = this.unread.subarray(6 + short);
      if (opcode === 8) return void this.socket.end();
      if (opcode === 2) this.take(Buffer.from(payload));
    }
  }

  /** @param {Buffer} message */
  take(message) {
    const flags = Number(message[3]);
    let at = 4 + (flags & 1 ? 4 : 0);
    if (flags & 8) {
      this.acknowledged = message.readUInt32LE(at);
      at += 4;
    }
    const payload = message.subarray(at);
    const point = (/** @type {number} */ from) => [0, 4, 8].map((axis) => payload.readFloatLE(from + axis));
    switch (message[2]) {
      case 1: {
        const at = Number(payload[1]) & 1 ? point(2) : undefined;
        return this.join(Number(payload[0]), at, payload.subarray(at ? 14 : 2));
      }
      case 2:
        this.leave();
        return this.text({ v: 1, svc: 'world', type: 'left' });
      case 3:
        if (this.me) this.me.velocity = point(0).map((axis) => axis * 20);
        return;
      case 4: case 5:
        if (this.me) this.me.at = point(0);
        return;
      case 6:
        return this.wish(payload);
      case 8: this.overview = Number(payload[0]);
    }
  }

  /** @param {number} mode @param {number[] | undefined} at @param {Buffer} wish */
  join(mode, at, wish) {
    const { server } = this;
    this.wish(wish);
    const middle = server.axes.map((on) => (on * server.options.extent) / 2);
    this.me = { id: 1_000_000, at: at ?? middle, velocity: [0, 0, 0], owner: 0 };
    server.place(this.me);
    if (mode === 0) server.entities.push(this.me);
    this.known.clear();
    this.sequence = 0;
    this.acknowledged = 0;
    this.text({ v: 1, svc: 'world', type: 'joined', data: { entity: mode === 0 ? this.me.id : null, tick: server.tick } });
  }

  /** @param {Buffer} wish */
  wish(wish) {
    if (wish[0] === 1) this.radius = wish.readFloatLE(1);
  }

  leave() {
    this.server.entities = this.server.entities.filter((entity) => entity !== this.me);
    this.me = undefined;
  }

  publish() {
    if (this.me && this.sequence - this.acknowledged < 4) this.publishDelta(this.me.at);
    if (this.overview & 1 && this.server.tick % 2 === 0) {
      for (let shard = 0; shard < this.server.options.shards; shard += 1) this.publishOverview(shard);
    }
  }

  /** @param {number[]} centre */
  publishDelta(centre) {
    const near = this.server.entities.filter(({ at }) => Math.hypot(...at.map((v, i) => v - Number(centre[i]))) <= this.radius);
    near.sort((one, other) => one.id - other.id);
    const full = this.sequence === 0;
    const entered = near.filter(({ id }) => !this.known.has(id));
    const changed = near.filter(({ id }) => this.known.has(id));
    const present = new Set(near.map(({ id }) => id));
    const left = [...this.known].filter((id) => !present.has(id)).sort((one, other) => one - other);
    this.known = present;
    const lists = [entered.map(record), changed.map(record), left.map(id64), [], []];
    const root = Buffer.alloc(24);
    root.writeBigUInt64LE(BigInt(this.server.tick), 0);
    root.writeBigUInt64LE(BigInt(full ? 0 : this.baseTick), 8);
    root[20] = full ? FULL : 0;
    this.baseTick = this.server.tick;
    this.sequence += 1;
    const header = Buffer.from([1, 2, 1, 1, 0, 0, 0, 0]);
    header.writeUInt32LE(this.sequence, 4);
    const bytes = Buffer.concat([header, archive(lists, root)]);
    if (this.lie) bytes[bytes.length - 8] ^= 0x55;
    this.lie = false;
    this.binary(bytes);
  }

  /** @param {number} shard */
  publishOverview(shard) {
    const edge = this.server.options.extent / this.server.options.shards;
    const own = this.server.entities.filter(({ owner }) => owner === shard);
    const near = this.overview & 2 ? this.server.entities.filter(({ owner, at }) =>
      owner !== shard && Math.abs(Number(at[0]) / edge - shard - 0.5) < 0.7) : [];
    const root = Buffer.alloc(14);
    root.writeBigUInt64LE(BigInt(this.server.tick), 0);
    root.writeUInt16LE(shard, 8);
    root.writeUInt32LE(own.length, 10);
    this.binary(Buffer.concat([Buffer.from([1, 2, 2, 0]), archive([own.map(dot), near.map(dot)], root)]));
  }

  /** @param {object} value */
  text(value) {
    this.frame(1, Buffer.from(JSON.stringify(value)));
  }

  /** @param {Buffer} bytes */
  binary(bytes) {
    this.frame(2, bytes);
  }

  /** @param {number} opcode @param {Buffer} payload */
  frame(opcode, payload) {
    const header = Buffer.alloc(10);
    header[0] = 0x80 | opcode;
    header[1] = 127;
    header.writeBigUInt64BE(BigInt(payload.length), 2);
    const short = payload.length < 126 ? Buffer.from([0x80 | opcode, payload.length]) : undefined;
    const middle = payload.length < 65536 ? Buffer.from([0x80 | opcode, 126, payload.length >> 8, payload.length & 255]) : undefined;
    if (!this.socket.destroyed) this.socket.write(Buffer.concat([short ?? middle ?? header, payload]));
  }
}

/** Lists, then the fixed part with a relative pointer and a count for each. @param {Buffer[][]} lists @param {Buffer} root */
function archive(lists, root) {
  const bodies = lists.map((list) => Buffer.concat(list));
  let start = 0;
  let field = bodies.reduce((sum, body) => sum + body.length, 0) + root.length;
  const pointers = bodies.map((body, index) => {
    const pointer = Buffer.alloc(8);
    pointer.writeInt32LE(start - field, 0);
    pointer.writeUInt32LE(lists[index]?.length ?? 0, 4);
    start += body.length;
    field += 8;
    return pointer;
  });
  return Buffer.concat([...bodies, root, ...pointers]);
}

/** @param {number} id */
function id64(id) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(id));
  return bytes;
}

/** @param {number[]} at */
function floats(at) {
  const bytes = Buffer.alloc(12);
  at.forEach((axis, index) => bytes.writeFloatLE(axis, index * 4));
  return bytes;
}

/** @param {Entity} entity */
function record({ id, at, velocity }) {
  const heading = Math.round((Math.atan2(Number(velocity[1]) || Number(velocity[2]), Number(velocity[0])) / (2 * Math.PI)) * 256) & 255;
  return Buffer.concat([id64(id), floats(at), Buffer.from([0, heading, 0, 0])]);
}

/** @param {Entity} entity */
function dot({ id, at, owner }) {
  return Buffer.concat([id64(id), floats(at), Buffer.from([owner & 255, owner >> 8, 0, 0])]);
}

/** @param {number} seed */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
