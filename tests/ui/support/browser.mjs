// A browser, and the page in it as a person has it: signed in, in a theme and a width. Every page is watched: an exception,
// a breach of the policy, or a request to another host fails the test that it happens in.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { chromium } from 'playwright-core';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
/** A slow machine is no reason to fail; what must be fast is measured where it is said so. */
export const PATIENCE_MS = 15_000;

/** @type {import('playwright-core').Browser | null} */
let running = null;

/** The browser, with a profile that nobody has used. */
async function browser() {
  running ??= await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
  return running;
}

/** To be called after all tests of a file. */
export async function closeBrowser() {
  await running?.close();
  running = null;
}

/** @typedef {{key?: string, theme?: 'light' | 'dark', width?: number, height?: number, at?: string, timezone?: string, watch?: boolean}} How */

/**
 * Opens the page; with a key it is signed in as a person does it.
 * @param {import('./server.mjs').Server} server
 * @param {How} [how]
 */
export async function open(server, how = {}) {
  const { key, theme = 'light', width = 1440, height = 900, at = '', watch = true } = how;
  const launched = await browser();
  const context = await launched.newContext({
    viewport: { width, height }, colorScheme: theme, timezoneId: how.timezone ?? 'Europe/Berlin', locale: 'en-GB', permissions: ['clipboard-read', 'clipboard-write'],
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const wrong = watched(page, server);
  await fromDisk(page);
  await page.goto(`${server.url}/ui/${at}`);
  if (key) await signIn(page, key);
  /** @type {Opened} */
  const opened = Object.assign(page, {
    async done() {
      await context.close();
      if (watch) assert.deepEqual(wrong, [], 'the page had errors');
    },
    wrong,
  });
  return opened;
}

/** @typedef {import('playwright-core').Page & {done(): Promise<void>, wrong: string[]}} Opened */

/** @param {import('playwright-core').Page} page @param {string} key */
export async function signIn(page, key) {
  await page.getByLabel('Key', { exact: true }).fill(key);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
}

/** @param {import('playwright-core').Page} page @param {import('./server.mjs').Server} server @returns {string[]} what went wrong so far */
function watched(page, server) {
  /** @type {string[]} */
  const wrong = [];
  page.on('pageerror', (error) => wrong.push(`exception: ${error.stack ?? error.message}`));
  page.on('console', (message) => {
    // What the server refuses is shown to the person; the browser writes it down as well.
    const refused = /Failed to load resource: (the server responded with a status of|net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING|NETWORK_CHANGED|ABORTED))/;
    if (message.type() === 'error' && !refused.test(message.text())) wrong.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:' && url.protocol !== 'blob:' && url.origin !== new URL(server.url).origin) wrong.push(`request to ${url.origin}`);
  });
  return wrong;
}

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' };

/** With UI_FILES the page's files come from that folder: whoever works on them need not build anything. */
async function fromDisk(page) {
  const folder = process.env.UI_FILES;
  if (!folder) return;
  await page.route('**/ui/**', async (route) => {
    const path = new URL(route.request().url()).pathname.replace(/^.*?\/ui\//, '') || 'index.html';
    const body = await readFile(join(folder, path)).catch(() => null);
    if (body === null) return route.fulfill({ status: 404 });
    const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    return route.fulfill({ body, contentType: TYPES[extname(path)] ?? 'application/octet-stream', headers: { 'content-security-policy': policy, 'cache-control': 'no-cache' } });
  });
}

/** Asks until a condition holds. @template T @param {() => Promise<T>} ask @param {(found: T) => boolean} holds @param {string} what */
export async function until(ask, holds, what) {
  const begun = Date.now();
  for (;;) {
    const found = await ask();
    if (holds(found)) return found;
    if (Date.now() - begun > PATIENCE_MS) assert.fail(`${what}; it is ${JSON.stringify(found)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
