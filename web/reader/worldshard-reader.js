// @ts-check
/**
 * Reads deltas and overviews in place and writes client messages, as docs/wire.md specifies them.
 *
 * Trusts no byte: whatever breaks a promise of the layout throws a ReaderError, and a View it was meant for is
 * unchanged. Opens no socket and draws nothing.
 */

/** Version of the layouts read here; a greeting that names another must end the connection. */
export const LAYOUT_VERSION = 1;

/** The world service's number on the hot lane. */
export const WORLD_SVC = 2;

/** Opcodes from client to server. */
export const OPCODE = Object.freeze({
  join: 1, leave: 2, steer: 3, move: 4, look: 5, interest: 6, ack: 7, overview: 8, custom: 64,
});

/** Opcodes from server to client. */
export const SERVER_OPCODE = Object.freeze({ delta: 1, overview: 2 });

/** Bytes that are no message of this layout, or a delta that contradicts the view. */
export class ReaderError extends RangeError {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "ReaderError";
  }
}

/**
 * @typedef {object} Entity what every client learns of an entity
 * @property {number} id at most 2^53
 * @property {number} x metres
 * @property {number} y metres
 * @property {number} z metres
 * @property {number} kind as the world defines it
 * @property {number} heading 256ths of a turn, from +x towards +y
 * @property {number} spare not used in this layout
 */

/**
 * @typedef {object} Extra one component of one entity
 * @property {number} id
 * @property {number} component index in the greeting's table
 * @property {Uint8Array | null} value null: the entity no longer has it
 */

/**
 * @typedef {object} Delta
 * @property {number} tick
 * @property {number} baseTick tick of the delta before; 0 in a full one
 * @property {number} commandSequence the client's last command that the state contains
 * @property {boolean} full replaces the set
 * @property {Entity[]} entered
 * @property {Entity[]} changed
 * @property {number[]} left
 * @property {Extra[]} extras values are copies
 */

/**
 * @typedef {object} Dot
 * @property {number} id
 * @property {number} x metres
 * @property {number} y metres
 * @property {number} z metres
 * @property {number} owner shard
 * @property {number} kind
 */

/**
 * @typedef {object} Overview
 * @property {number} tick
 * @property {number} shard
 * @property {number} total entities on the shard
 * @property {Dot[]} dots
 * @property {Dot[]} ghosts
 */

/** @typedef {ArrayBuffer | ArrayBufferView} Bytes */

// ---------------------------------------------------------------------------------------------------------------
// Deltas

/**
 * Reads the delta that fills `bytes` from `offset` to the end.
 *
 * @param {Bytes} bytes
 * @param {number} [offset]
 * @returns {Delta}
 * @throws {ReaderError} naming the promise that the bytes break
 */
export function readDelta(bytes, offset = 0) {
  const view = viewOf(bytes, offset);
  const root = view.byteLength - DELTA_ROOT_BYTES;
  if (root < 0) throw new ReaderError("shorter than a delta");
  const flags = view.getUint8(root + 20);
  const entered = listAt(view, root, root + 24, RECORD_BYTES, 0);
  const changed = listAt(view, root, root + 32, RECORD_BYTES, entered.end);
  const left = listAt(view, root, root + 40, 8, changed.end);
  const extras = listAt(view, root, root + 48, EXTRA_BYTES, left.end);
  const blob = listAt(view, root, root + 56, 1, extras.end);
  if (blob.end !== root) throw new ReaderError("the lists do not fill the delta");
  if ((flags & ~FLAG_FULL) !== 0) throw new ReaderError(`unknown delta flags ${flags}`);

  const full = (flags & FLAG_FULL) !== 0;
  const delta = {
    tick: readId(view, root),
    baseTick: readId(view, root + 8),
    commandSequence: view.getUint32(root + 16, true),
    full,
    entered: readRecords(view, entered),
    changed: readRecords(view, changed),
    left: ascending("left", readEach(left, 8, (at) => readId(view, at)), (id) => id),
    extras: readExtras(view, extras, blob, full),
  };
  const fits = full
    ? delta.baseTick === 0 && delta.changed.length === 0 && delta.left.length === 0
    : delta.baseTick < delta.tick;
  if (!fits) throw new ReaderError("tick, base tick and flags contradict each other");
  checkDisjoint(delta);
  return delta;
}

