// A page that tries the examples of one server, a tab for each: what they are, it asks the server at /tour.json.

import { Connection } from '../page/connection.js';
import { part } from '../page/part.js';
import { Place } from './place.js';

/**
 * An example, as the server tells of it.
 * @typedef {object} Example
 * @property {string} name
 * @property {string} path of its WebSocket; `{room}` in it stands for a room
 * @property {string} about
 * @property {string[]} commands to try
 * @property {string} [room] where one begins
 * @property {{axes: number, radius: number}} [place] positions are told and shown
 * @property {boolean} [button] there is one button for all
 */

/** One example on this page: its connection, its log and its controls. */
class Tab {
  /** @param {Example} example */
  constructor(example) {
    this.example = example;
    this.room = example.room ?? '';
    this.sent = 0;
    this.received = 0;
    this.bytes = 0;
    /** When the last message left that nothing has come after. @type {number | undefined} */
    this.waitsSince = undefined;
    /** @type {number | undefined} */
    this.answerMs = undefined;
    this.pane = element('section', 'pane', '');
    this.pane.hidden = true;
    this.pane.id = `pane-${example.name.replaceAll(' ', '-')}`;
    this.log = element('ol', 'log', '');
    this.log.setAttribute('role', 'log');
    this.log.tabIndex = 0;
    this.log.setAttribute('aria-label', 'Messages');
    this.button = element('button', '', example.name);
    this.button.setAttribute('role', 'tab');
    this.button.setAttribute('aria-controls', this.pane.id);
    this.button.addEventListener('click', () => select(this));
    const { form, input, send } = sayForm((text) => this.say(text));
    this.input = input;
    this.send = send;
    this.place = this.addPlace();
    this.held = this.addButton();
    this.pane.append(this.log, form);
    this.connection = this.connect();
  }

  addPlace() {
    const { place } = this.example;
    if (!place) return undefined;
    const canvas = document.createElement('canvas');
    canvas.className = 'place';
    canvas.setAttribute('aria-label', 'Who is near; a click goes there');
    this.pane.append(canvas);
    return new Place(canvas, place.axes, place.radius, (spot) => this.go(spot));
  }

  addButton() {
    if (!this.example.button) return undefined;
    const button = element('button', 'big', 'hold me');
    button.addEventListener('pointerdown', () => this.say('press'));
    for (const end of ['pointerup', 'pointerleave']) {
      button.addEventListener(end, () => {
        if (button.dataset['held'] === 'me') this.say('release');
      });
    }
    this.pane.append(button);
    return button;
  }

