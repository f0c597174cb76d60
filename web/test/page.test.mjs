// The page against the mock server: what it draws and says, and how it meets a server that is gone or that lies.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { mixed, shardColour } from '../page/colours.js';
import { openBrowser, stateOf, until } from './browser.mjs';
import { MockServer } from './mock-server.mjs';

/** @type {Awaited<ReturnType<typeof openBrowser>>} */
let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser.close());

/**
 * @param {import('./mock-server.mjs').Options} options
 * @param {(page: import('playwright-core').Page, server: MockServer) => Promise<void>} body
 * @param {RegExp} [expected] faults that the test brings about
 */
async function withPage(options, body, expected) {
  const server = new MockServer(options);
  const { page, faults } = await browser.open(await server.start(), expected);
  try {
    await until(page, 'joined, and the world moves', ({ standing, moving, visible }) => standing === 'in' && moving > 0 && visible > 0, 5000);
    await body(page, server);
    assert.deepEqual(faults, []);
  } finally {
    await page.close();
    await server.stop();
  }
}

for (const metric of /** @type {const} */ (['plane', 'flat', 'solid'])) {
  test(`a ${metric} world is shown, and the avatar goes where the keys point`, () =>
    withPage({ metric, entities: 800, shards: 3 }, async (page) => {
      const before = await stateOf(page);
      assert.deepEqual(before.ownersSeen, [0, 1, 2]);
      assert.equal(before.entities, 801);
      // In a solid world the view is turned: there up is the axis that the view leaves alone.
      const [key, axis] = metric === 'solid' ? /** @type {const} */ (['r', 2]) : /** @type {const} */ (['d', 0]);
      await page.keyboard.down(key);
      await until(page, 'the avatar moves', ({ position }) => position[axis] > before.position[axis] + 5, 3000);
      await page.keyboard.up(key);
      await page.waitForTimeout(300);
      const stopped = await stateOf(page);
      await page.waitForTimeout(300);
      const millimetres = (/** @type {{position: number[]}} */ state) => state.position.map((axis) => Math.round(axis * 1000));
      assert.deepEqual(millimetres(await stateOf(page)), millimetres(stopped));
      assert.ok(await litPixels(page) > 500, 'the canvas is empty');
    }));
}

test('what is drawn is where the world has it: grounds, borders, one\'s interest, and everything in its owner\'s colour', () =>
  withPage({ entities: 400 }, async (page) => {
    const { greeting, position, entities } = await stateOf(page);
    const lens = await page.evaluate(() => /** @type {any} */ (window).worldshard.lens);
    const { width, height } = await page.evaluate(() => {
      const { width, height } = /** @type {HTMLCanvasElement} */ (document.getElementById('world'));
      return { width, height };
    });
    /** The pixel of a place in the plane. @param {number} x @param {number} y @returns {[number, number]} */
    const pixel = (x, y) => [width / 2 + (x - lens.centre[0]) * lens.scale, height / 2 - (y - lens.centre[1]) * lens.scale];
    const { territories, border_m: borderM } = greeting;
    assert.equal(territories.length, 2);

    // Far from all edges the commonest colour is that of the territory's ground; in all of it, most dots have its owner's.
    let dots = 0;
    for (const { shard, min, max } of territories) {
      const part = (/** @type {number} */ aside) => {
        const [left, bottom] = pixel(min[0] + aside, min[1] + aside);
        const [right, top] = pixel(max[0] - aside, max[1] - aside);
        return colours(page, left, top, right - left, bottom - top);
      };
      const ground = mixed(GROUND, shardColour(shard), 0.07);
      const drawn = commonest(await part(borderM));
      assert.ok(near(drawn, ground), `territory ${shard}: ${drawn.toString(16)}, not ${ground.toString(16)}`);
      const counts = await part(0);
      const [own, strange] = [shard, 1 - shard].map((owner) => counts.get(shardColour(owner)) ?? 0);
      assert.ok(Number(own) > 10 * Number(strange), `territory ${shard}: ${own} pixels of its owner's colour, ${strange} of the other's`);
      dots += Number(own);
    }
    assert.ok(dots > entities, `${dots} pixels of dots for ${entities} entities`);

    // Two territories meet in a line, with the border as a band on both sides.
    const meeting = territories.flatMap((/** @type {any} */ one) => territories
      .filter((/** @type {any} */ other) => other.min[0] === one.max[0] && other.min[1] < one.max[1] && one.min[1] < other.max[1])
      .map((/** @type {any} */ other) => ({ x: one.max[0], from: Math.max(one.min[1], other.min[1]), to: Math.min(one.max[1], other.max[1]) })));
    assert.ok(meeting.length > 0, 'no two territories lie side by side');
    for (const { x, from, to } of meeting) {
      const along = (/** @type {number} */ aside) => Array.from({ length: 101 }, (_, step) =>
        pixel(x + aside, from + ((to - from) * (step + 1)) / 102));
      const line = await brightness(page, along(0));
      for (const side of [-1, 1]) {
        const band = await brightness(page, along(side * borderM * 0.5));
        const beyond = await brightness(page, along(side * borderM * 1.5));
        assert.ok(line > band + 30 && band > beyond + 15, `line ${line}, band ${band}, beyond ${beyond}`);
      }
    }

    // The circle of one's interest, around oneself.
    const circle = (/** @type {number} */ radius) => Array.from({ length: 360 }, (_, degree) => {
      const turn = (degree * Math.PI) / 180;
      return pixel(position[0] + Math.cos(turn) * radius, position[1] + Math.sin(turn) * radius);
    }).filter(([left, top]) => left > 0 && top > 0 && left < width && top < height);
    const radius = greeting.interest.radius_m;
    const [on, inside] = [await brightness(page, circle(radius)), await brightness(page, circle(radius - 8 / lens.scale))];
    assert.ok(on > inside + 100, `the circle: ${on} on it, ${inside} inside`);
    // The browser would have us read the canvas less often.
  }, /willReadFrequently/));

