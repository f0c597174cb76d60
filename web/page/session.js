// What the page and the server say to each other: greeting, join, deltas and their acknowledgements, overviews.
// Owns all that the page knows of the world; never draws and never touches the document.

import {
  encodeMessage, readGreeting, readHotHeader, readOverview, SERVER_OPCODE, View, WORLD_SVC,
} from '../reader/worldshard-reader.js';
import { Connection } from './connection.js';
import { Dots } from './dots.js';
import { Space } from './space.js';

/** @typedef {import('./space.js').Triple} Triple */
/** @typedef {import('../reader/worldshard-reader.js').ClientMessage} ClientMessage */
/** @typedef {'avatar' | 'camera'} Mode */

/**
 * @typedef {object} Greeting
 * @property {number} layout
 * @property {number} tick
 * @property {number} tick_rate_hz
 * @property {number} shards
 * @property {number} home
 * @property {string} world
 * @property {{min: Triple, max: Triple, metric: string, cell_edge_m: number}} space
 * @property {{shard: number, min: Triple, max: Triple}[]} territories
 * @property {{radius_m: number, hysteresis_m: number, radius_max_m: number}} interest
 * @property {number} border_m
 * @property {number} [entity]
 * @property {number} [command_sequence] there when this connection goes on with the session of the one before
 * @property {string} [resume] what the next connection goes on by
 *
 * @typedef {{at: number, entered: number, changed: number, left: number, bytes: number}} Receipt one delta received
 */

export class Session {
  /** @param {string} url */
  constructor(url) {
    /** @type {Greeting | undefined} */
    this.greeting = undefined;
    /** @type {Space | undefined} */
    this.space = undefined;
    this.view = new View();
    this.dots = new Dots();
    /** @type {number | undefined} the avatar */
    this.entity = undefined;
    /** @type {Triple | undefined} where the camera is, in screen-minded axes */
    this.camera = undefined;
    /** @type {Mode} what the person asked for */
    this.mode = 'avatar';
    /** @type {'out' | 'joining' | 'in' | 'leaving'} how far the server is with it */
    this.standing = 'out';
    /** @type {Mode} what the server was asked for last */
    this.joinedMode = this.mode;
    this.ghosts = false;
    this.watching = true;
    this.radiusM = 0;
    /** When the last delta came, and how long until the next is expected; milliseconds. */
    this.deltaAt = 0;
    this.deltaSpanMs = 50;
    this.lookDue = false;
    /** @type {Receipt[]} of the last two seconds */
    this.receipts = [];
    /** @type {string[]} what went wrong, newest last */
    this.errors = [];
    /** The last refusal of the server, for people. @type {{text: string, at: number} | undefined} */
    this.refusal = undefined;
    /** @type {string | undefined} what the next connection goes on with this session by */
    this.token = undefined;
    /** Whether the connection that is being made was given the token. */
    this.offered = false;
    /** @type {() => void} called when a greeting has come */
    this.onGreeting = () => {};
    this.connection = new Connection(url, {
      text: (text) => this.guarded(() => this.takeText(text)),
      binary: (bytes) => this.guarded(() => this.takeBinary(bytes)),
      protocols: () => this.offer(),
      state: ({ is }) => {
        if (is === 'waiting') this.lost();
        if (is !== 'connected') this.standing = 'out';
      },
    });
  }

  /** The token, if there is one: a subprotocol is all that a page can send along. */
  offer() {
    this.offered = this.token !== undefined;
    return this.token === undefined ? [] : [`${TOKEN_PROTOCOL}${this.token}`];
  }

  /** The connection, or an attempt to make one, has failed. */
  lost() {
    if (this.offered) void this.forgetTokenIfRefused();
    // Only who stands in the world is waited for.
    else if (this.standing !== 'in') this.token = undefined;
    this.offered = false;
  }

  /** Nobody tells a page why an upgrade failed: a server that answers otherwise has refused the token. */
  async forgetTokenIfRefused() {
    const { token } = this;
    try {
      await fetch('/status', { cache: 'no-store' });
    } catch {
      return;
    }
    if (token !== this.token || this.connected) return;
    this.token = undefined;
    this.connection.hurry();
  }

  get connected() {
    return this.connection.state.is === 'connected';
  }

  /** Milliseconds between two ticks. */
  get tickMs() {
    return 1000 / (this.greeting?.tick_rate_hz || 20);
  }