/**
 * @param {DataView} view
 * @param {List} list
 * @returns {Entity[]}
 */
function readRecords(view, list) {
  const records = readEach(list, RECORD_BYTES, (at) => ({
    id: readId(view, at),
    x: readFinite(view, at + 8),
    y: readFinite(view, at + 12),
    z: readFinite(view, at + 16),
    kind: view.getUint8(at + 20),
    heading: view.getUint8(at + 21),
    spare: view.getUint16(at + 22, true),
  }));
  return ascending("records", records, (record) => record.id);
}

/**
 * @param {DataView} view
 * @param {List} list
 * @param {List} blob
 * @param {boolean} full
 * @returns {Extra[]}
 */
function readExtras(view, list, blob, full) {
  /** @type {Extra[]} */
  const extras = readEach(list, EXTRA_BYTES, (at) => {
    const id = readId(view, at);
    const component = view.getUint16(at + 8, true);
    const length = view.getUint16(at + 10, true);
    const offset = view.getUint32(at + 12, true);
    if (offset === EXTRA_REMOVED && length === 0 && !full) return { id, component, value: null };
    if (offset + length > blob.count) throw new ReaderError(`a component of ${id} lies outside the blob`);
    const start = view.byteOffset + blob.start + offset;
    return { id, component, value: new Uint8Array(view.buffer.slice(start, start + length)) };
  });
  extras.reduce((last, extra) => {
    const after = last === null || last.id < extra.id || (last.id === extra.id && last.component < extra.component);
    if (!after) throw new ReaderError(`extras are not ascending at ${extra.id}`);
    return extra;
  }, /** @type {Extra | null} */ (null));
  return extras;
}

/** @param {Delta} delta */
function checkDisjoint(delta) {
  const ids = new Set(delta.left);
  for (const { id } of delta.entered) ids.add(id);
  for (const { id } of delta.changed) ids.add(id);
  const count = delta.left.length + delta.entered.length + delta.changed.length;
  if (ids.size !== count) throw new ReaderError("an id is in two lists");
}

// ---------------------------------------------------------------------------------------------------------------
// The visible set

/**
 * @typedef {object} Seen one entity as the client knows it
 * @property {Entity} record
 * @property {Map<number, Uint8Array>} extras by component index
 * @property {[number, number, number]} previous where it was one delta ago
 */

/** The visible set as a client builds it, from deltas alone. */
export class View {
  constructor() {
    /** @type {Map<number, Seen>} */
    this.seen = new Map();
    /** Tick of the last delta; -1 before the first. */
    this.tick = -1;
    /** The client's last command that the state contains. */
    this.commandSequence = 0;
    /** Whose previous position differs from the present one. @type {number[]} */
    this.moved = [];
  }

  /** How many entities the client sees. */
  get size() {
    return this.seen.size;
  }

  /** The ids of the set, ascending. @returns {number[]} */
  ids() {
    return [...this.seen.keys()].sort((one, other) => one - other);
  }

  /** @param {number} id @returns {Seen | undefined} */
  get(id) {
    return this.seen.get(id);
  }

  /**
   * Applies one delta, whole or not at all.
   *
   * @param {Bytes} bytes
   * @param {number} [offset] where the delta starts; it fills the rest
   * @returns {{tick: number, entered: number, changed: number, left: number}}
   * @throws {ReaderError} the delta is malformed, does not follow the last one, or contradicts the set
   */
  apply(bytes, offset = 0) {
    const delta = readDelta(bytes, offset);
    this.#check(delta);
    if (delta.full) this.#replace(delta);
    else this.#change(delta);
    for (const { id, component, value } of delta.extras) {
      const extras = /** @type {Seen} */ (this.seen.get(id)).extras;
      if (value === null) extras.delete(component);
      else extras.set(component, value);
    }
    this.tick = delta.tick;
    this.commandSequence = delta.commandSequence;
    const { tick, entered, changed, left } = delta;
    return { tick, entered: entered.length, changed: changed.length, left: left.length };
  }

