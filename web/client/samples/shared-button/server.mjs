// `node samples/shared-button/server.mjs [PORT]`: the sample to look at, in as many tabs as one likes, over a slow network.

import { MockServer } from '../../test/mock-server.mjs';
import { buttonApp } from './app.mjs';

const server = new MockServer({ app: buttonApp(), root: new URL('../../', import.meta.url), delayMs: () => 200 });
await server.start(Number(process.argv[2] ?? 0));
console.log(`${server.origin}/samples/shared-button/?name=ann`);
