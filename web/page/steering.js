// Turns keys, mouse and touch into wishes: to the session (steer, go there, look) and to the lens (pan, zoom, turn).
// Never says more to the server than once per tick.

/** @typedef {import('./space.js').Triple} Triple */
/** @typedef {import('./lens.js').Lens} Lens */
/** @typedef {import('./session.js').Session} Session */

export class Steering {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Session} session
   * @param {Lens} lens
   * @param {{follow: () => boolean, setFollow: (on: boolean) => void, showAll: () => void}} page
   */
  constructor(canvas, session, lens, page) {
    this.canvas = canvas;
    this.session = session;
    this.lens = lens;
    this.page = page;
    /** @type {Set<string>} */
    this.held = new Set();
    /** @type {Map<number, {x: number, y: number}>} fingers and buttons that are down */
    this.pointers = new Map();
    this.travel = 0;
    this.saidAt = 0;
    /** What the server was told last. */
    this.said = '';
    this.listen();
  }

  listen() {
    const { canvas } = this;
    addEventListener('keydown', (event) => this.keyDown(event));
    addEventListener('keyup', (event) => this.held.delete(event.code));
    addEventListener('blur', () => this.held.clear());
    canvas.addEventListener('pointerdown', (event) => this.down(event));
    canvas.addEventListener('pointermove', (event) => this.move(event));
    canvas.addEventListener('pointerup', (event) => this.up(event, true));
    canvas.addEventListener('pointercancel', (event) => this.up(event, false));
    canvas.addEventListener('contextmenu', (event) => event.preventDefault());
    canvas.addEventListener('wheel', (event) => {
      event.preventDefault();
      const { x, y } = this.pixel(event);
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0015)), x, y);
    }, { passive: false });
  }

  /** @param {KeyboardEvent} event */
  keyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // Sliders and choices have the arrows for themselves.
    const { target } = event;
    const ownArrows = target instanceof HTMLInputElement && (target.type === 'range' || target.type === 'radio');
    if (ownArrows && event.code.startsWith('Arrow')) return;
    if (event.code in DIRECTIONS) {
      this.held.add(event.code);
      event.preventDefault();
    } else if (event.key === '+' || event.key === '=') this.zoom(1.3);
    else if (event.key === '-') this.zoom(1 / 1.3);
    else if (event.key === '0') this.page.showAll();
    else if (event.code === 'KeyF') this.page.setFollow(!this.page.follow());
  }

  /**
   * Carries out what is held down. Called before each picture.
   * @param {number} now milliseconds @param {number} elapsedMs
   */
  step(now, elapsedMs) {
    const { session } = this;
    const direction = this.direction();
    if (session.joinedMode === 'camera' && session.camera && direction.some((axis) => axis !== 0)) {
      const metres = session.radiusM * CAMERA_RADII_PER_S * (Math.min(elapsedMs, 100) / 1000);
      const from = session.camera;
      const axis = (/** @type {0|1|2} */ i) => from[i] + direction[i] * metres;
      session.lookAt([axis(0), axis(1), axis(2)]);
    }
    if (now - this.saidAt < session.tickMs) return;
    session.sendLook();
    const wish = session.joinedMode === 'avatar' && session.standing === 'in' ? `${session.entity} ${direction}` : '';
    if (wish !== this.said) {
      // To say "stand" to an avatar that was never steered would only end its walk to a point.
      const idle = direction.every((axis) => axis === 0) && !this.said.startsWith(`${session.entity} `);
      if (wish && !idle) session.steer(direction);
      this.said = idle ? this.said : wish;
      this.saidAt = now;
    }
  }

  /** Where the held keys point, of length 0 or 1, in screen-minded axes. @returns {Triple} */
  direction() {
    let [right, ahead, rise] = [0, 0, 0];
    for (const code of this.held) {
      const [dr = 0, da = 0, dc = 0] = DIRECTIONS[code] ?? [];
      right += dr;
      ahead += da;
      rise += dc;
    }
    if (!this.lens.solid) rise = 0;
    const length = Math.hypot(right, ahead, rise) || 1;
    const [sin, cos] = [Math.sin(this.lens.yaw), Math.cos(this.lens.yaw)];
    return [(right * cos - ahead * sin) / length, (right * sin + ahead * cos) / length, rise / length];
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (this.pointers.size === 0) this.travel = 0;
    this.pointers.set(event.pointerId, this.pixel(event));
    this.canvas.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const after = this.pixel(event);
    const [dx, dy] = [after.x - before.x, after.y - before.y];
    this.pointers.set(event.pointerId, after);
    this.travel += Math.hypot(dx, dy);
    if (this.travel < CLICK_TRAVEL_MAX * devicePixelRatio) return;
    this.canvas.classList.add('dragging');
    const [one, other] = [...this.pointers.values()];
    if (one && other) {
      const still = one === after ? other : one;
      const spread = Math.hypot(before.x - still.x, before.y - still.y);
      if (spread > 1) this.zoom(Math.hypot(after.x - still.x, after.y - still.y) / spread, still.x, still.y);
    } else if (this.lens.solid && event.buttons !== 2 && !event.shiftKey) {
      const perPixel = 4 / Math.min(this.lens.width, this.lens.height);
      this.lens.turnTo(this.lens.yaw - dx * perPixel, this.lens.tilt - dy * perPixel);
    } else {
      this.drag(dx, dy);
    }
  }

  /** @param {number} dx @param {number} dy */
  drag(dx, dy) {
    const { session, lens } = this;
    if (session.joinedMode === 'camera' && session.camera && this.page.follow()) {
      session.lookAt(lens.moved(session.camera, -dx, -dy));
    } else {
      this.page.setFollow(false);
      lens.drag(dx, dy);
    }
  }

  /** @param {PointerEvent} event @param {boolean} done */
  up(event, done) {
    const at = this.pointers.get(event.pointerId);
    this.pointers.delete(event.pointerId);
    this.canvas.classList.remove('dragging');
    const clicked = done && at && this.pointers.size === 0 && this.travel < CLICK_TRAVEL_MAX * devicePixelRatio;
    if (!clicked || event.button !== 0) return;
    const here = this.session.position(performance.now());
    if (!here) return;
    const there = this.lens.pointUnder(at.x, at.y, here);
    if (this.session.joinedMode === 'camera') this.session.lookAt(there);
    else this.session.walkTo(there);
    this.said = '';
  }

  /** @param {number} factor @param {number} [x] device pixels @param {number} [y] */
  zoom(factor, x = this.lens.width / 2, y = this.lens.height / 2) {
    const middle = this.page.follow() || this.lens.solid;
    this.lens.zoom(factor, middle ? this.lens.width / 2 : x, middle ? this.lens.height / 2 : y);
  }

  /** @param {MouseEvent} event */
  pixel(event) {
    const { left, top, width } = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / (width || 1);
    return { x: (event.clientX - left) * scale, y: (event.clientY - top) * scale };
  }
}

/** To the right, ahead, up. @type {Record<string, Triple>} */
const DIRECTIONS = {
  ArrowUp: [0, 1, 0], KeyW: [0, 1, 0],
  ArrowDown: [0, -1, 0], KeyS: [0, -1, 0],
  ArrowLeft: [-1, 0, 0], KeyA: [-1, 0, 0],
  ArrowRight: [1, 0, 0], KeyD: [1, 0, 0],
  KeyR: [0, 0, 1], KeyV: [0, 0, -1],
};

/** A camera crosses so many of its interest radii a second. */
const CAMERA_RADII_PER_S = 1.5;
/** A press that travels farther, in page pixels, is a drag. */
const CLICK_TRAVEL_MAX = 5;
