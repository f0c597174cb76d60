// Polls the Rust client until it has arrived. The same in node and in pages.

import init, { Journey, Single } from './pkg/worldshard_client_wasm.js';

/** All of docs/journey.md. @param {BufferSource} wasm @param {import('../../web/client/test/journey/scene.mjs').Scene} scene */
export async function travel(wasm, { baggage, cut }) {
  await init({ module_or_path: wasm });
  const { url, detour, forged, ann, bob, bobNext } = await baggage();
  const journey = new Journey(url, detour, forged, ann, bob, bobNext);
  while (!journey.poll()) {
    if (journey.takesCut()) await cut();
    await pause();
  }
  return journey.told();
}

/** Two attempts at an address where nobody is let in. @param {BufferSource} wasm @param {string} url */
export async function tryInVain(wasm, url) {
  await init({ module_or_path: wasm });
  return until(Single.inVain(url), /dead/);
}

/** A server that is not heard any more, though it hears. @param {BufferSource} wasm @param {import('../../web/client/test/journey/scene.mjs').Scene} scene */
export async function fallSilent(wasm, { baggage, mute }) {
  await init({ module_or_path: wasm });
  const { detour, ann } = await baggage();
  const single = Single.joining(detour, ann);
  await until(single, /joined/);
  await mute();
  return until(single, /joined.*(resumed|live|dead)/);
}

/** @param {Single} single @param {RegExp} what */
async function until(single, what) {
  while (!what.test(single.told())) {
    await pause();
    single.poll();
  }
  return single.told();
}

function pause() {
  return new Promise((done) => setTimeout(done, POLL_MS));
}

const POLL_MS = 5;