  /** @param {ClientMessage} message @param {number | null} [deltaAck] */
  say(message, deltaAck = null) {
    this.connection.send(encodeMessage(message, { deltaAck }));
  }

  /** @param {Mode} mode */
  setMode(mode) {
    if (mode === this.mode) return;
    // Whoever changes stays where they are.
    const here = this.position(performance.now());
    this.mode = mode;
    this.camera = here ?? this.camera;
    if (this.standing === 'in') {
      this.standing = 'leaving';
      this.say({ type: 'leave' });
    }
  }

  /** @param {number} radiusM */
  setRadius(radiusM) {
    this.radiusM = radiusM;
    if (this.standing === 'in') this.say({ type: 'interest', interest: { kind: 'radius', radius: radiusM } });
  }

  /** @param {boolean} on */
  setGhosts(on) {
    this.ghosts = on;
    if (!on) this.dots.ghosts.clear();
    this.subscribe();
  }

  /** A page that nobody looks at asks for no pictures. @param {boolean} on */
  setWatching(on) {
    this.watching = on;
    this.subscribe();
  }

  /** @param {Triple} direction in screen-minded axes, of length at most 1 */
  steer(direction) {
    if (this.standing === 'in' && this.space) this.say({ type: 'steer', direction: this.space.world(direction) });
  }

  /** @param {Triple} to in screen-minded axes */
  walkTo(to) {
    if (this.standing === 'in' && this.space) {
      this.say({ type: 'move', to: this.space.world(this.space.clamped(to)) });
    }
  }

  /** Moves the camera here at once, and on the server with the next {@link Session.sendLook}. @param {Triple} to */
  lookAt(to) {
    if (!this.space) return;
    this.camera = this.space.clamped(to);
    this.lookDue = true;
  }

  /** Says where the camera is, if that has changed. Called once per tick interval, which is the limit. */
  sendLook() {
    if (!this.lookDue || this.standing !== 'in' || this.joinedMode !== 'camera' || !this.camera || !this.space) return;
    this.lookDue = false;
    this.say({ type: 'look', at: this.space.world(this.camera) });
  }

  /** Where the viewpoint is, in screen-minded axes. @param {number} now milliseconds @returns {Triple | undefined} */
  position(now) {
    if (this.joinedMode === 'camera') return this.camera;
    const at = this.entity === undefined ? undefined : this.view.positionAt(this.entity, this.deltaShare(now));
    return at && this.space?.axes(at);
  }

  /** How far the exact view is between its last two deltas, 0 to 1. @param {number} now milliseconds */
  deltaShare(now) {
    return Math.min(1, (now - this.deltaAt) / this.deltaSpanMs);
  }

  /** @param {() => void} take */
  guarded(take) {
    try {
      take();
    } catch (error) {
      // After bytes that cannot be right nothing that follows can be trusted.
      const why = `the server said what cannot be read: ${error instanceof Error ? error.message : error}`;
      this.note(why);
      this.connection.refuse(why);
    }
  }

  /** @param {string} error */
  note(error) {
    this.errors.push(error);
    if (this.errors.length > ERRORS_MAX) this.errors.shift();
  }

  /** @param {string} text */
  takeText(text) {
    const { svc, type, data } = JSON.parse(text);
    switch (`${svc}/${type}`) {
      case 'sys/authed':
        return this.takeGreeting(readGreeting(text));
      case 'world/joined':
        this.standing = 'in';
        this.entity = data?.entity ?? undefined;
        return this.mode === this.joinedMode ? undefined : this.leave();
      case 'world/left':
        this.standing = 'out';
        return this.join();
      case 'world/avatar_lost':
        this.note('the avatar is gone');
        return this.leave();
      case 'sys/error':
        this.refusal = { text: `${data?.code}: ${data?.msg}`, at: performance.now() };
        this.note(this.refusal.text);
        if (this.standing === 'joining') this.standing = 'out';
    }
  }

  /** @param {Greeting} greeting */
  takeGreeting(greeting) {
    // Someone who comes back to the same world goes on where they were.
    const here = sameSpace(this.greeting, greeting) ? this.position(performance.now()) ?? this.camera : undefined;
    this.greeting = greeting;
    this.space = new Space(greeting);
    this.dots = new Dots();
    this.camera = here;
    this.radiusM = Math.min(this.radiusM || greeting.interest.radius_m, greeting.interest.radius_max_m);
    this.connection.greeted();
    this.onGreeting();
    this.subscribe();
    this.token = greeting.resume;
    this.offered = false;
    if (greeting.command_sequence === undefined) this.join();
    else this.goOn(greeting);
  }

