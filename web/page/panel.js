// The panel beside the world: what is so in words, numbers and small plots, and the controls. Decides nothing.

import { shardStyle } from './colours.js';
import { part } from './part.js';
import { SAMPLES_MAX } from './status.js';

/** @typedef {import('./session.js').Session} Session */
/** @typedef {import('./status.js').Status} Status */
/** @typedef {import('./status.js').ShardHistory} ShardHistory */

/** @param {string} id @param {string} text */
function show(id, text) {
  const element = part(id);
  // Writing the same text again would make screen readers say it again.
  if (element.textContent !== text) element.textContent = text;
}

/** Once a second or so: numbers that change faster cannot be read. @param {Session} session @param {number} now */
export function showSession(session, now) {
  const { greeting, view } = session;
  showLink(session, now);
  const rates = session.rates(now);
  show('tick', view.tick < 0 ? '–' : String(view.tick));
  show('tick-rate', greeting ? trimmed(greeting.tick_rate_hz) : '–');
  show('visible', session.standing === 'in' ? count(view.size) : '–');
  show('owner', ownerWords(session, now));
  show('entered', rate(rates.entered));
  show('changed', rate(rates.changed));
  show('left', rate(rates.left));
  show('bytes', `${bytes(rates.bytes)}/s`);
  show('interest-text', greeting ? `${trimmed(session.radiusM)} m` : '–');
  if (greeting) {
    const total = session.dots.total;
    const entities = total > 0 ? `${count(total)} entities on ` : '';
    show('summary', `${greeting.world}: ${entities}${greeting.shards} ${greeting.shards === 1 ? 'shard' : 'shards'}`);
  }
}

/** @param {Session} session @param {number} now */
function showLink(session, now) {
  const { state } = session.connection;
  part('link').dataset.state = state.is;
  show('link-text', state.is === 'waiting' ? 'not connected' : state.is);
  show('notice', noticeWords(session, now));
}

/** @param {Session} session @param {number} now */
function noticeWords(session, now) {
  const { state } = session.connection;
  if (state.is === 'connecting') return 'Connecting to the world …';
  if (state.is === 'waiting') {
    const seconds = Math.max(1, Math.ceil((state.untilMs - now) / 1000));
    return `No connection: ${state.why}. Trying again in ${seconds} s; the picture is the last one received.`;
  }
  if (session.refusal && now - session.refusal.at < REFUSAL_MS) return `Refused: ${session.refusal.text}`;
  if (session.standing === 'joining') return 'Joining …';
  if (session.dots.count === 0) return 'The world is empty, or its first picture is still on its way.';
  return '';
}

/** @param {Session} session @param {number} now */
function ownerWords(session, now) {
  const slot = session.entity === undefined ? undefined : session.dots.slots.get(session.entity);
  if (slot !== undefined) return `shard ${session.dots.owners[slot]}`;
  const at = session.position(now);
  const shard = at && session.space?.shardAt(at);
  return shard === undefined ? '–' : `shard ${shard}`;
}

/** @param {Status} status */
export function showStatus(status) {
  const list = part('shards');
  const shards = [...status.shards.values()].sort((one, other) => one.shard - other.shard);
  show('status-text', status.trouble || (shards.length === 0 ? 'The server names no shards.' : ''));
  const wanted = shards.map(({ shard }) => String(shard)).join(' ');
  if (list.dataset.shards !== wanted) {
    list.dataset.shards = wanted;
    list.replaceChildren(...shards.map(shardRow));
  }
  shards.forEach((history, index) => {
    const row = list.children[index];
    if (row) showShard(row, history);
  });
}

/** @param {ShardHistory} history */
function shardRow({ shard }) {
  const row = document.createElement('div');
  row.className = 'shard';
  const name = document.createElement('div');
  name.className = 'shard-name';
  const swatch = document.createElement('span');
  swatch.className = 'swatch';
  swatch.style.background = shardStyle(shard);
  const ghosts = document.createElement('span');
  ghosts.className = 'quiet';
  name.append(swatch, `shard ${shard}`, ghosts);
  row.append(name, ...['tick', 'entities', 'handoffs'].map(plot));
  return row;
}

