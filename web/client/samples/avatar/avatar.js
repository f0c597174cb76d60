// An avatar that goes where its client shows it, long before the server has said so. The server is examples/avatar.rs; a stride
// is a command of that world's own. Knows no page.

import { Prediction } from '@worldshard/client';

/** @typedef {import('@worldshard/client').Triple} Triple */
/** @typedef {readonly [number, number]} Way the direction of a stride along x and y, in 127ths */

const f32 = Math.fround;

/**
 * Where a stride leads. The server does the same sums in the same precision, so both come to the same bits.
 * @param {Triple} at @param {Way} way @returns {Triple}
 */
export function stride([x, y, z], [dx, dy]) {
  const [toX, toY] = [f32(x + f32(dx * STRIDE_127TH_M)), f32(y + f32(dy * STRIDE_127TH_M))];
  const [rockX, rockY] = [f32(toX - ROCK[0]), f32(toY - ROCK[1])];
  if (f32(f32(rockX * rockX) + f32(rockY * rockY)) < ROCK_RADIUS_M ** 2) return [x, y, z];
  return [clamp(toX), clamp(toY), z];
}

/** The way nearest to an angle. @param {number} radians @returns {Way} */
export function wayAt(radians) {
  return [Math.trunc(Math.cos(radians) * 127), Math.trunc(Math.sin(radians) * 127)];
}

export class Avatar {
  /**
   * @param {import('@worldshard/client').Client} client
   * @param {(corrected: boolean) => void} [changed] whenever the server has said where the avatar is
   */
  constructor(client, changed = () => {}) {
    this.client = client;
    this.changed = changed;
    /** How often the server knew better. */
    this.corrections = 0;
    /** @type {Prediction<Triple, Way> | undefined} none while there is no avatar */
    this.prediction = undefined;
    client.on('live', ({ resumed }) => {
      // Who goes on with a session has its avatar, and says again what the server has not taken.
      if (resumed) return;
      this.prediction = undefined;
      client.world.join({ mode: 'avatar', at: START });
    });
    client.on('delta', ({ commandSequence }) => this.confirm(commandSequence));
  }

  /** Where to show it. */
  get at() {
    return this.prediction?.state;
  }

  /** Strides that the server has not confirmed. */
  get ahead() {
    return this.prediction?.pending ?? 0;
  }

  /** The server's word on where the avatar is, and which of its strides are in that. @param {number} upTo */
  confirm(upTo) {
    const { entity, view } = this.client.world;
    const seen = entity === undefined ? undefined : view.get(entity);
    if (seen === undefined) {
      this.prediction = undefined;
      return;
    }
    const { x, y, z } = seen.record;
    const shown = this.prediction?.state;
    this.prediction ??= new Prediction(/** @type {Triple} */ ([x, y, z]), stride, STRIDES_AHEAD_MAX);
    const at = this.prediction.reconcile([x, y, z], upTo);
    const corrected = shown !== undefined && at.some((metres, axis) => metres !== shown[axis]);
    if (corrected) this.corrections += 1;
    this.changed(corrected);
  }

  /** Shows a stride at once and asks the server for it; false where nobody can be asked. @param {Way} way */
  stride(way) {
    if (this.prediction === undefined || this.ahead >= STRIDES_AHEAD_MAX) return false;
    const id = this.client.world.custom(STRIDE, Uint8Array.from(new Int8Array(way)));
    if (id === undefined) return false;
    this.prediction.predict(id, way);
    return true;
  }
}

/** @param {number} metres */
function clamp(metres) {
  return Math.min(Math.max(metres, 0), EDGE_M);
}

/** The command. */
const STRIDE = 64;
export const STRIDE_M = 0.5;
const STRIDE_127TH_M = f32(STRIDE_M / 127);
/** As many as a client says again when it goes on over another connection. */
const STRIDES_AHEAD_MAX = 256;
const EDGE_M = 1024;
export const ROCK = /** @type {const} */ ([512, 512]);
export const ROCK_RADIUS_M = 3;
/** @type {Triple} */
const START = [500, 500, 0];
