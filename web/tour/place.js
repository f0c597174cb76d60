// The place of the spatial examples: a canvas with who is near, and a click that says where to go. Knows the words of
// the server about positions, and nothing of connections.

/** @typedef {{x: number, y: number, height: number}} Spot x to the right, y down, and how high */

export class Place {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} axes 2 or 3: with 3, the middle one is the height
   * @param {number} radius of what is seen
   * @param {(spot: Spot) => void} go
   */
  constructor(canvas, axes, radius, go) {
    this.canvas = canvas;
    this.axes = axes;
    this.radius = radius;
    /** @type {Map<string, Spot>} */
    this.others = new Map();
    /** @type {Spot | undefined} */
    this.own = undefined;
    canvas.addEventListener('click', (event) => {
      const { x, y } = this.spotAt(event.offsetX, event.offsetY);
      go({ x, y, height: this.own?.height ?? 0 });
    });
    new ResizeObserver(() => this.paint()).observe(canvas);
  }

  /** The words that say a position. @param {Spot} spot */
  words({ x, y, height }) {
    return this.axes === 2 ? `/move ${x} ${y}` : `/move ${x} ${height} ${y}`;
  }

  /** What this page says of its own position, which the server does not tell it. @param {string} text */
  said(text) {
    const [word, ...rest] = text.trim().split(/\s+/);
    const spot = word === '/move' ? this.spotOf(rest.map(Number)) : undefined;
    if (!spot) return;
    this.own = spot;
    this.paint();
  }

  /** @param {number[]} numbers @returns {Spot | undefined} */
  spotOf(numbers) {
    if (numbers.length !== this.axes || !numbers.every(Number.isFinite)) return undefined;
    const [x = 0, second = 0, third = 0] = numbers;
    return this.axes === 2 ? { x, y: second, height: 0 } : { x, y: third, height: second };
  }

  /** Takes what the server says; false when it is about no position. @param {string} text */
  take(text) {
    const [word, who, ...rest] = text.split(' ');
    if (who === undefined) return false;
    const spot = this.spotOf(rest.map(Number));
    if (word === 'enter' || word === 'leave') {
      if (word === 'leave') this.others.delete(who);
    } else if (word === 'pos' && spot) {
      this.others.set(who, spot);
    } else {
      return false;
    }
    this.paint();
    return true;
  }

  /** Nobody is known any more: another connection begins. */
  forget() {
    this.others.clear();
    this.own = undefined;
    this.paint();
  }

  /** @param {number} px @param {number} py */
  spotAt(px, py) {
    const { width, height } = this.canvas.getBoundingClientRect();
    return { x: Math.round((px - width / 2) * UNITS_PER_PIXEL), y: Math.round((py - height / 2) * UNITS_PER_PIXEL) };
  }

  paint() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const pen = this.canvas.getContext('2d');
    if (!pen || width === 0) return;
    this.canvas.width = width * devicePixelRatio;
    this.canvas.height = height * devicePixelRatio;
    pen.scale(devicePixelRatio, devicePixelRatio);
    pen.translate(width / 2, height / 2);
    pen.strokeStyle = '#1a222d';
    const step = GRID_UNITS / UNITS_PER_PIXEL;
    const across = (/** @type {number} */ length) => Math.ceil(length / 2 / step);
    pen.beginPath();
    for (let line = -across(width); line <= across(width); line += 1) {
      pen.moveTo(line * step, -height / 2);
      pen.lineTo(line * step, height / 2);
    }
    for (let line = -across(height); line <= across(height); line += 1) {
      pen.moveTo(-width / 2, line * step);
      pen.lineTo(width / 2, line * step);
    }
    pen.stroke();
    for (const [who, spot] of this.others) dot(pen, spot, '#e69f00', who);
    if (!this.own) return;
    pen.strokeStyle = '#56b4e9';
    pen.beginPath();
    pen.arc(this.own.x / UNITS_PER_PIXEL, this.own.y / UNITS_PER_PIXEL, this.radius / UNITS_PER_PIXEL, 0, 2 * Math.PI);
    pen.stroke();
    dot(pen, this.own, '#56b4e9', 'you');
  }
}

/** @param {CanvasRenderingContext2D} pen @param {Spot} spot @param {string} colour @param {string} name */
function dot(pen, { x, y, height }, colour, name) {
  const [px, py] = [x / UNITS_PER_PIXEL, y / UNITS_PER_PIXEL];
  pen.fillStyle = colour;
  pen.beginPath();
  // Who is higher is nearer to whoever looks down.
  pen.arc(px, py, 6 + height / 25, 0, 2 * Math.PI);
  pen.fill();
  pen.font = '12px system-ui, sans-serif';
  pen.fillText(name, px + 10, py - 8);
}

const UNITS_PER_PIXEL = 1;
const GRID_UNITS = 50;