test('a camera takes the avatar\'s place, moves by keys, and gives it back', () =>
  withPage({ entities: 500 }, async (page) => {
    await page.check('input[value="camera"]');
    const camera = await until(page, 'a camera', ({ standing, entity }) => standing === 'in' && entity === undefined, 3000);
    assert.equal(camera.entities <= 501, true);
    await page.keyboard.down('w');
    await until(page, 'the camera moves', ({ position }) => position[1] > camera.position[1] + 5, 3000);
    await page.keyboard.up('w');
    const moved = await stateOf(page);
    await page.check('input[value="avatar"]');
    const avatar = await until(page, 'an avatar', ({ standing, entity, position }) => standing === 'in' && entity && position, 3000);
    assert.ok(Math.abs(avatar.position[1] - moved.position[1]) < 10, 'the avatar begins where the camera was');
  }));

test('ghosts come when asked for and go again', () =>
  withPage({ entities: 500 }, async (page) => {
    assert.equal((await stateOf(page)).ghosts, 0);
    await page.check('#ghosts');
    await until(page, 'ghosts', ({ ghosts }) => ghosts > 0, 2000);
    await page.uncheck('#ghosts');
    await until(page, 'no ghosts', ({ ghosts }) => ghosts === 0, 2000);
  }));

test('the interest slider changes what is visible', () =>
  withPage({ entities: 2000 }, async (page) => {
    const { visible } = await until(page, 'a visible set', (state) => state.visible > 20, 2000);
    await page.locator('#interest').fill('20');
    await until(page, 'fewer', (state) => state.visible < visible / 2, 2000);
  }));

test('measurements of every shard are plotted', () =>
  withPage({ shards: 3 }, async (page) => {
    await page.locator('.shard').nth(2).waitFor();
    await page.locator('.plot b', { hasText: 'µs' }).first().waitFor({ timeout: 3000 });
    assert.equal(await page.locator('.plot canvas[aria-label]').count(), 9);
    assert.equal(await page.locator('#status-text').textContent(), '');
  }));

test('a server that goes away is told in words, and met again when it returns', () =>
  withPage({ entities: 300 }, async (page, server) => {
    await server.stop();
    await page.locator('#notice', { hasText: 'No connection' }).waitFor({ timeout: 3000 });
    assert.equal((await stateOf(page)).connected, false);
    const again = new MockServer({ entities: 400, port: server.options.port });
    await again.start();
    try {
      await until(page, 'joined again', ({ standing, entities, moving }) => standing === 'in' && entities === 401 && moving > 0, 8000);
      assert.equal((await stateOf(page)).errors.length, 0);
      await page.close();
    } finally {
      await again.stop();
      await server.start();
    }
  }, /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_ABORTED/));