  /**
   * Where an entity stands between the last two deltas: `alpha` 0 is the earlier, 1 the later.
   *
   * @param {number} id
   * @param {number} alpha clamped to 0..1
   * @returns {[number, number, number] | undefined}
   */
  positionAt(id, alpha) {
    const seen = this.seen.get(id);
    if (seen === undefined) return undefined;
    const share = alpha < 1 ? Math.max(alpha, 0) : 1;
    const { record, previous } = seen;
    const between = (/** @type {number} */ from, /** @type {number} */ to) => from * (1 - share) + to * share;
    return [between(previous[0], record.x), between(previous[1], record.y), between(previous[2], record.z)];
  }

  /** The wrapping sum of the entities' 128-bit hashes, as the server computes it. @returns {bigint} */
  digest() {
    let sum = 0n;
    for (const seen of this.seen.values()) sum = (sum + entityDigest(seen)) & MASK_128;
    return sum;
  }

  /** @param {Delta} delta */
  #check(delta) {
    if (!delta.full && delta.baseTick !== this.tick) {
      throw new ReaderError(`delta from ${delta.baseTick}, view at ${this.tick}`);
    }
    const known = delta.full ? new Map() : this.seen;
    const entered = new Set(delta.entered.map(({ id }) => id));
    const left = new Set(delta.left);
    for (const id of entered) {
      if (known.has(id)) throw new ReaderError(`${id} entered twice`);
    }
    for (const id of [...delta.changed.map((record) => record.id), ...delta.left]) {
      if (!known.has(id)) throw new ReaderError(`${id} is not in the visible set`);
    }
    for (const { id } of delta.extras) {
      const present = entered.has(id) || (known.has(id) && !left.has(id));
      if (!present) throw new ReaderError(`${id} is not in the visible set`);
    }
  }

  /** @param {Delta} delta */
  #replace(delta) {
    const before = this.seen;
    this.seen = new Map();
    this.moved = [];
    this.#enter(delta);
    for (const [id, seen] of this.seen) {
      const earlier = before.get(id);
      if (earlier === undefined) continue;
      seen.previous = positionOf(earlier.record);
      this.moved.push(id);
    }
  }

  /** @param {Delta} delta */
  #change(delta) {
    for (const id of this.moved) {
      const seen = this.seen.get(id);
      if (seen !== undefined) seen.previous = positionOf(seen.record);
    }
    this.moved = [];
    for (const id of delta.left) this.seen.delete(id);
    for (const record of delta.changed) {
      const seen = /** @type {Seen} */ (this.seen.get(record.id));
      seen.previous = positionOf(seen.record);
      seen.record = record;
      this.moved.push(record.id);
    }
    this.#enter(delta);
  }

  /** @param {Delta} delta */
  #enter(delta) {
    for (const record of delta.entered) {
      this.seen.set(record.id, { record, extras: new Map(), previous: positionOf(record) });
    }
  }
}

/** @param {Entity} record @returns {[number, number, number]} */
function positionOf(record) {
  return [record.x, record.y, record.z];
}

/** @param {Seen} seen @returns {bigint} */
function entityDigest({ record, extras }) {
  const view = new DataView(new ArrayBuffer(RECORD_BYTES));
  view.setBigUint64(0, BigInt(record.id), true);
  view.setFloat32(8, record.x, true);
  view.setFloat32(12, record.y, true);
  view.setFloat32(16, record.z, true);
  view.setUint8(20, record.kind);
  view.setUint8(21, record.heading);
  view.setUint16(22, record.spare, true);
  let state = digestBytes(DIGEST_START, new Uint8Array(view.buffer));
  for (const component of [...extras.keys()].sort((one, other) => one - other)) {
    const value = /** @type {Uint8Array} */ (extras.get(component));
    const head = (BigInt(component) << 32n) | BigInt(value.length);
    state = digestBytes(digestStep(state, head), value);
  }
  return digestStep(digestStep(state, 0n), 0n);
}

