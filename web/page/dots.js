// Where every entity of the world is, from the overview stream: positions, owners, and their motion between two
// overviews. Claims no exactness, as the stream does not; never mixes with what a session is told exactly.

/** @typedef {import('./space.js').Triple} Triple */

/**
 * @typedef {{id: number, at: Triple, owner: number}} OverviewDot
 * @typedef {{tick: number, shard: number, total: number}} OverviewHead
 */

/** Parallel arrays: a world has 100 000 entities and each is drawn sixty times a second. */
export class Dots {
  constructor() {
    this.count = 0;
    this.ids = new Float64Array(CAPACITY_FIRST);
    this.owners = new Uint16Array(CAPACITY_FIRST);
    /** Where each was drawn when its last overview came: a, b, c. */
    this.from = new Float32Array(3 * CAPACITY_FIRST);
    /** Where the last overview puts it: a, b, c. */
    this.to = new Float32Array(3 * CAPACITY_FIRST);
    /** The tick each was last told at. */
    this.ticks = new Float64Array(CAPACITY_FIRST);
    /** @type {Map<number, number>} */
    this.slots = new Map();
    /** @type {Map<number, Pace>} */
    this.paces = new Map();
    /** @type {Map<number, OverviewDot[]>} per shard: the ghosts it holds */
    this.ghosts = new Map();
    /** @type {Map<number, number>} per shard: entities whose position changed between its last two overviews */
    this.movedBy = new Map();
    /** @type {Map<number, number>} per shard: entities it has, told or not */
    this.totals = new Map();
  }

  /**
   * Takes one shard's overview.
   * @param {OverviewHead} head
   * @param {OverviewDot[]} dots positions in screen-minded axes
   * @param {OverviewDot[]} ghosts
   * @param {number} now milliseconds
   * @param {number} tickMs
   */
  take(head, dots, ghosts, now, tickMs) {
    const pace = this.paces.get(head.shard);
    // One that was overtaken shows the past.
    if (pace && head.tick < pace.tick) return;
    const spanMs = pace ? Math.min(SPAN_MS_MAX, Math.max(tickMs, (head.tick - pace.tick) * tickMs)) : tickMs;
    let moved = 0;
    for (const dot of dots) {
      const slot = this.slots.get(dot.id) ?? this.add(dot, head.tick);
      // During a handoff two shards may tell of it: the newer tick is right.
      if (head.tick < (this.ticks[slot] ?? 0)) continue;
      if (this.retarget(slot, dot, now)) moved += 1;
      this.owners[slot] = dot.owner;
      this.ticks[slot] = head.tick;
    }
    this.paces.set(head.shard, { tick: head.tick, at: now, spanMs });
    this.movedBy.set(head.shard, moved);
    this.totals.set(head.shard, head.total);
    this.ghosts.set(head.shard, ghosts);
    this.forget(head.shard, head.tick, pace ? pace.tick : 0);
  }

  /** Entities whose position changed between the last two overviews. */
  get moving() {
    let sum = 0;
    for (const moved of this.movedBy.values()) sum += moved;
    return sum;
  }

  /** Entities of the world, told or not. */
  get total() {
    let sum = 0;
    for (const total of this.totals.values()) sum += total;
    return sum;
  }

  /**
   * How far each shard's entities are on their way, by shard, 0 to a little over 1.
   * @param {number} now milliseconds
   * @param {Float32Array} shares written by shard; shards beyond its length are not told
   */
  shares(now, shares) {
    shares.fill(1);
    for (const [shard, pace] of this.paces) {
      shares[shard] = Math.min(SHARE_MAX, Math.max(0, (now - pace.at) / pace.spanMs));
    }
  }

  /** @param {OverviewDot} dot @param {number} tick */
  add(dot, tick) {
    if (this.count === this.ids.length) this.grow();
    const slot = this.count;
    this.count += 1;
    this.slots.set(dot.id, slot);
    this.ids[slot] = dot.id;
    this.owners[slot] = dot.owner;
    this.ticks[slot] = tick;
    this.from.set(dot.at, 3 * slot);
    this.to.set(dot.at, 3 * slot);
    return slot;
  }

  /**
   * From where it is drawn now to where it was told to be.
   * @param {number} slot @param {OverviewDot} dot @param {number} now
   * @returns {boolean} whether it was told to be elsewhere before
   */
  retarget(slot, dot, now) {
    const { from, to } = this;
    const pace = this.paces.get(this.owners[slot] ?? 0);
    const share = pace ? Math.min(SHARE_MAX, Math.max(0, (now - pace.at) / pace.spanMs)) : 1;
    let moved = false;
    for (let axis = 0; axis < 3; axis += 1) {
      const i = 3 * slot + axis;
      const [was, target, next] = [from[i] ?? 0, to[i] ?? 0, Number(dot.at[axis])];
      from[i] = was + (target - was) * share;
      moved ||= Math.fround(next) !== target;
      to[i] = next;
    }
    return moved;
  }

  /**
   * Entities that their shard told of neither now nor the time before are gone; one overview of grace covers a
   * handoff that falls between two shards' overviews.
   * @param {number} shard @param {number} tick @param {number} tickBefore
   */
  forget(shard, tick, tickBefore) {
    for (let slot = this.count - 1; slot >= 0; slot -= 1) {
      if (this.owners[slot] === shard && (this.ticks[slot] ?? 0) < tickBefore && tickBefore < tick) this.remove(slot);
    }
  }

  /** @param {number} slot */
  remove(slot) {
    const last = this.count - 1;
    this.slots.delete(this.ids[slot] ?? -1);
    if (slot !== last) {
      this.ids[slot] = this.ids[last] ?? 0;
      this.owners[slot] = this.owners[last] ?? 0;
      this.ticks[slot] = this.ticks[last] ?? 0;
      this.from.copyWithin(3 * slot, 3 * last, 3 * last + 3);
      this.to.copyWithin(3 * slot, 3 * last, 3 * last + 3);
      this.slots.set(this.ids[slot] ?? 0, slot);
    }
    this.count = last;
  }

  grow() {
    const larger = (/** @type {Float32Array} */ array) => {
      const grown = new Float32Array(array.length * 2);
      grown.set(array);
      return grown;
    };
    this.from = larger(this.from);
    this.to = larger(this.to);
    const [ids, ticks, owners] = [this.ids, this.ticks, this.owners];
    this.ids = new Float64Array(ids.length * 2);
    this.ids.set(ids);
    this.ticks = new Float64Array(ticks.length * 2);
    this.ticks.set(ticks);
    this.owners = new Uint16Array(owners.length * 2);
    this.owners.set(owners);
  }
}

/**
 * When a shard's overviews come.
 * @typedef {{tick: number, at: number, spanMs: number}} Pace
 */

const CAPACITY_FIRST = 4096;
/** After a pause entities do not crawl for longer than this. */
const SPAN_MS_MAX = 400;
/** A late overview is bridged by walking on this far. */
const SHARE_MAX = 1.25;