  /** The server kept the viewpoint, and tells everything anew. @param {Greeting} greeting */
  goOn(greeting) {
    this.view = new View();
    this.receipts = [];
    this.entity = greeting.entity;
    this.standing = 'in';
    this.setRadius(this.radiusM);
    if (this.mode !== this.joinedMode) this.leave();
  }

  join() {
    if (!this.space) return;
    this.view = new View();
    this.receipts = [];
    this.entity = undefined;
    this.joinedMode = this.mode;
    this.standing = 'joining';
    if (this.mode === 'camera') this.camera ??= this.space.middle;
    this.say({
      type: 'join',
      mode: this.mode,
      at: this.camera ? this.space.world(this.space.clamped(this.camera)) : null,
      interest: { kind: 'radius', radius: this.radiusM },
      full: false,
      acks: true,
    });
  }

  leave() {
    this.standing = 'leaving';
    this.say({ type: 'leave' });
  }

  subscribe() {
    if (this.connected) this.say({ type: 'overview', on: this.watching, ghosts: this.ghosts });
  }

  /** @param {ArrayBuffer} bytes */
  takeBinary(bytes) {
    const header = readHotHeader(bytes);
    if (header.svc !== WORLD_SVC) return;
    if (header.opcode === SERVER_OPCODE.delta) this.takeDelta(header, bytes);
    else if (header.opcode === SERVER_OPCODE.overview) this.takeOverview(bytes, header.payloadOffset);
  }

  /** @param {{seq: number | null, payloadOffset: number}} header @param {ArrayBuffer} bytes */
  takeDelta({ seq, payloadOffset }, bytes) {
    // One that was on its way when the viewpoint was given up is of no use any more.
    if (this.standing === 'leaving' || this.standing === 'out') return;
    const tickBefore = this.view.tick;
    const applied = this.view.apply(bytes, payloadOffset);
    if (seq !== null) this.say({ type: 'ack' }, seq);
    const now = performance.now();
    const ticks = tickBefore < 0 ? 1 : applied.tick - tickBefore;
    this.deltaAt = now;
    this.deltaSpanMs = Math.min(SPAN_MS_MAX, Math.max(1, ticks) * this.tickMs);
    const { entered, changed, left } = applied;
    this.receipts.push({ at: now, entered, changed, left, bytes: bytes.byteLength });
    this.forgetReceipts(now);
  }

  /** @param {number} now milliseconds */
  forgetReceipts(now) {
    const fresh = this.receipts.findIndex(({ at }) => at > now - RECEIPTS_MS);
    this.receipts.splice(0, fresh < 0 ? this.receipts.length : fresh);
  }

  /** @param {ArrayBuffer} bytes @param {number} offset */
  takeOverview(bytes, offset) {
    const { space } = this;
    if (!space) return;
    const overview = readOverview(bytes, offset);
    const axes = (/** @type {import('../reader/worldshard-reader.js').Dot} */ dot) => ({
      id: dot.id,
      owner: dot.owner,
      at: space.axes([dot.x, dot.y, dot.z]),
    });
    const ghosts = this.ghosts ? overview.ghosts.map(axes) : [];
    this.dots.take(overview, overview.dots.map(axes), ghosts, performance.now(), this.tickMs);
  }

  /** What the last two seconds brought, per second. @param {number} now milliseconds */
  rates(now) {
    this.forgetReceipts(now);
    const rates = { entered: 0, changed: 0, left: 0, bytes: 0 };
    for (const receipt of this.receipts) {
      rates.entered += receipt.entered;
      rates.changed += receipt.changed;
      rates.left += receipt.left;
      rates.bytes += receipt.bytes;
    }
    const seconds = RECEIPTS_MS / 1000;
    return {
      entered: rates.entered / seconds,
      changed: rates.changed / seconds,
      left: rates.left / seconds,
      bytes: rates.bytes / seconds,
    };
  }
}

/** @param {Greeting | undefined} one @param {Greeting} other */
function sameSpace(one, other) {
  return one !== undefined && one.world === other.world && JSON.stringify(one.space) === JSON.stringify(other.space);
}

const TOKEN_PROTOCOL = 'worldshard.resume.';
const ERRORS_MAX = 20;
const RECEIPTS_MS = 2000;
/** After a pause entities do not crawl for longer than this. */
const SPAN_MS_MAX = 300;