/** @param {bigint} state @param {Uint8Array} bytes @returns {bigint} */
function digestBytes(state, bytes) {
  const filled = new DataView(new ArrayBuffer(Math.ceil(bytes.length / 8) * 8));
  new Uint8Array(filled.buffer).set(bytes);
  for (let at = 0; at < filled.byteLength; at += 8) state = digestStep(state, filled.getBigUint64(at, true));
  return state;
}

/** @param {bigint} state @param {bigint} word @returns {bigint} */
function digestStep(state, word) {
  const mixed = ((state ^ word) * DIGEST_MULTIPLIER) & MASK_128;
  return mixed ^ (mixed >> 67n);
}

const DIGEST_START = 0x6c62272e07bb014262b821756295c58dn;
const DIGEST_MULTIPLIER = 0x9e3779b97f4a7c15f39cc0605cedc835n;
const MASK_128 = (1n << 128n) - 1n;

// ---------------------------------------------------------------------------------------------------------------
// The overview

/**
 * Reads the overview that fills `bytes` from `offset` to the end.
 *
 * @param {Bytes} bytes
 * @param {number} [offset]
 * @returns {Overview}
 * @throws {ReaderError}
 */
export function readOverview(bytes, offset = 0) {
  const view = viewOf(bytes, offset);
  const root = view.byteLength - OVERVIEW_ROOT_BYTES;
  if (root < 0) throw new ReaderError("shorter than an overview");
  const dots = listAt(view, root, root + 14, DOT_BYTES, 0);
  const ghosts = listAt(view, root, root + 22, DOT_BYTES, dots.end);
  if (ghosts.end !== root) throw new ReaderError("the lists do not fill the overview");
  const readDot = (/** @type {number} */ at) => ({
    id: readId(view, at),
    x: readFinite(view, at + 8),
    y: readFinite(view, at + 12),
    z: readFinite(view, at + 16),
    owner: view.getUint16(at + 20, true),
    kind: view.getUint8(at + 22),
  });
  return {
    tick: readId(view, root),
    shard: view.getUint16(root + 8, true),
    total: view.getUint32(root + 10, true),
    dots: readEach(dots, DOT_BYTES, readDot),
    ghosts: readEach(ghosts, DOT_BYTES, readDot),
  };
}

// ---------------------------------------------------------------------------------------------------------------
// The hot lane's header

/**
 * @typedef {object} HotHeader
 * @property {number} svc
 * @property {number} opcode
 * @property {number | null} seq
 * @property {number | null} deltaAck all deltas up to this `seq` have arrived
 * @property {boolean} [ack] the sender asks for an acknowledgement, which names `seq`; never without one
 */

/**
 * Reads a server's first text. Fields that this reader does not know are left as they are.
 *
 * @param {string} text
 * @returns {any} the `data` of the greeting
 * @throws {ReaderError} it is no greeting, or of another layout: then nothing else of that server may be read
 */
export function readGreeting(text) {
  const { v, svc, type, data } = parsed(text);
  if (v !== EXT_VERSION) throw new ReaderError("unsupported version");
  if (svc !== "sys" || type !== "authed") throw new ReaderError("not a greeting");
  if (data?.layout !== LAYOUT_VERSION) {
    throw new ReaderError(`layout ${data?.layout}, not ${LAYOUT_VERSION}: client and server are of different versions`);
  }
  return data;
}

/** @param {string} text @returns {Record<string, any>} */
function parsed(text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    throw new ReaderError("not JSON");
  }
}

/**
 * Reads a binary message's header.
 *
 * @param {Bytes} bytes one whole message
 * @returns {HotHeader & {payloadOffset: number}} the payload runs from there to the end
 * @throws {ReaderError}
 */
