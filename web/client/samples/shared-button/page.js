// The page of the shared button: what is held down, and by whom. `window.worldshard` is its state, for tests.

import { connect } from '@worldshard/client';
import { SharedButton } from './shared-button.js';

const name = new URLSearchParams(location.search).get('name') ?? `guest${Math.floor(Math.random() * 1e6)}`;
const button = /** @type {HTMLButtonElement} */ (document.getElementById('button'));
const status = /** @type {HTMLElement} */ (document.getElementById('status'));

const client = /** @type {import('@worldshard/client').Client<import('./shared-button.js').ButtonChannel>} */ (
  connect('/world', { auth: { user: name }, reconnectOnServerClose: true }));
const shared = new SharedButton(client, name, show);
client.on('dead', show);

button.addEventListener('pointerdown', () => shared.press());
for (const end of ['pointerup', 'pointerleave', 'pointercancel']) button.addEventListener(end, () => shared.isMine && shared.release());

function show() {
  const { holder, isMine, isPending, known } = shared;
  button.disabled = !known;
  button.dataset['holder'] = holder === null ? 'nobody' : isMine ? 'mine' : 'other';
  button.dataset['pending'] = String(isPending);
  status.textContent = !known ? 'connecting' : holder === null ? 'free' : `${holder} holds it`;
}

Object.assign(window, {
  worldshard: {
    get known() { return shared.known; },
    get holder() { return shared.holder; },
    get pending() { return shared.isPending; },
    get takenBack() { return shared.takenBack; },
  },
});
