// Draws the world on the canvas: ground, territories, everything from the overview, what is told exactly, oneself.
// Reads the session and the lens; changes neither.

import { mixed, shardColour, shardStyle } from './colours.js';
import { meetingLines } from './space.js';
import { pixelColour, Stamps } from './stamps.js';

/** @typedef {import('./space.js').Triple} Triple */
/** @typedef {import('./space.js').Space} Space */
/** @typedef {import('./lens.js').Lens} Lens */
/** @typedef {import('./session.js').Session} Session */

export class Painter {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { alpha: false }));
    this.stamps = new Stamps();
    this.shares = new Float32Array(SHARDS_MAX);
    this.seen = new Float64Array(3);
    /** The ground changes only with the greeting. @type {{space: Space, lines: Path2D | undefined} | undefined} */
    this.ground = undefined;
    /** Colours by shard and shade. @type {Map<number, number[]>} */
    this.shades = new Map();
    this.hidden = new Uint8Array(0);
    this.projected = new Float32Array(0);
    this.dpr = 1;
    this.levels = new Uint8Array(0);
    this.order = new Uint32Array(0);
  }

  /** @param {Session} session @param {Lens} lens in device pixels @param {number} now milliseconds @param {number} dpr */
  paint(session, lens, now, dpr) {
    const { context } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = GROUND;
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    const { space } = session;
    if (!space) return;
    this.dpr = dpr;
    if (space.solid) this.paintFrame(space, lens);
    else this.paintGround(space, lens);
    this.paintDots(session, lens, now);
    this.paintExact(session, space, lens, now);
    this.paintMe(session, lens, now);
    this.paintLabels(space, lens);
    if (!space.solid) this.paintScale(lens);
  }

  /** Territories and border of a plane. @param {Space} space @param {Lens} lens */
  paintGround(space, lens) {
    const { context } = this;
    if (this.ground?.space !== space) this.ground = { space, lines: linesPath(space) };
    const toPixels = () => context.setTransform(
      lens.scale, 0, 0, -lens.scale,
      lens.width / 2 - lens.centre[0] * lens.scale, lens.height / 2 + lens.centre[1] * lens.scale,
    );
    context.save();
    toPixels();
    for (const { shard, min, max } of space.territories) {
      context.fillStyle = shardStyle(shard, 0.07);
      context.fillRect(min[0], min[1], max[0] - min[0], max[1] - min[1]);
    }
    context.beginPath();
    context.rect(space.min[0], space.min[1], space.max[0] - space.min[0], space.max[1] - space.min[1]);
    context.lineWidth = this.px(1) / lens.scale;
    context.strokeStyle = EDGE;
    context.stroke();
    if (this.ground.lines) {
      context.clip();
      context.lineWidth = 2 * space.borderM;
      context.lineJoin = 'round';
      context.strokeStyle = 'rgba(139, 152, 168, 0.10)';
      context.stroke(this.ground.lines);
      context.lineWidth = this.px(1.5) / lens.scale;
      context.strokeStyle = 'rgba(170, 184, 200, 0.55)';
      context.stroke(this.ground.lines);
    }
    context.restore();
  }

  /** The edges of a solid world and of its territories. @param {Space} space @param {Lens} lens */
  paintFrame(space, lens) {
    for (const { shard, min, max } of space.territories) this.paintBox(lens, min, max, shardStyle(shard, 0.45));
    this.paintBox(lens, space.min, space.max, EDGE);
  }

  /** @param {Lens} lens @param {Triple} min @param {Triple} max @param {string} style */
  paintBox(lens, min, max, style) {
    const { context } = this;
    const corner = (/** @type {number} */ bits) => {
      lens.project((bits & 1 ? max : min)[0], (bits & 2 ? max : min)[1], (bits & 4 ? max : min)[2], this.seen);
      return /** @type {Triple} */ ([...this.seen]);
    };
    const corners = [0, 1, 2, 3, 4, 5, 6, 7].map(corner);
    context.beginPath();
    for (const axis of [1, 2, 4]) {
      for (let bits = 0; bits < 8; bits += 1) {
        const [from, to] = [corners[bits], corners[bits | axis]];
        if (bits & axis || !from || !to || from[2] === 0 || to[2] === 0) continue;
        context.moveTo(from[0], from[1]);
        context.lineTo(to[0], to[1]);
      }
    }
    context.lineWidth = this.px(1);
    context.strokeStyle = style;
    context.stroke();
  }

  /** The number of each territory, so that colour is not all that tells them apart. @param {Space} space @param {Lens} lens */
  paintLabels(space, lens) {
    const { context } = this;
    if (space.territories.length > LABELS_MAX) return;
    context.font = `${this.px(12)}px system-ui, sans-serif`;
    context.textBaseline = 'top';
    for (const { shard, min, max } of space.territories) {
      const far = space.solid ? max[2] : 0;
      lens.project(min[0], max[1], far, this.seen);
      const [x, y] = [Number(this.seen[0]) + this.px(5), Number(this.seen[1]) + this.px(5)];
      lens.project(max[0], max[1], far, this.seen);
      const room = Math.abs(Number(this.seen[0]) - x);
      const words = `shard ${shard}`;
      const text = space.solid || context.measureText(words).width + this.px(12) < room ? words : String(shard);
      context.fillStyle = 'rgba(12, 16, 22, 0.8)';
      context.fillRect(x, y, context.measureText(text).width + this.px(8), this.px(18));
      context.fillStyle = shardStyle(shard);
      context.fillText(text, x + this.px(4), y + this.px(3));
    }
  }

  /** Everything that the overview tells, but for what is known exactly. @param {Session} session @param {Lens} lens @param {number} now */
  paintDots(session, lens, now) {
    const { dots } = session;
    const { count } = dots;
    this.reserve(count);
    dots.shares(now, this.shares);
    const { shares, seen, projected, hidden, stamps } = this;
    for (const id of session.view.seen.keys()) {
      const slot = dots.slots.get(id);
      if (slot !== undefined) hidden[slot] = 1;
    }
    const { from, to, owners } = dots;
    const between = (/** @type {number} */ i, /** @type {number} */ share) => {
      const start = /** @type {number} */ (from[i]);
      return start + (/** @type {number} */ (to[i]) - start) * share;
    };
    for (let slot = 0; slot < count; slot += 1) {
      const share = shares[/** @type {number} */ (owners[slot])] ?? 1;
      lens.project(between(3 * slot, share), between(3 * slot + 1, share), between(3 * slot + 2, share), seen);
      projected[3 * slot] = /** @type {number} */ (seen[0]);
      projected[3 * slot + 1] = /** @type {number} */ (seen[1]);
      projected[3 * slot + 2] = /** @type {number} */ (seen[2]);
    }
    stamps.begin(this.canvas.width, this.canvas.height);
    const radius = this.dotRadius(lens, count);
    for (const slot of this.farFirst(count, lens.solid)) {
      const size = /** @type {number} */ (projected[3 * slot + 2]);
      if (hidden[slot] || size === 0) continue;
      const shade = lens.solid ? /** @type {number} */ (this.levels[slot]) : SHADES - 1;
      const colour = this.shade(/** @type {number} */ (owners[slot]), shade);
      stamps.dot(Number(projected[3 * slot]), Number(projected[3 * slot + 1]), radius * size, colour, false);
    }
    this.paintGhosts(session, lens, now, radius);
    hidden.fill(0, 0, count);
    this.context.drawImage(stamps.end(), 0, 0);
  }

  /**
   * A ring in the holder's colour around what it holds a ghost of.
   * @param {Session} session @param {Lens} lens @param {number} now @param {number} radius
   */
  paintGhosts(session, lens, now, radius) {
    const { dots, space, view } = session;
    const { seen, stamps, projected } = this;
    const share = session.deltaShare(now);
    for (const [holder, ghosts] of dots.ghosts) {
      const colour = this.shade(holder, SHADES - 1);
      for (const { id, at } of ghosts) {
        const slot = dots.slots.get(id);
        const exact = view.positionAt(id, share);
        if (slot === undefined || exact) {
          const [a, b, c] = (exact && space?.axes(exact)) ?? at;
          lens.project(a, b, c, seen);
        } else {
          seen.set(projected.subarray(3 * slot, 3 * slot + 3));
        }
        const size = Number(seen[2]);
        const inner = exact ? this.exactRadius(radius) : radius;
        if (size > 0) stamps.dot(Number(seen[0]), Number(seen[1]), inner * size + this.px(0.5), colour, true);
      }
    }
  }

  /** What is told exactly: brighter, larger, with its heading. @param {Session} session @param {Space} space @param {Lens} lens @param {number} now */
  paintExact(session, space, lens, now) {
    const { context } = this;
    const share = session.deltaShare(now);
    const radius = this.exactRadius(this.dotRadius(lens, session.dots.count));
    const headings = radius >= this.px(1.9);
    /** @type {Map<number, {discs: Path2D, ticks: Path2D}>} */
    const paths = new Map();
    for (const [id, { record }] of session.view.seen) {
      if (id === session.entity) continue;
      const at = space.axes(session.view.positionAt(id, share) ?? [0, 0, 0]);
      const slot = session.dots.slots.get(id);
      const owner = (slot === undefined ? space.shardAt(at) : session.dots.owners[slot]) ?? 0;
      let path = paths.get(owner);
      if (!path) {
        path = { discs: new Path2D(), ticks: new Path2D() };
        paths.set(owner, path);
      }
      lens.project(at[0], at[1], at[2], this.seen);
      const [x, y, size] = [Number(this.seen[0]), Number(this.seen[1]), Number(this.seen[2])];
      if (size === 0 || x < -9 || y < -9 || x > lens.width + 9 || y > lens.height + 9) continue;
      path.discs.moveTo(x + radius * size, y);
      path.discs.arc(x, y, radius * size, 0, 2 * Math.PI);
      if (!headings) continue;
      const turn = (record.heading / 256) * 2 * Math.PI;
      const reachM = (radius * 2.6) / lens.scale;
      lens.project(at[0] + Math.cos(turn) * reachM, at[1] + Math.sin(turn) * reachM, at[2], this.seen);
      path.ticks.moveTo(x, y);
      path.ticks.lineTo(Number(this.seen[0]), Number(this.seen[1]));
    }
    context.lineWidth = this.px(1.2);
    for (const [owner, { discs, ticks }] of paths) {
      const rgb = mixed(shardColour(owner), 0xffffff, 0.55);
      const style = `#${rgb.toString(16).padStart(6, '0')}`;
      context.strokeStyle = style;
      context.fillStyle = style;
      context.stroke(ticks);
      context.fill(discs);
    }
  }

  /** Oneself and one's interest. @param {Session} session @param {Lens} lens @param {number} now */
  paintMe(session, lens, now) {
    const at = session.position(now);
    const { context } = this;
    if (!at || session.standing === 'out') return;
    lens.project(at[0], at[1], at[2], this.seen);
    const [x, y, size] = [Number(this.seen[0]), Number(this.seen[1]), Number(this.seen[2])];
    if (size === 0) return;
    const radius = session.radiusM * lens.scale * size;
    const letGo = radius + (session.greeting?.interest.hysteresis_m ?? 0) * lens.scale * size;
    context.fillStyle = 'rgba(255, 255, 255, 0.035)';
    context.strokeStyle = 'rgba(255, 255, 255, 0.75)';
    context.lineWidth = this.px(1.2);
    circle(context, x, y, radius);
    context.fill();
    context.stroke();
    context.setLineDash([this.px(3), this.px(5)]);
    context.strokeStyle = 'rgba(255, 255, 255, 0.4)';
    circle(context, x, y, letGo);
    context.stroke();
    context.setLineDash([]);
    context.strokeStyle = '#ffffff';
    context.fillStyle = '#ffffff';
    context.lineWidth = this.px(1.5);
    if (session.joinedMode === 'avatar') {
      context.fillStyle = GROUND;
      circle(context, x, y, this.px(9));
      context.fill();
      context.fillStyle = '#ffffff';
      circle(context, x, y, this.px(4));
      context.fill();
      circle(context, x, y, this.px(7));
      context.stroke();
    } else {
      context.beginPath();
      for (const [dx, dy] of /** @type {const} */ ([[1, 0], [-1, 0], [0, 1], [0, -1]])) {
        context.moveTo(x + dx * this.px(3), y + dy * this.px(3));
        context.lineTo(x + dx * this.px(9), y + dy * this.px(9));
      }
      context.stroke();
    }
  }

  /** How long a round number of metres is. @param {Lens} lens */
  paintScale(lens) {
    const { context } = this;
    const wanted = this.px(110) / lens.scale;
    const power = 10 ** Math.floor(Math.log10(wanted));
    const metres = power * (wanted / power >= 5 ? 5 : wanted / power >= 2 ? 2 : 1);
    const [right, bottom] = [lens.width - this.px(14), lens.height - this.px(14)];
    const left = right - metres * lens.scale;
    context.strokeStyle = QUIET;
    context.fillStyle = QUIET;
    context.lineWidth = this.px(1);
    context.beginPath();
    context.moveTo(left, bottom - this.px(4));
    context.lineTo(left, bottom);
    context.lineTo(right, bottom);
    context.lineTo(right, bottom - this.px(4));
    context.stroke();
    context.font = `${this.px(11)}px system-ui, sans-serif`;
    context.textBaseline = 'bottom';
    context.textAlign = 'center';
    context.fillText(metres >= 1000 ? `${metres / 1000} km` : `${metres} m`, (left + right) / 2, bottom - this.px(3));
    context.textAlign = 'start';
  }

  /** Dots fill about the same share of the picture however many there are. @param {Lens} lens @param {number} count */
  dotRadius(lens, count) {
    const zoom = lens.scale / lens.scaleFit;
    const room = Math.sqrt((lens.width * lens.height) / Math.max(1, count)) * zoom;
    return Math.min(this.px(4.5), Math.max(this.px(0.9), room * 0.17));
  }

  /** What is told exactly is drawn a little larger. @param {number} radius of the other dots */
  exactRadius(radius) {
    return Math.max(this.px(1.4), radius * 1.4);
  }

  /** Slots in drawing order: in a solid world what is nearer covers what is farther. @param {number} count @param {boolean} solid */
  farFirst(count, solid) {
    const { order, levels, projected } = this;
    if (!solid) {
      for (let slot = 0; slot < count; slot += 1) order[slot] = slot;
      return order.subarray(0, count);
    }
    const starts = new Uint32Array(SHADES + 1);
    for (let slot = 0; slot < count; slot += 1) {
      const size = /** @type {number} */ (projected[3 * slot + 2]);
      const level = Math.min(SHADES - 1, Math.max(0, Math.floor(((size - 0.7) / 0.7) * SHADES)));
      levels[slot] = level;
      starts[level + 1] = Number(starts[level + 1]) + 1;
    }
    for (let level = 0; level < SHADES; level += 1) starts[level + 1] = Number(starts[level + 1]) + Number(starts[level]);
    for (let slot = 0; slot < count; slot += 1) {
      const level = Number(levels[slot]);
      order[Number(starts[level])] = slot;
      starts[level] = Number(starts[level]) + 1;
    }
    return order.subarray(0, count);
  }

  /** @param {number} shard @param {number} level 0 is the farthest */
  shade(shard, level) {
    let shades = this.shades.get(shard);
    if (!shades) {
      shades = Array.from({ length: SHADES }, (_, index) =>
        pixelColour(mixed(0x0c1016, shardColour(shard), 0.3 + (0.7 * index) / (SHADES - 1))));
      this.shades.set(shard, shades);
    }
    return shades[level] ?? 0;
  }

  /** @param {number} count */
  reserve(count) {
    if (this.hidden.length >= count) return;
    const capacity = 2 * count;
    this.hidden = new Uint8Array(capacity);
    this.levels = new Uint8Array(capacity);
    this.order = new Uint32Array(capacity);
    this.projected = new Float32Array(3 * capacity);
  }

  /** Device pixels of so many page pixels. @param {number} pixels */
  px(pixels) {
    return pixels * this.dpr;
  }
}

/** @param {Space} space @returns {Path2D | undefined} */
function linesPath(space) {
  const lines = meetingLines(space);
  if (!lines) return undefined;
  const path = new Path2D();
  for (const [fromA, fromB, toA, toB] of lines) {
    path.moveTo(fromA, fromB);
    path.lineTo(toA, toB);
  }
  return path;
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} radius */
function circle(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
}

const GROUND = '#0c1016';
const EDGE = '#3a4656';
const QUIET = '#8b98a8';
const SHADES = 8;
/** As many as a world can have. */
const SHARDS_MAX = 1024;
/** More territories are not labelled. */
const LABELS_MAX = 64;