export function readHotHeader(bytes) {
  const view = viewOf(bytes, 0);
  if (view.byteLength < 4) throw new ReaderError("shorter than a header");
  if (view.getUint8(0) !== HOT_VERSION) throw new ReaderError("unsupported version");
  const flags = view.getUint8(3);
  if ((flags & ~(HOT_SEQ | HOT_ACK | HOT_DELTA_ACK)) !== 0) throw new ReaderError("reserved or unknown flag");
  const ack = (flags & HOT_ACK) !== 0;
  if (ack && (flags & HOT_SEQ) === 0) throw new ReaderError("an acknowledgement of no number is asked for");
  let at = 4;
  const next = (/** @type {number} */ flag) => {
    if ((flags & flag) === 0) return null;
    if (at + 4 > view.byteLength) throw new ReaderError("header cut short");
    at += 4;
    return view.getUint32(at - 4, true);
  };
  const seq = next(HOT_SEQ);
  const deltaAck = next(HOT_DELTA_ACK);
  return { svc: view.getUint8(1), opcode: view.getUint8(2), seq, deltaAck, ack, payloadOffset: at };
}

/**
 * A binary message of a header and a payload.
 *
 * @param {HotHeader} header
 * @param {Uint8Array} payload
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function writeHot({ svc, opcode, seq, deltaAck, ack = false }, payload) {
  const numbers = [seq, deltaAck].filter((number) => number !== null);
  const out = new Uint8Array(4 + 4 * numbers.length + payload.length);
  const numbered = seq === null ? 0 : HOT_SEQ | (ack ? HOT_ACK : 0);
  out.set([HOT_VERSION, svc, opcode, numbered | (deltaAck === null ? 0 : HOT_DELTA_ACK)]);
  const view = new DataView(out.buffer);
  numbers.forEach((number, index) => view.setUint32(4 + 4 * index, number, true));
  out.set(payload, 4 + 4 * numbers.length);
  return out;
}

// ---------------------------------------------------------------------------------------------------------------
// What a client says

/** @typedef {[number, number, number]} Point metres */

/**
 * @typedef {{kind: "default"} | {kind: "radius", radius: number} | {kind: "box", half: Point}
 *   | {kind: "nearest", k: number, radius: number} | {kind: "custom", predicate: number, radius: number}} InterestWish
 */

/**
 * @typedef {{type: "join", mode: "avatar" | "camera", at?: Point | null, interest: InterestWish, full: boolean,
 *     acks: boolean}
 *   | {type: "leave"} | {type: "steer", direction: Point} | {type: "move", to: Point} | {type: "look", at: Point}
 *   | {type: "interest", interest: InterestWish} | {type: "ack"} | {type: "overview", on: boolean, ghosts: boolean}
 *   | {type: "custom", opcode: number, payload: Uint8Array}} ClientMessage
 */

/**
 * The bytes of a client's message to the world.
 *
 * @param {ClientMessage} message
 * @param {{seq?: number | null, deltaAck?: number | null}} [numbers] an ack needs `deltaAck`
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function encodeMessage(message, { seq = null, deltaAck = null } = {}) {
  const opcode = message.type === "custom" ? message.opcode : OPCODE[message.type];
  return writeHot({ svc: WORLD_SVC, opcode, seq, deltaAck }, payloadOf(message));
}

/** @param {ClientMessage} message @returns {Uint8Array} */
function payloadOf(message) {
  switch (message.type) {
    case "join": {
      const at = message.at ?? null;
      const options = (at === null ? 0 : 1) | (message.full ? 2 : 0) | (message.acks ? 4 : 0);
      const mode = message.mode === "avatar" ? 0 : 1;
      return joined([mode, options], at === null ? [] : floats(at), wishBytes(message.interest));
    }
    case "steer":
      return floats(message.direction);
    case "move":
      return floats(message.to);
    case "look":
      return floats(message.at);
    case "interest":
      return wishBytes(message.interest);
    case "overview":
      return joined([(message.on ? 1 : 0) | (message.ghosts ? 2 : 0)]);
    case "custom":
      return message.payload;
    case "leave":
    case "ack":
      return new Uint8Array(0);
  }
}

