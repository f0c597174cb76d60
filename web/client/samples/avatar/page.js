// The page of the avatar: arrow keys, or a finger held down, walk. Full is where it is shown, hollow where the server has it.
// `window.worldshard` is its state, for tests.

import { connect } from '@worldshard/client';
import { Avatar, ROCK, ROCK_RADIUS_M, wayAt } from './avatar.js';

const STRIDE_EVERY_MS = 50;
const PIXELS_PER_M = 20;
const GRID_M = 4;
const AVATAR_RADIUS_M = 0.5;

const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById('world'));
const status = /** @type {HTMLElement} */ (document.getElementById('status'));
const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));

const client = connect('/world', { reconnectOnServerClose: true });
const avatar = new Avatar(client);

/** @type {Set<string>} */
const held = new Set();
/** @type {number | undefined} where the finger is, from the middle */
let pointed;
addEventListener('keydown', ({ key }) => held.add(key));
addEventListener('keyup', ({ key }) => held.delete(key));
addEventListener('blur', () => held.clear());
const point = (/** @type {PointerEvent} */ { clientX, clientY }) => {
  pointed = Math.atan2(innerHeight / 2 - clientY, clientX - innerWidth / 2);
};
canvas.addEventListener('pointerdown', point);
canvas.addEventListener('pointermove', (event) => pointed !== undefined && point(event));
for (const end of ['pointerup', 'pointerleave', 'pointercancel']) canvas.addEventListener(end, () => { pointed = undefined; });

setInterval(() => {
  const x = Number(held.has('ArrowRight')) - Number(held.has('ArrowLeft'));
  const y = Number(held.has('ArrowUp')) - Number(held.has('ArrowDown'));
  const angle = x !== 0 || y !== 0 ? Math.atan2(y, x) : pointed;
  if (angle !== undefined) avatar.stride(wayAt(angle));
}, STRIDE_EVERY_MS);
requestAnimationFrame(draw);

function draw() {
  requestAnimationFrame(draw);
  [canvas.width, canvas.height] = [innerWidth, innerHeight];
  const { at, prediction, ahead, corrections } = avatar;
  if (at === undefined || prediction === undefined) {
    status.textContent = client.live ? 'joining' : 'connecting';
    return;
  }
  status.textContent = `${at[0].toFixed(1)}, ${at[1].toFixed(1)}: ${ahead} strides ahead, ${corrections} corrections`;
  const [left, top] = [innerWidth / 2 - at[0] * PIXELS_PER_M, innerHeight / 2 + at[1] * PIXELS_PER_M];
  /** @param {readonly number[]} place @param {number} radiusM */
  const circle = ([x, y], radiusM) => {
    context.beginPath();
    context.arc(left + x * PIXELS_PER_M, top - y * PIXELS_PER_M, radiusM * PIXELS_PER_M, 0, 2 * Math.PI);
  };
  context.strokeStyle = '#ddd8cc';
  context.beginPath();
  for (let x = left % (GRID_M * PIXELS_PER_M); x < innerWidth; x += GRID_M * PIXELS_PER_M) {
    context.moveTo(x, 0);
    context.lineTo(x, innerHeight);
  }
  for (let y = top % (GRID_M * PIXELS_PER_M); y < innerHeight; y += GRID_M * PIXELS_PER_M) {
    context.moveTo(0, y);
    context.lineTo(innerWidth, y);
  }
  context.stroke();
  context.fillStyle = '#998';
  circle(ROCK, ROCK_RADIUS_M);
  context.fill();
  context.fillStyle = '#c77';
  for (const id of client.world.view.ids()) {
    const place = client.positionOf(id);
    if (id === client.world.entity || place === undefined) continue;
    circle(place, AVATAR_RADIUS_M);
    context.fill();
  }
  context.fillStyle = '#59c';
  circle(at, AVATAR_RADIUS_M);
  context.fill();
  context.strokeStyle = '#124';
  circle(prediction.base, AVATAR_RADIUS_M);
  context.stroke();
}

Object.assign(window, {
  worldshard: {
    get at() { return avatar.at; },
    get servers() { return avatar.prediction?.base; },
    get ahead() { return avatar.ahead; },
    get corrections() { return avatar.corrections; },
    /** Where the server has all avatars. */
    get seen() { return [...client.world.view.ids()].map((id) => client.world.view.get(id)?.record).map((record) => [record?.x, record?.y]); },
  },
});
