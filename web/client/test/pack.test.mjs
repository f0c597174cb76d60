// The package as a user gets it: what is in it, that it needs nothing else, and that its types say what README.md does.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Where the package is installed, as a user has it. @type {string} */
let home;
/** @type {string[]} */
let packed;

before(() => {
  home = mkdtempSync(join(tmpdir(), 'worldshard-pack-'));
  // The tests have built it; building again would pull it away from under the others.
  const said = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', home], { cwd: root, encoding: 'utf8' });
  const [{ filename, files }] = JSON.parse(said);
  packed = files.map((/** @type {{path: string}} */ { path }) => path).sort();
  const installed = join(home, 'node_modules/@worldshard/client');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', join(home, filename), '-C', installed, '--strip-components=1']);
});
after(() => rmSync(home, { recursive: true, force: true }));

test('it has the modules, their types, the licences and what describes it, and nothing else', () => {
  const modules = readdirSync(join(root, 'src')).map((name) => `dist/client/src/${name.replace(/\.ts$/, '')}`);
  const expected = [...modules, 'dist/reader/worldshard-reader'].flatMap((module) => [`${module}.d.ts`, `${module}.js`]);
  assert.deepEqual(packed, [...expected, 'LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'package.json'].sort());
});

test('it needs no other package', () => {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  assert.deepEqual([dependencies, peerDependencies], [undefined, undefined]);
  for (const path of packed.filter((path) => path.endsWith('.js'))) {
    const text = readFileSync(join(root, path), 'utf8');
    for (const [, name] of text.matchAll(/\bfrom ['"]([^'"]+)['"]/g)) assert.match(name, /^\.\.?\//, `${path} imports ${name}`);
  }
});

test('both of its modules can be imported', () => {
  const script = `
    import { connect, Core, Prediction, World } from '@worldshard/client';
    import { View, readDelta } from '@worldshard/client/reader';
    import { View as SameView } from '@worldshard/client';
    console.log([connect, Core, Prediction, World, View, readDelta].every((one) => typeof one === 'function') && View === SameView);
  `;
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { cwd: home, encoding: 'utf8' });
  assert.equal(said.trim(), 'true');
});

test('its types hold for a strict program, for node and for bundlers', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const typed = /```ts\n([^`]*)```/.exec(readme)?.[1];
  assert.ok(typed, 'README.md has an example with types');
  writeFileSync(join(home, 'package.json'), '{"type":"module"}');
  writeFileSync(join(home, 'program.ts'), `
    import { connect, Prediction } from '@worldshard/client';
    import type { ClientEvent, Outcome, RequestStatus } from '@worldshard/client';
    import { readGreeting } from '@worldshard/client/reader';
    declare const url: string;
    declare function show(from: string, text: string): void;
    ${typed}
    const request = client.request({ type: 'take', item: 1 });
    const status: RequestStatus = request.status;
    const outcome: Outcome<{ owner: string }> = await request.outcome;
    if (outcome.type === 'response') show(outcome.data.owner, status);
    client.on('reject', ({ code, msg }) => show(code, msg));
    client.onAny((event: ClientEvent<Game['serverMessage'], Game['response']>) => show(event.type, ''));
    // @ts-expect-error: no such request
    client.request({ type: 'give' });
    // @ts-expect-error: no such message of the server
    client.onMessage('shout', () => {});
    // @ts-expect-error: no such event
    client.on('connected', () => {});
    const anything = connect(url, { webSocket: WebSocket, reconnectOnServerClose: (code) => code === 1012 });
    anything.send({ whatever: [1] });
    anything.on('message', ({ data }) => show(String(data), readGreeting('{}').world));
    const prediction = new Prediction(0, (state, input: number) => state + input);
    prediction.predict(1, 2).toFixed();
  `);
  for (const [module, moduleResolution] of [['nodenext', 'nodenext'], ['esnext', 'bundler']]) {
    const compilerOptions = { module, moduleResolution, target: 'es2022', lib: ['es2022', 'dom'], types: [], strict: true, noEmit: true, exactOptionalPropertyTypes: true };
    writeFileSync(join(home, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
    const { status, stdout } = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '--project', home], { encoding: 'utf8' });
    assert.equal(status, 0, stdout);
  }
});