  connect() {
    const path = this.example.path.replace('{room}', encodeURIComponent(this.room));
    const connection = new Connection(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${path}`, {
      open: () => connection.greeted(),
      text: (text) => this.take(text),
      binary: (bytes) => this.take(`${bytes.byteLength} bytes`),
      state: () => {
        if (this.connection === connection || !this.connection) showLink(this);
      },
    });
    return connection;
  }

  /** Leaves this room for another. @param {string} room */
  goTo(room) {
    this.room = room;
    this.connection.close();
    this.place?.forget();
    this.connection = this.connect();
    this.connection.open();
    this.show('note', `room ${room}`);
  }

  /** @param {import('./place.js').Spot} spot */
  go(spot) {
    if (!this.place) return;
    const height = this.place.axes === 3 ? Number(part('height', HTMLInputElement).value) : 0;
    this.say(this.place.words({ ...spot, height }));
  }

  /** @param {string} text */
  say(text) {
    if (this.connection.state.is !== 'connected') return;
    this.connection.send(text);
    this.place?.said(text);
    this.sent += 1;
    this.waitsSince ??= performance.now();
    this.show('sent', text);
  }

  /** @param {string} text */
  take(text) {
    this.received += 1;
    this.bytes += new TextEncoder().encode(text).length;
    if (this.waitsSince !== undefined) {
      this.answerMs = performance.now() - this.waitsSince;
      this.waitsSince = undefined;
    }
    this.place?.take(text);
    if (this.held) this.showHeld(text);
    this.show('received', text);
  }

  /** @param {string} text */
  showHeld(text) {
    const button = this.held;
    if (!button) return;
    const held = text === 'held by you' ? 'me' : text.startsWith('held') ? 'other' : '';
    button.dataset['held'] = held;
    button.textContent = held === 'me' ? 'you hold it' : held === 'other' ? 'somebody holds it' : 'hold me';
  }

  /** Adds a line to the log, and forgets the oldest beyond LINES_MAX. @param {'sent' | 'received' | 'note'} way @param {string} text */
  show(way, text) {
    const atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 40;
    const line = document.createElement('li');
    line.dataset['way'] = way;
    line.append(element('b', way, { sent: '→', received: '←', note: '·' }[way]), element('span', 'said', text));
    this.log.append(line);
    while (this.log.childElementCount > LINES_MAX) this.log.firstElementChild?.remove();
    if (atEnd) this.log.scrollTop = this.log.scrollHeight;
    if (selected === this) showCounts(this);
  }
}

/** A line to write in. @param {(text: string) => void} say */
function sayForm(say) {
  const form = document.createElement('form');
  form.className = 'say';
  const input = document.createElement('input');
  input.type = 'text';
  input.autocomplete = 'off';
  input.placeholder = 'Say something';
  input.setAttribute('aria-label', 'Message');
  const send = element('button', '', 'send');
  send.setAttribute('type', 'submit');
  form.append(input, send);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    say(input.value);
    input.value = '';
    input.focus();
  });
  return { form, input, send };
}

/** @type {Tab | undefined} */
let selected;

/** @param {Tab} tab */
function select(tab) {
  if (selected) {
    selected.pane.hidden = true;
    selected.button.setAttribute('aria-selected', 'false');
  }
  selected = tab;
  tab.pane.hidden = false;
  tab.button.setAttribute('aria-selected', 'true');
  if (!tab.connection.socket && tab.connection.state.is === 'connecting') tab.connection.open();
  const { example } = tab;
  part('about').textContent = example.about;
  part('room-section').hidden = example.room === undefined;
  part('room', HTMLInputElement).value = tab.room;
  part('height-section').hidden = example.place?.axes !== 3;
  part('commands').replaceChildren(...example.commands.map((command) => {
    const line = document.createElement('li');
    const button = element('button', '', command);
    button.addEventListener('click', () => tab.say(command));
    line.append(button);
    return line;
  }));
  tab.place?.paint();
  showLink(tab);
  showCounts(tab);
  location.hash = encodeURIComponent(example.name);
  tab.input.focus();
}

/** @param {Tab} tab */
function showLink(tab) {
  if (selected !== tab) return;
  const { state } = tab.connection;
  const connected = state.is === 'connected';
  part('link').dataset['state'] = state.is;
  part('link-text').textContent = state.is === 'waiting' ? 'not connected' : state.is;
  part('notice').textContent = connected ? '' : state.is === 'waiting' ? `No connection: ${state.why}. Trying again …` : 'Connecting …';
  tab.send.toggleAttribute('disabled', !connected);
}

/** @param {Tab} tab */
function showCounts(tab) {
  part('sent').textContent = String(tab.sent);
  part('received').textContent = String(tab.received);
  part('bytes').textContent = String(tab.bytes);
  part('answer').textContent = tab.answerMs === undefined ? '–' : `${tab.answerMs.toFixed(1)} ms`;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} name of its class
 * @param {string} text
 */
function element(tag, name, text) {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

async function start() {
  const answer = await fetch('tour.json');
  /** @type {Example[]} */
  const examples = await answer.json();
  const tabs = examples.map((example) => new Tab(example));
  part('tabs').append(...tabs.map((tab) => tab.button));
  part('panes').append(...tabs.map((tab) => tab.pane));
  const named = tabs.find((tab) => `#${encodeURIComponent(tab.example.name)}` === location.hash);
  const first = named ?? tabs[0];
  if (first) select(first);
}

part('room-form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  const name = part('room', HTMLInputElement).value.trim();
  if (selected && name) selected.goTo(name);
});
part('height', HTMLInputElement).addEventListener('input', () => {
  part('height-shown').textContent = part('height', HTMLInputElement).value;
  if (selected?.place?.own) selected.go(selected.place.own);
});
part('clear').addEventListener('click', () => selected?.log.replaceChildren());
addEventListener('online', () => selected?.connection.hurry());

/** Lines of a log; beyond, the oldest goes. */
const LINES_MAX = 500;

start().catch((error) => {
  part('notice').textContent = `The server does not say what it has: ${error}`;
});