/** @param {InterestWish} wish @returns {Uint8Array} */
function wishBytes(wish) {
  switch (wish.kind) {
    case "default":
      return joined([0]);
    case "radius":
      return joined([1], floats([wish.radius]));
    case "box":
      return joined([2], floats(wish.half));
    case "nearest":
      return joined([3, wish.k & 0xff, wish.k >> 8], floats([wish.radius]));
    case "custom":
      return joined([4, wish.predicate], floats([wish.radius]));
  }
}

/** @param {ArrayLike<number>[]} parts @returns {Uint8Array} */
function joined(...parts) {
  return Uint8Array.from(parts.flatMap((part) => Array.from(part)));
}

/** @param {number[]} numbers @returns {Uint8Array} */
function floats(numbers) {
  const view = new DataView(new ArrayBuffer(4 * numbers.length));
  numbers.forEach((number, index) => view.setFloat32(4 * index, number, true));
  return new Uint8Array(view.buffer);
}

// ---------------------------------------------------------------------------------------------------------------
// Parts of the archive layout

/** @typedef {{start: number, count: number, end: number}} List */

/**
 * An archived list: the field holds where it starts, relative to the field, and how many items it has.
 * Lists follow each other, so each must start where the one before it ended.
 *
 * @param {DataView} view
 * @param {number} root where the fixed part starts; lists stand before it
 * @param {number} field
 * @param {number} itemBytes
 * @param {number} expected
 * @returns {List}
 */
function listAt(view, root, field, itemBytes, expected) {
  const start = field + view.getInt32(field, true);
  const count = view.getUint32(field + 4, true);
  const end = start + count * itemBytes;
  if (start !== expected || end > root) throw new ReaderError("a list lies outside the bytes");
  return { start, count, end };
}

/**
 * @template T
 * @param {List} list already known to lie inside the bytes
 * @param {number} itemBytes
 * @param {(at: number) => T} read
 * @returns {T[]}
 */
function readEach(list, itemBytes, read) {
  const items = [];
  for (let at = list.start; at < list.end; at += itemBytes) items.push(read(at));
  return items;
}

/**
 * @template T
 * @param {string} name
 * @param {T[]} items
 * @param {(item: T) => number} idOf
 * @returns {T[]}
 */
function ascending(name, items, idOf) {
  let last = -1;
  for (const item of items) {
    const id = idOf(item);
    if (id <= last) throw new ReaderError(`${name} are not ascending at ${id}`);
    last = id;
  }
  return items;
}

/** @param {DataView} view @param {number} at @returns {number} a whole number of at most 2^53 */
function readId(view, at) {
  const low = view.getUint32(at, true);
  const high = view.getUint32(at + 4, true);
  if (high > 0x200000 || (high === 0x200000 && low !== 0)) throw new ReaderError("a number beyond 2^53");
  return high * 0x1_0000_0000 + low;
}

/** @param {DataView} view @param {number} at @returns {number} */
function readFinite(view, at) {
  const number = view.getFloat32(at, true);
  if (!Number.isFinite(number)) throw new ReaderError("a position that is not finite");
  return number;
}

/** @param {Bytes} bytes @param {number} offset @returns {DataView<ArrayBuffer>} */
function viewOf(bytes, offset) {
  const whole = bytes instanceof ArrayBuffer
    ? new DataView(bytes)
    : new DataView(/** @type {ArrayBuffer} */ (bytes.buffer), bytes.byteOffset, bytes.byteLength);
  if (!(Number.isInteger(offset) && offset >= 0 && offset <= whole.byteLength)) {
    throw new ReaderError("offset outside the bytes");
  }
  return new DataView(whole.buffer, whole.byteOffset + offset, whole.byteLength - offset);
}

const DELTA_ROOT_BYTES = 64;
const OVERVIEW_ROOT_BYTES = 30;
const RECORD_BYTES = 24;
const EXTRA_BYTES = 16;
const DOT_BYTES = 24;
const FLAG_FULL = 0x01;
const EXTRA_REMOVED = 0xffffffff;
const EXT_VERSION = 1;
const HOT_VERSION = 1;
const HOT_SEQ = 0x01;
const HOT_ACK = 0x04;
const HOT_DELTA_ACK = 0x08;
