// Opens pages in a headless Chromium of its own and collects what goes wrong in them. Knows nothing of the server.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

/**
 * Starts a browser with an empty profile.
 * @param {{width: number, height: number}} [viewport]
 */
export async function openBrowser(viewport = { width: 1280, height: 800 }) {
  const profile = await mkdtemp(join(tmpdir(), 'worldshard-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', headless: true, args: FLAGS, viewport,
  });
  return {
    /**
     * Opens a page. `faults` fills with every console error, uncaught exception and failed request but those that
     * `expected` matches.
     * @param {string} url
     * @param {RegExp} [expected]
     */
    async open(url, expected) {
      const page = await context.newPage();
      /** @type {string[]} */
      const faults = [];
      const fault = (/** @type {string} */ text) => {
        if (!expected?.test(text)) faults.push(text);
      };
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') fault(message.text());
      });
      page.on('pageerror', (error) => fault(String(error)));
      page.on('requestfailed', (request) => fault(`${request.url()}: ${request.failure()?.errorText}`));
      await page.goto(url);
      return { page, faults };
    },
    async close() {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

/** The page's own state, as plain data. @param {import('playwright-core').Page} page */
export function stateOf(page) {
  return page.evaluate(() => ({ .../** @type {any} */ (window).worldshard }));
}

/**
 * Waits until a function of the page's state holds; tells the last state when it never does.
 * @param {import('playwright-core').Page} page
 * @param {string} what
 * @param {(state: any) => boolean} holds
 * @param {number} timeoutMs
 */
export async function until(page, what, holds, timeoutMs) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const state = await stateOf(page);
    if (holds(state)) return state;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms; ${JSON.stringify(state)}`);
    await page.waitForTimeout(50);
  }
}
