// Puts the page together and draws it again and again. Each part says for itself what it owns.

import { Lens } from './lens.js';
import { Painter } from './painter.js';
import { showSession, showStatus } from './panel.js';
import { part } from './part.js';
import { Session } from './session.js';
import { watch } from './state.js';
import { Status } from './status.js';
import { Steering } from './steering.js';

const canvas = part('world', HTMLCanvasElement);
const follow = part('follow', HTMLInputElement);
const ghosts = part('ghosts', HTMLInputElement);
const interest = part('interest', HTMLInputElement);

const session = new Session(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/world`);
const status = new Status();
const lens = new Lens();
const painter = new Painter(canvas);
const steering = new Steering(canvas, session, lens, {
  follow: () => follow.checked,
  setFollow: (on) => {
    follow.checked = on;
  },
  showAll,
});

/** @type {import('./space.js').Space | undefined} what the lens was fitted to */
let fitted;
let pictureAt = 0;
let panelAt = 0;
/** The panel's numbers are written anew this often. */
const PANEL_MS = 250;

function showAll() {
  follow.checked = false;
  if (session.space) lens.fit(session.space, canvas.width, canvas.height);
}

function resize() {
  const dpr = Math.min(2, devicePixelRatio || 1);
  const [width, height] = [Math.round(canvas.clientWidth * dpr), Math.round(canvas.clientHeight * dpr)];
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
    if (session.space && fitted) lens.resize(session.space, width, height);
  }
  return dpr;
}

/** @param {number} now milliseconds */
function picture(now) {
  const elapsedMs = now - pictureAt;
  pictureAt = now;
  const dpr = resize();
  steering.step(now, elapsedMs);
  const me = session.position(now);
  if (follow.checked && me) lens.centre = me;
  painter.paint(session, lens, now, dpr);
  if (now - panelAt >= PANEL_MS) {
    panelAt = now;
    showSession(session, now);
  }
  requestAnimationFrame(picture);
}

session.onGreeting = () => {
  const { space, greeting } = session;
  if (!space || !greeting) return;
  const sameWorld = fitted && JSON.stringify([fitted.min, fitted.max]) === JSON.stringify([space.min, space.max]);
  resize();
  if (!sameWorld) lens.fit(space, canvas.width, canvas.height);
  fitted = space;
  interest.min = String(greeting.interest.radius_max_m / 50);
  interest.max = String(greeting.interest.radius_max_m);
  interest.step = 'any';
  interest.value = String(session.radiusM);
  interest.disabled = false;
  part('help-3d').hidden = !space.solid;
  part('help-drag').textContent = space.solid ? 'right drag pans' : 'drag pans, or moves a followed camera';
};
status.onChange = () => showStatus(status);

for (const choice of document.querySelectorAll('input[name="mode"]')) {
  choice.addEventListener('change', () => {
    if (choice instanceof HTMLInputElement && choice.checked) {
      session.setMode(choice.value === 'camera' ? 'camera' : 'avatar');
    }
  });
}
ghosts.addEventListener('change', () => session.setGhosts(ghosts.checked));
interest.addEventListener('input', () => {
  session.radiusM = Number(interest.value);
});
// While the slider moves only the picture follows; the server is told where it stops.
interest.addEventListener('change', () => session.setRadius(Number(interest.value)));
part('zoom-in').addEventListener('click', () => steering.zoom(1.4));
part('zoom-out').addEventListener('click', () => steering.zoom(1 / 1.4));
part('zoom-all').addEventListener('click', showAll);
document.addEventListener('visibilitychange', () => session.setWatching(!document.hidden));
addEventListener('online', () => session.connection.hurry());

watch(session, status, lens);
session.connection.open();
status.start();
requestAnimationFrame(picture);