test('a delta that cannot be read ends the connection, and a fresh one heals it', () =>
  withPage({ entities: 500 }, async (page, server) => {
    for (const client of server.clients) client.lie = true;
    const { errors } = await until(page, 'noticed', (state) => state.errors.length > 0, 2000);
    assert.match(errors[0], /cannot be read/);
    await until(page, 'healed', ({ standing, visible }) => standing === 'in' && visible > 0, 5000);
  }));

test('a server of another layout is told apart, and nothing it sends is read', async () => {
  const server = new MockServer({ layout: 2 });
  const { page } = await browser.open(await server.start());
  try {
    await page.locator('#notice', { hasText: 'layout 2, not 1' }).waitFor({ timeout: 5000 });
    const { standing, tick, greeting } = await stateOf(page);
    assert.deepEqual([standing, tick, greeting], ['out', -1, undefined]);
  } finally {
    await page.close();
    await server.stop();
  }
});

test('on a phone nothing is wider than the screen', async () => {
  const phone = await openBrowser({ width: 390, height: 844 });
  const server = new MockServer({ shards: 8 });
  try {
    const { page, faults } = await phone.open(await server.start());
    await until(page, 'measured', ({ statusShards, moving }) => statusShards === 8 && moving > 0, 5000);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
    assert.deepEqual(faults, []);
  } finally {
    await phone.close();
    await server.stop();
  }
});

/** Pixels of the canvas that are far from the ground's colour. @param {import('playwright-core').Page} page */
function litPixels(page) {
  return page.evaluate(() => {
    const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById('world'));
    const { data } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')).getImageData(0, 0, canvas.width, canvas.height);
    let lit = 0;
    for (let at = 0; at < data.length; at += 4) if (Number(data[at]) + Number(data[at + 1]) + Number(data[at + 2]) > 300) lit += 1;
    return lit;
  });
}

/**
 * How often each colour, as 0xRRGGBB, is on a part of the canvas.
 * @param {import('playwright-core').Page} page
 * @param {number} left @param {number} top @param {number} width @param {number} height
 */
async function colours(page, left, top, width, height) {
  const counts = await page.evaluate((part) => {
    const [left, top, width, height] = part.map(Math.round);
    const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById('world'));
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    const { data } = context.getImageData(Number(left), Number(top), Number(width), Number(height));
    /** @type {Map<number, number>} */
    const counts = new Map();
    for (let at = 0; at < data.length; at += 4) {
      const rgb = (Number(data[at]) << 16) | (Number(data[at + 1]) << 8) | Number(data[at + 2]);
      counts.set(rgb, (counts.get(rgb) ?? 0) + 1);
    }
    return [...counts];
  }, [left, top, width, height]);
  return new Map(counts);
}

/** @param {Map<number, number>} counts */
function commonest(counts) {
  return [...counts].reduce((most, one) => (one[1] > most[1] ? one : most))[0];
}

/** Whether two colours are the same but for rounding. @param {number} one @param {number} other */
function near(one, other) {
  return [16, 8, 0].every((shift) => Math.abs(((one >> shift) & 255) - ((other >> shift) & 255)) <= 2);
}

/**
 * The sum of the three channels that half of these pixels exceed.
 * @param {import('playwright-core').Page} page @param {[number, number][]} pixels
 */
function brightness(page, pixels) {
  return page.evaluate((pixels) => {
    const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById('world'));
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    // A line between two pixels is in both: the brighter one counts.
    const sum = (/** @type {number} */ left, /** @type {number} */ top) => {
      const at = 4 * (top * canvas.width + left);
      return Number(data[at]) + Number(data[at + 1]) + Number(data[at + 2]);
    };
    const sums = pixels.map(([x, y]) => {
      const [left, top] = [Math.floor(x), Math.floor(y)];
      return Math.max(sum(left, top), sum(left - 1, top), sum(left, top - 1));
    });
    return Number(sums.sort((one, other) => one - other)[Math.floor(sums.length / 2)]);
  }, pixels);
}

/** As the page has it. */
const GROUND = 0x0c1016;