/** @param {string} title */
function plot(title) {
  const figure = document.createElement('figure');
  figure.className = 'plot';
  const caption = document.createElement('figcaption');
  caption.append(title, document.createElement('b'));
  const canvas = document.createElement('canvas');
  canvas.setAttribute('role', 'img');
  figure.append(caption, canvas);
  return figure;
}

/** @param {Element} row @param {ShardHistory} history */
function showShard(row, history) {
  const [ghosts] = row.getElementsByClassName('quiet');
  if (ghosts) ghosts.textContent = `${count(history.ghosts)} ghosts`;
  const figures = row.getElementsByClassName('plot');
  const last = (/** @type {number[]} */ values) => values.at(-1) ?? NaN;
  const texts = [duration(last(history.stepUs)), count(last(history.entities)), rate(last(history.handoffs))];
  const histories = [history.stepUs, history.entities, history.handoffs];
  const names = ['time of a tick', 'entities', 'handoffs per second'];
  texts.forEach((text, index) => {
    const [value] = figures[index]?.getElementsByTagName('b') ?? [];
    const [canvas] = figures[index]?.getElementsByTagName('canvas') ?? [];
    if (!value || !canvas) return;
    value.textContent = text;
    canvas.setAttribute('aria-label', `${names[index]} of shard ${history.shard}, last minute; now ${text}`);
    drawPlot(canvas, histories[index] ?? [], shardStyle(history.shard));
  });
}

/** A line over the last minute, from zero to the largest value. @param {HTMLCanvasElement} canvas @param {number[]} values @param {string} style */
function drawPlot(canvas, values, style) {
  const context = canvas.getContext('2d');
  if (!context) return;
  const [width, height] = [canvas.clientWidth * devicePixelRatio, canvas.clientHeight * devicePixelRatio];
  if (canvas.width !== Math.round(width)) canvas.width = Math.round(width);
  if (canvas.height !== Math.round(height)) canvas.height = Math.round(height);
  context.clearRect(0, 0, canvas.width, canvas.height);
  const greatest = Math.max(1e-9, ...values.filter(Number.isFinite)) * 1.08;
  const x = (/** @type {number} */ index) => canvas.width * (1 - (values.length - 1 - index) / (SAMPLES_MAX - 1));
  const y = (/** @type {number} */ value) => canvas.height - 1 - (value / greatest) * (canvas.height - 2);
  context.strokeStyle = '#2b3644';
  context.beginPath();
  context.moveTo(0, canvas.height - 0.5);
  context.lineTo(canvas.width, canvas.height - 0.5);
  context.stroke();
  context.beginPath();
  let drawing = false;
  values.forEach((value, index) => {
    if (Number.isFinite(value)) {
      if (drawing) context.lineTo(x(index), y(value));
      else context.moveTo(x(index), y(value));
    }
    drawing = Number.isFinite(value);
  });
  context.lineWidth = 1.3 * devicePixelRatio;
  context.lineJoin = 'round';
  context.strokeStyle = style;
  context.stroke();
}

/** @param {number} value */
function count(value) {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en') : '–';
}

/** @param {number} value */
function rate(value) {
  return Number.isFinite(value) ? (value < 10 ? value.toFixed(1) : count(value)) : '–';
}

/** @param {number} value */
function bytes(value) {
  return value < 10_000 ? `${count(value)} B` : `${(value / 1000).toFixed(1)} kB`;
}

/** @param {number} us */
function duration(us) {
  if (!Number.isFinite(us)) return '–';
  return us < 1000 ? `${Math.round(us)} µs` : `${(us / 1000).toFixed(us < 10_000 ? 2 : 1)} ms`;
}

/** @param {number} value */
function trimmed(value) {
  return String(Math.round(value * 10) / 10);
}

/** A refusal is shown for so long. */
const REFUSAL_MS = 4000;
