// A server that says what docs/wire.md and the client's README promise, in one file, without an engine: sessions, credentials,
// requests, resumption, and a world of four golden deltas. Serves files beside it, and breaks off, delays and refuses on demand.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

/**
 * @typedef {{respond: (data: unknown) => void, ack: () => void, reject: (code: string, msg: string) => void}} Answer
 *
 * @typedef {object} App what the server's application does
 * @property {(session: Session) => void} [opened]
 * @property {(session: Session, data: any) => void} [message]
 * @property {(session: Session, data: any, answer: Answer) => void} [request]
 * @property {(session: Session) => void} [closed]
 *
 * @typedef {object} Options
 * @property {App} [app]
 * @property {string} [credential] the token that is accepted; without one nobody has to prove anything
 * @property {boolean} [resume] whether sessions that stand in the world wait for their clients
 * @property {URL} [root] a folder whose files are served
 * @property {() => number} [delayMs] how long each message takes, either way; none overtakes another
 */

export class MockServer {
  /** @param {Options} [options] */
  constructor({ app = {}, credential, resume = false, root, delayMs = () => 0 } = {}) {
    this.app = app;
    this.credential = credential;
    this.resume = resume;
    this.root = root;
    this.delayMs = delayMs;
    /** Refuses every upgrade. @type {{status: number, headers?: Record<string, string>} | undefined} */
    this.refusal = undefined;
    /** Upgrades asked for: path with query, and the subprotocols offered. @type {{url: string, protocols: string[]}[]} */
    this.upgrades = [];
    /** @type {Set<Session>} those with a connection */
    this.sessions = new Set();
    /** @type {Map<string, Session>} by their tokens */
    this.resumable = new Map();
    this.sessionLast = 0;
    this.port = 0;
    this.sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => takes(offered) });
    this.server = createServer((request, response) => this.answer(request, response));
    this.server.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
  }

  /** @param {number} [port] @returns {Promise<string>} the address of the path with lanes */
  async start(port = this.port) {
    await new Promise((done) => this.server.listen(port, '127.0.0.1', () => done(undefined)));
    const address = this.server.address();
    this.port = typeof address === 'object' && address ? address.port : 0;
    return `ws://127.0.0.1:${this.port}/world`;
  }

  get origin() {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop() {
    this.cut();
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  /** Breaks all connections off, without a close frame. */
  cut() {
    for (const { socket } of this.sessions) socket.terminate();
    for (const socket of this.sockets.clients) socket.terminate();
  }

  /** @param {number} code @param {string} reason */
  close(code, reason) {
    for (const { socket } of this.sessions) socket.close(code, reason);
  }

  /** @param {unknown} data */
  say(data) {
    for (const session of this.sessions) session.say(data);
  }

  /** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
  async answer(request, response) {
    const asked = new URL(request.url ?? '/', this.origin).pathname;
    const path = asked.endsWith('/') ? `${asked}index.html` : asked;
    try {
      if (this.root === undefined || path.includes('..')) throw new Error('no files');
      const bytes = await readFile(new URL(`.${path}`, this.root));
      const ending = /** @type {keyof typeof TYPES} */ (path.split('.').at(-1));
      response.setHeader('content-type', TYPES[ending] ?? 'text/plain');
      response.end(bytes);
    } catch {
      response.statusCode = 404;
      response.end('no such file\n');
    }
  }

  /** @param {import('node:http').IncomingMessage} request @param {import('node:stream').Duplex} socket @param {Buffer} head */
  upgrade(request, socket, head) {
    const protocols = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim()).filter((one) => one !== '');
    this.upgrades.push({ url: request.url ?? '', protocols });
    const token = protocols.find((one) => one.startsWith(RESUME))?.slice(RESUME.length);
    /** @type {MockServer['refusal']} */
    const refusal = this.refusal ?? (token !== undefined && !this.resumable.has(token) ? { status: 410 } : undefined);
    if (refusal !== undefined) {
      const headers = Object.entries({ 'content-length': '0', connection: 'close', ...refusal.headers });
      socket.end(`HTTP/1.1 ${refusal.status} Refused\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
      return;
    }
    this.sockets.handleUpgrade(request, socket, head, (upgraded) => {
      // A client may break off while its connection is being made.
      upgraded.on('error', () => upgraded.terminate());
      if (token !== undefined) return this.goOn(token, upgraded);
      const shown = protocols.find((one) => one.startsWith(AUTH))?.slice(AUTH.length);
      const query = new URL(request.url ?? '/', this.origin).searchParams;
      const said = { user: query.get('user') ?? undefined, connect: JSON.parse(query.get('connect') ?? 'null') ?? undefined };
      const session = new Session(this, upgraded);
      if (this.credential === undefined || shown !== undefined) session.authenticate({ token: shown, ...said });
    });
  }

  /** @param {string} token @param {import('ws').WebSocket} socket */
  goOn(token, socket) {
    const session = /** @type {Session} */ (this.resumable.get(token));
    this.resumable.delete(token);
    session.socket.close(4001, 'the session goes on over another connection');
    session.attach(socket);
    session.generation += 1;
    session.open();
  }
}

export class Session {
  /** @param {MockServer} server @param {import('ws').WebSocket} socket */
  constructor(server, socket) {
    this.server = server;
    this.id = server.sessionLast += 1;
    this.generation = 0;
    this.opened = false;
    this.standing = false;
    this.ended = false;
    /** @type {string | undefined} */
    this.user = undefined;
    /** @type {unknown} */
    this.connect = undefined;
    /** Numbers of commands that were taken, in order. @type {number[]} */
    this.commands = [];
    /** Deltas sent over this connection. */
    this.deltas = 0;
    this.socket = socket;
    this.attach(socket);
  }

  /** @param {import('ws').WebSocket} socket */
  attach(socket) {
    this.socket = socket;
    this.deltas = 0;
    const inbound = inOrder(this.server.delayMs);
    this.outbound = inOrder(this.server.delayMs);
    socket.on('message', (data, isBinary) => inbound(() => {
      // What is on its way when its connection breaks off never arrives.
      if (this.socket !== socket || socket.readyState !== socket.OPEN) return;
      if (isBinary) this.takeBytes(/** @type {Buffer} */ (data));
      else this.takeText(JSON.parse(String(data)));
    }));
    socket.on('close', (code) => this.lost(socket, code));
  }

  /** @param {{token?: string, user?: string, connect?: unknown, env?: string}} shown */
  authenticate({ token, user, connect }) {
    if (this.server.credential !== undefined && token !== this.server.credential) {
      this.text('sys', 'error', { data: { code: 'AUTH_FAILED', msg: 'the credential is wrong' } });
      this.outbound?.(() => this.socket.close(1008, 'AUTH_FAILED: the credential is wrong'));
      return;
    }
    this.user = user;
    this.connect = connect;
    this.open();
  }

  open() {
    const { server } = this;
    this.opened = true;
    server.sessions.add(this);
    const resume = server.resume ? randomBytes(44).toString('hex') : undefined;
    if (resume !== undefined) server.resumable.set(resume, this);
    const resumed = this.generation > 0;
    this.text('sys', 'authed', { data: {
      session: this.id, user: this.user, tenant: 'default', trace: randomBytes(16).toString('hex'), connect: this.connect,
      layout: 1, tick: 99, tick_rate_hz: 20, shards: 1, home: 0, world: 'mock',
      space: { min: [-10, -10, 0], max: [10, 10, 1], metric: 'plane', cell_edge_m: 1 }, territories: [],
      interest: { radius_m: 5, hysteresis_m: 1, radius_max_m: 5 }, border_m: 7, components: [],
      entity: resumed && this.standing ? 1 : undefined,
      command_sequence: resumed ? Math.max(0, ...this.commands) : undefined, resume,
    } });
    if (resumed && this.standing) this.publish();
    if (!resumed) server.app.opened?.(this);
  }

  /** @param {import('ws').WebSocket} socket @param {number} code */
  lost(socket, code) {
    if (socket !== this.socket || this.ended) return;
    this.server.sessions.delete(this);
    const waits = this.server.resume && this.standing && code === 1006;
    if (waits) return;
    this.ended = true;
    for (const [token, session] of this.server.resumable) {
      if (session === this) this.server.resumable.delete(token);
    }
    if (this.opened) this.server.app.closed?.(this);
  }

  /** @param {{svc: string, type: string, seq?: number, data?: any}} envelope */
  takeText({ svc, type, seq, data }) {
    const { app } = this.server;
    if (!this.opened) {
      if (svc === 'sys' && type === 'auth') return this.authenticate(data);
      return this.socket.close(1008, 'AUTH_FAILED: the first message is no credential');
    }
    switch (`${svc}/${type}`) {
      case 'sys/ping':
        return this.text('sys', 'pong', { data });
      case 'app/message':
        return app.message?.(this, data);
      case 'app/request':
        return app.request?.(this, data, {
          respond: (answer) => this.text('app', 'response', { seq, data: answer }),
          ack: () => this.text('app', 'ack', { seq }),
          reject: (code, msg) => this.text('app', 'reject', { seq, data: { code, msg } }),
        });
      default:
        this.text('sys', 'error', { seq, data: { code: 'BAD_REQUEST', msg: `svc: nobody listens to ${svc}` } });
    }
  }

  /** @param {Buffer} bytes */
  takeBytes(bytes) {
    const [, svc, opcode, flags] = bytes;
    const seq = flags & 1 ? bytes.readUInt32LE(4) : undefined;
    const acknowledged = flags & 8 ? bytes.readUInt32LE(flags & 1 ? 8 : 4) : undefined;
    const payload = bytes.subarray(4 + (flags & 1 ? 4 : 0) + (flags & 8 ? 4 : 0));
    if (svc === 2) return this.takeWorld(opcode, seq, acknowledged);
    const { app } = this.server;
    if (opcode === 0) return app.message?.(this, new Uint8Array(payload));
    app.request?.(this, new Uint8Array(payload), {
      respond: (answer) => this.bytes(2, seq, /** @type {Uint8Array} */ (answer)),
      ack: () => this.bytes(3, seq),
      reject: (code, msg) => this.bytes(4, seq, Buffer.from(`${code}\0${msg}`)),
    });
  }

  /** @param {number} opcode @param {number | undefined} seq @param {number | undefined} acknowledged */
  takeWorld(opcode, seq, acknowledged) {
    if (opcode === 1) {
      this.standing = true;
      this.deltas = 0;
      this.text('world', 'joined', { data: { entity: 1, tick: 99 } });
      return this.publish();
    }
    if (opcode === 2) {
      this.standing = false;
      return this.text('world', 'left', {});
    }
    if (acknowledged === this.deltas) this.publish();
    if (seq !== undefined && seq > Math.max(0, ...this.commands)) this.commands.push(seq);
  }

  /** The next golden delta; nothing after the last one. */
  publish() {
    const payload = DELTAS[this.deltas];
    if (payload === undefined) return;
    this.deltas += 1;
    const header = Buffer.from([1, 2, 1, 1, this.deltas, 0, 0, 0]);
    this.send(Buffer.concat([header, payload]));
  }

  /** The application says something. @param {unknown} data */
  say(data) {
    if (data instanceof Uint8Array) this.bytes(0, undefined, data);
    else this.text('app', 'message', { data });
  }

  /** @param {string} svc @param {string} type @param {{seq?: number, data?: unknown}} parts */
  text(svc, type, { seq, data }) {
    this.send(JSON.stringify({ v: 1, svc, type, seq, data }));
  }

  /** @param {number} opcode @param {number | undefined} seq @param {Uint8Array} [payload] */
  bytes(opcode, seq, payload = new Uint8Array(0)) {
    const header = Buffer.alloc(seq === undefined ? 4 : 8);
    header.set([1, 3, opcode, seq === undefined ? 0 : 1]);
    if (seq !== undefined) header.writeUInt32LE(seq, 4);
    this.send(Buffer.concat([header, payload]));
  }

  /** @param {string | Buffer} frame */
  send(frame) {
    const { socket } = this;
    this.outbound?.(() => socket.readyState === socket.OPEN && socket.send(frame));
  }
}

/** Does one thing after another, each no sooner than its delay says. @param {() => number} delayMs */
function inOrder(delayMs) {
  let last = 0;
  /** @type {(() => void)[]} */
  const waiting = [];
  return (/** @type {() => void} */ deed) => {
    const now = performance.now();
    last = Math.max(last, now + delayMs());
    if (last <= now && waiting.length === 0) return deed();
    // Timers of the same moment may fire in another order than they were set in.
    waiting.push(deed);
    setTimeout(() => waiting.shift()?.(), Math.ceil(last - now));
  };
}

/** @param {Set<string>} offered */
function takes(offered) {
  const protocols = [...offered];
  return protocols.find((one) => one === 'worldshard.1') ?? protocols.find((one) => one.startsWith('worldshard.')) ?? false;
}

const golden = new URL('../../../protocol/golden/', import.meta.url);
const DELTAS = ['delta_1_full', 'delta_2_change', 'delta_3_empty', 'delta_4_replaces'].map((name) => readFileSync(new URL(`${name}.bin`, golden)));
const RESUME = 'worldshard.resume.';
const AUTH = 'worldshard.auth.';
const TYPES = { html: 'text/html', css: 'text/css', js: 'text/javascript', mjs: 'text/javascript' };
