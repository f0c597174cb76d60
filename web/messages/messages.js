// A page for applications without a world: sends what is written, as text or as binary, and shows what comes.

import { Connection } from '../page/connection.js';
import { part } from '../page/part.js';

const log = part('log');
const message = part('message', HTMLInputElement);
const send = part('send', HTMLButtonElement);

let sent = 0;
let received = 0;

const connection = new Connection(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`, {
  open: () => connection.greeted(),
  text: (text) => take(text),
  binary: (bytes) => take(new Uint8Array(bytes)),
  state: showLink,
});

/** @param {string | Uint8Array} payload */
function take(payload) {
  received += 1;
  show('received', payload);
}

/** @param {import('../page/connection.js').LinkState} state */
function showLink(state) {
  const connected = state.is === 'connected';
  part('link').dataset['state'] = state.is;
  part('link-text').textContent = state.is === 'waiting' ? 'not connected' : state.is;
  part('notice').textContent = connected ? '' : state.is === 'waiting' ? `No connection: ${state.why}. Trying again …` : 'Connecting …';
  send.disabled = !connected;
}

/**
 * Adds a message to the log, and forgets the oldest beyond LINES_MAX.
 * @param {'sent' | 'received'} way
 * @param {string | Uint8Array} payload
 */
function show(way, payload) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const line = document.createElement('li');
  line.dataset['way'] = way;
  line.append(
    element('b', way, way === 'sent' ? '→' : '←'),
    element('span', 'kind', typeof payload === 'string' ? 'text' : 'binary'),
    typeof payload === 'string' ? element('span', 'said', payload) : bytesElement(payload),
  );
  log.append(line);
  while (log.childElementCount > LINES_MAX) log.firstElementChild?.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
  part('sent').textContent = String(sent);
  part('received').textContent = String(received);
}

/** Bytes in hexadecimal, and their text where they have one. @param {Uint8Array} bytes */
function bytesElement(bytes) {
  const shown = [...bytes.subarray(0, BYTES_SHOWN_MAX)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const rest = bytes.length > BYTES_SHOWN_MAX ? ` … ${bytes.length} bytes` : '';
  const said = element('span', 'said', textOf(bytes) ?? '');
  said.append(element('span', 'bytes', shown + rest));
  return said;
}

/** @param {Uint8Array} bytes */
function textOf(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** @param {string} tag @param {string} name of its class @param {string} text */
function element(tag, name, text) {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

part('say', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  if (send.disabled) return;
  const binary = document.querySelector('input[name="kind"]:checked')?.getAttribute('value') === 'binary';
  const payload = binary ? new TextEncoder().encode(message.value) : message.value;
  connection.send(payload);
  sent += 1;
  show('sent', payload);
  message.value = '';
  message.focus();
});
part('clear').addEventListener('click', () => log.replaceChildren());
addEventListener('online', () => connection.hurry());

/** Lines of the log; beyond, the oldest goes. */
const LINES_MAX = 500;
/** Bytes of a binary message that are written out. */
const BYTES_SHOWN_MAX = 64;

connection.open();
message.focus();
