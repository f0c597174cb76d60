// Draws many small discs and rings into a picture of its own, pixel by pixel: the cost of a dot does not depend on
// whether a graphics card is there. Knows no world.

/** @typedef {{dx: Int16Array, dy: Int16Array, alpha: Uint8Array}} Stamp */

export class Stamps {
  constructor() {
    this.canvas = document.createElement('canvas');
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext('2d', { willReadFrequently: true }));
    this.image = this.context.createImageData(1, 1);
    this.pixels = new Uint32Array(this.image.data.buffer);
    /** @type {Map<number, Stamp>} */
    this.cache = new Map();
  }

  /** Empties the picture. @param {number} width @param {number} height device pixels */
  begin(width, height) {
    if (this.image.width === width && this.image.height === height) {
      this.pixels.fill(0);
      return;
    }
    this.canvas.width = width;
    this.canvas.height = height;
    this.image = this.context.createImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  /**
   * A disc, or a ring around it when `ring`. Where dots overlap the more opaque pixel stays, the later one of equals.
   * @param {number} x device pixels @param {number} y @param {number} radius
   * @param {number} colour 0xBBGGRR, see {@link pixelColour}
   * @param {boolean} ring
   */
  dot(x, y, radius, colour, ring) {
    const { width, height } = this.image;
    const r = Math.min(RADIUS_STEPS_MAX, Math.max(1, Math.round(radius * 4)));
    const [column, row] = [Math.floor(x), Math.floor(y)];
    const reach = r / 4 + 2;
    if (column < -reach || row < -reach || column > width + reach || row > height + reach) return;
    // Four places within a pixel each way, or slow dots would jump from pixel to pixel.
    const [sub, down] = [Math.floor((x - column) * 4), Math.floor((y - row) * 4)];
    const key = (((r << 1) | (ring ? 1 : 0)) << 4) | (sub << 2) | down;
    let stamp = this.cache.get(key);
    if (!stamp) {
      stamp = makeStamp(r / 4, (sub + 0.5) / 4, (down + 0.5) / 4, ring);
      this.cache.set(key, stamp);
    }
    const { dx, dy, alpha } = stamp;
    const { pixels } = this;
    for (let i = 0; i < alpha.length; i += 1) {
      const px = column + /** @type {number} */ (dx[i]);
      const py = row + /** @type {number} */ (dy[i]);
      if (px < 0 || py < 0 || px >= width || py >= height) continue;
      const at = py * width + px;
      const opacity = /** @type {number} */ (alpha[i]);
      if (opacity >= /** @type {number} */ (pixels[at]) >>> 24) pixels[at] = ((opacity << 24) | colour) >>> 0;
    }
  }

  /** The picture, to be drawn where it belongs. */
  end() {
    this.context.putImageData(this.image, 0, 0);
    return this.canvas;
  }
}

/** 0xRRGGBB as the pixels of a picture have it. @param {number} rgb */
export function pixelColour(rgb) {
  return ((rgb & 255) << 16) | (rgb & 0xff00) | (rgb >> 16);
}

/**
 * @param {number} radius @param {number} cx centre within its pixel @param {number} cy @param {boolean} ring
 * @returns {Stamp}
 */
function makeStamp(radius, cx, cy, ring) {
  const outer = ring ? radius + 1.5 : radius;
  const inner = ring ? radius + 0.4 : -1;
  const reach = Math.ceil(outer + 1);
  /** @type {number[][]} */
  const found = [];
  for (let y = -reach; y <= reach; y += 1) {
    for (let x = -reach; x <= reach; x += 1) {
      const distance = Math.hypot(x + 0.5 - cx, y + 0.5 - cy);
      const within = clamped(outer + 0.5 - distance) - (ring ? clamped(inner + 0.5 - distance) : 0);
      const alpha = Math.round(255 * clamped(within));
      if (alpha > 8) found.push([x, y, alpha]);
    }
  }
  const part = (/** @type {number} */ index) => found.map((entry) => entry[index] ?? 0);
  return { dx: Int16Array.from(part(0)), dy: Int16Array.from(part(1)), alpha: Uint8Array.from(part(2)) };
}

/** @param {number} share */
function clamped(share) {
  return Math.min(1, Math.max(0, share));
}

/** Quarters of a pixel; larger dots are drawn this large. */
const RADIUS_STEPS_MAX = 64;
