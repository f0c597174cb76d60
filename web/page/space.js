// Where things are: the world's extent and territories, as the greeting tells them, in screen-minded axes:
// `a` to the right, `b` up, `c` towards the viewer. Never draws and never keeps an entity.

/**
 * @typedef {[number, number, number]} Triple
 * @typedef {{shard: number, min: Triple, max: Triple}} Box
 * @typedef {{
 *   space: {min: Triple, max: Triple, metric: string, cell_edge_m: number},
 *   territories: {shard: number, min: Triple, max: Triple}[],
 *   border_m: number,
 * }} SpaceGreeting the part of a greeting that is about space
 */

export class Space {
  /** @param {SpaceGreeting} greeting */
  constructor(greeting) {
    const metric = greeting.space.metric.toLowerCase();
    /** Whether the third axis counts. */
    this.solid = metric === 'solid';
    /** Whether the ground is x and z, as in many engines. */
    this.flat = metric === 'flat';
    this.min = this.axes(greeting.space.min);
    this.max = this.axes(greeting.space.max);
    this.borderM = greeting.border_m;
    this.cellEdgeM = greeting.space.cell_edge_m;
    /** @type {Box[]} */
    this.territories = greeting.territories.map((territory) => ({
      shard: territory.shard,
      min: this.axes(territory.min),
      max: this.axes(territory.max),
    }));
  }

  /**
   * The world's x, y, z as a, b, c.
   * @param {ArrayLike<number>} point
   * @returns {Triple}
   */
  axes(point) {
    const [x = 0, y = 0, z = 0] = [point[0], point[1], point[2]];
    if (this.flat) return [x, z, 0];
    return this.solid ? [x, y, z] : [x, y, 0];
  }

  /**
   * What {@link Space.axes} was given, but for the axis that does not count.
   * @param {Triple} point
   * @returns {Triple}
   */
  world([a, b, c]) {
    return this.flat ? [a, 0, b] : [a, b, c];
  }

  /** @returns {Triple} */
  get middle() {
    const middle = (/** @type {0|1|2} */ axis) => (this.min[axis] + this.max[axis]) / 2;
    return [middle(0), middle(1), middle(2)];
  }

  /**
   * The nearest point inside the world.
   * @param {Triple} point
   * @returns {Triple}
   */
  clamped(point) {
    const clamp = (/** @type {0|1|2} */ axis) => Math.min(this.max[axis], Math.max(this.min[axis], point[axis]));
    return [clamp(0), clamp(1), clamp(2)];
  }

  /**
   * The shard whose territory holds the point; `undefined` outside all of them.
   * @param {Triple} point
   */
  shardAt(point) {
    const [a, b, c] = point;
    return this.territories.find(({ min, max }) =>
      a >= min[0] && a <= max[0] && b >= min[1] && b <= max[1] && (!this.solid || (c >= min[2] && c <= max[2])))?.shard;
  }
}

/**
 * The lines where two shards meet, in a plane: runs of cell edges with different owners on their sides.
 * `undefined` when the world has too many cells to look at each: then the boxes themselves must do.
 * @param {Space} space
 * @returns {[number, number, number, number][] | undefined} from a, b to a, b
 */
export function meetingLines(space) {
  const edge = space.cellEdgeM;
  const columns = Math.ceil((space.max[0] - space.min[0]) / edge - 1e-4);
  const rows = Math.ceil((space.max[1] - space.min[1]) / edge - 1e-4);
  if (!(columns > 0 && rows > 0 && columns * rows <= CELLS_MAX)) return undefined;
  const owners = new Int32Array(columns * rows).fill(-1);
  const cell = (/** @type {number} */ metres, /** @type {0|1} */ axis) => Math.round((metres - space.min[axis]) / edge);
  for (const { shard, min, max } of space.territories) {
    for (let row = Math.max(0, cell(min[1], 1)); row < Math.min(rows, cell(max[1], 1)); row += 1) {
      owners.fill(shard, row * columns + Math.max(0, cell(min[0], 0)), row * columns + Math.min(columns, cell(max[0], 0)));
    }
  }
  const owner = (/** @type {number} */ column, /** @type {number} */ row) => owners[row * columns + column];
  const a = (/** @type {number} */ column) => Math.min(space.max[0], space.min[0] + column * edge);
  const b = (/** @type {number} */ row) => Math.min(space.max[1], space.min[1] + row * edge);
  /** @type {[number, number, number, number][]} */
  const lines = [];
  for (let column = 1; column < columns; column += 1) {
    runs(rows, (row) => owner(column - 1, row) !== owner(column, row), (from, to) => {
      lines.push([a(column), b(from), a(column), b(to)]);
    });
  }
  for (let row = 1; row < rows; row += 1) {
    runs(columns, (column) => owner(column, row - 1) !== owner(column, row), (from, to) => {
      lines.push([a(from), b(row), a(to), b(row)]);
    });
  }
  return lines;
}

/**
 * @param {number} count
 * @param {(index: number) => boolean} holds
 * @param {(from: number, to: number) => void} found a run of indices that hold, `to` excluded
 */
function runs(count, holds, found) {
  let from = -1;
  for (let index = 0; index <= count; index += 1) {
    const inside = index < count && holds(index);
    if (inside && from < 0) from = index;
    if (!inside && from >= 0) {
      found(from, index);
      from = -1;
    }
  }
}

/** More cells are not searched for meeting lines. */
const CELLS_MAX = 1_000_000;
