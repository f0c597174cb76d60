// How the world is looked at: which part of it, how large, from which side. Never knows what is there.

/** @typedef {import('./space.js').Triple} Triple */
/** @typedef {import('./space.js').Space} Space */

export class Lens {
  constructor() {
    /** @type {Triple} the point in the middle of the picture */
    this.centre = [0, 0, 0];
    /** Pixels per metre at the centre. */
    this.scale = 1;
    /** Turn about the c axis, radians. */
    this.yaw = 0;
    /** 0 looks straight down on a and b; radians. */
    this.tilt = 0;
    /** Metres from the eye to the centre; infinite in a plane, which has no perspective. */
    this.distance = Infinity;
    this.width = 1;
    this.height = 1;
    /** Scale at which the whole world fits. */
    this.scaleFit = 1;
    this.solid = false;
    this.turnTo(0, 0);
  }

  /** @param {Space} space @param {number} width pixels @param {number} height pixels */
  fit(space, width, height) {
    this.resize(space, width, height);
    this.centre = space.middle;
    this.scale = this.scaleFit;
    this.turnTo(space.solid ? 0.6 : 0, space.solid ? 1.05 : 0);
  }

  /**
   * Keeps what is looked at when the picture changes size.
   * @param {Space} space @param {number} width pixels @param {number} height pixels
   */
  resize(space, width, height) {
    const zoom = this.scale / this.scaleFit;
    const [a, b, c] = [0, 1, 2].map((axis) => Number(space.max[axis]) - Number(space.min[axis]));
    this.solid = space.solid;
    this.width = width;
    this.height = height;
    if (space.solid) {
      const diagonal = Math.hypot(a ?? 1, b ?? 1, c ?? 1);
      this.distance = diagonal * 1.6;
      this.scaleFit = (Math.min(width, height) / diagonal) * 0.92;
    } else {
      this.distance = Infinity;
      this.scaleFit = 0.95 * Math.min(width / (a || 1), height / (b || 1));
    }
    this.scale = zoom * this.scaleFit;
  }

  /** @param {number} yaw @param {number} tilt */
  turnTo(yaw, tilt) {
    this.yaw = yaw;
    this.tilt = Math.min(Math.PI / 2, Math.max(0, tilt));
    const [sinYaw, cosYaw] = [Math.sin(yaw), Math.cos(yaw)];
    const [sinTilt, cosTilt] = [Math.sin(this.tilt), Math.cos(this.tilt)];
    /** @type {Triple} what is to the right, in the world */
    this.right = [cosYaw, sinYaw, 0];
    /** @type {Triple} what is up in the picture */
    this.up = [-sinYaw * cosTilt, cosYaw * cosTilt, sinTilt];
    /** @type {Triple} what points at the viewer */
    this.towards = [sinYaw * sinTilt, -cosYaw * sinTilt, cosTilt];
  }

  /**
   * Where a point is in the picture, in pixels, and how much larger than at the centre it looks.
   * A point behind the eye has no size.
   * @param {number} a @param {number} b @param {number} c @param {Float64Array} out x, y, size
   */
  project(a, b, c, out) {
    const { right, up, towards, centre } = this;
    const [da, db, dc] = [a - centre[0], b - centre[1], c - centre[2]];
    const depth = da * towards[0] + db * towards[1] + dc * towards[2];
    const size = this.distance === Infinity ? 1 : depth < this.distance * 0.98 ? this.distance / (this.distance - depth) : 0;
    const scale = this.scale * size;
    out[0] = this.width / 2 + (da * right[0] + db * right[1] + dc * right[2]) * scale;
    out[1] = this.height / 2 - (da * up[0] + db * up[1] + dc * up[2]) * scale;
    out[2] = size;
  }

  /**
   * The point under a pixel, as far from the eye as `at`.
   * @param {number} x @param {number} y @param {Triple} at
   * @returns {Triple}
   */
  pointUnder(x, y, at) {
    const seen = new Float64Array(3);
    this.project(at[0], at[1], at[2], seen);
    const [atX, atY, size] = [seen[0] ?? 0, seen[1] ?? 0, seen[2] || 1];
    return this.moved(at, (x - atX) / size, (y - atY) / size);
  }

  /**
   * A point moved across the picture, by pixels at the centre's depth.
   * @param {Triple} from @param {number} dx @param {number} dy
   * @returns {Triple}
   */
  moved(from, dx, dy) {
    const { right, up, scale } = this;
    const axis = (/** @type {0|1|2} */ i) => from[i] + (dx * right[i] - dy * up[i]) / scale;
    return [axis(0), axis(1), axis(2)];
  }

  /** @param {number} dx pixels @param {number} dy pixels */
  drag(dx, dy) {
    this.centre = this.moved(this.centre, -dx, -dy);
  }

  /**
   * Zooms, keeping what is under the pixel in its place.
   * @param {number} factor @param {number} x @param {number} y
   */
  zoom(factor, x, y) {
    const scale = Math.min(this.scaleFit * ZOOM_MAX, Math.max(this.scaleFit * ZOOM_MIN, this.scale * factor));
    const under = this.moved(this.centre, x - this.width / 2, y - this.height / 2);
    this.scale = scale;
    const after = this.moved(this.centre, x - this.width / 2, y - this.height / 2);
    const axis = (/** @type {0|1|2} */ i) => this.centre[i] + under[i] - after[i];
    this.centre = [axis(0), axis(1), axis(2)];
  }
}

/** How much closer than the whole world one can look. */
const ZOOM_MAX = 200;
const ZOOM_MIN = 0.5;
