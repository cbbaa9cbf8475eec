// The page by keys alone.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { closeBrowser, open, until } from './support/browser.mjs';
import { address, untilTotal } from './support/search.mjs';
import { shared } from './support/server.mjs';

const server = shared();
/** @type {string} */
let key;
before(async () => { key = (await server.key(['events:read', 'events:update', 'notifications:read'])).key; });
after(closeBrowser);

const focused = (page) => page.evaluate(() => document.activeElement?.getAttribute('aria-label') || document.activeElement?.id || document.activeElement?.tagName);

test('signing in, searching, walking through events, opening and closing one', async (t) => {
  const page = await open(server);
  t.after(() => page.done());
  await until(() => page.getByLabel('Key', { exact: true }).evaluate((input) => input === document.activeElement), (is) => is, 'the key is asked for');
  await page.keyboard.insertText(key);
  await page.keyboard.press('Enter');
  await page.getByRole('grid', { name: 'Events' }).waitFor();
  await page.keyboard.press('/');
  assert.equal(await focused(page), 'Search text');
  await page.keyboard.type('ruby alpha');
  await untilTotal(page, await server.total('q=ruby+alpha'));
  await page.keyboard.press('Escape');
  await untilTotal(page, await server.total());
  await page.keyboard.press('Escape');
  const grid = page.getByRole('grid', { name: 'Events' });
  const active = () => grid.getAttribute('aria-activedescendant');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  assert.equal(await active(), 'row-1');
  await page.keyboard.press('k');
  assert.equal(await active(), 'row-0');
  await page.keyboard.press('End');
  await until(active, (row) => row !== 'row-0', 'the last row');
  await page.keyboard.press('Home');
  await page.keyboard.press('Enter');
  const detail = page.getByRole('complementary', { name: 'Event detail' });
  await detail.waitFor();
  const sequence = address(page).get('event');
  await page.keyboard.press('Escape');
  await detail.waitFor({ state: 'hidden' });
  assert.equal(await focused(page), 'Events', 'the focus is back in the table');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await until(async () => address(page).get('event'), (event) => event !== null && event !== sequence, 'the next one is open');
  await page.keyboard.press('Escape');
});

test('? lists the keys, and each view is reached by g', async (t) => {
  const page = await open(server, { key });
  t.after(() => page.done());
  await page.getByRole('grid', { name: 'Events' }).waitFor();
  await page.keyboard.press('?');
  const help = page.getByRole('dialog', { name: /Keyboard/ });
  await help.waitFor();
  for (const words of ['Next event', 'Go to the text search', 'Close the detail']) assert.ok((await help.textContent())?.includes(words), words);
  await page.keyboard.press('Escape');
  await help.waitFor({ state: 'hidden' });
  await page.keyboard.press('g');
  await page.keyboard.press('l');
  await until(async () => new URL(page.url()).hash, (hash) => hash.startsWith('#/live'), 'the live view');
  await page.keyboard.press('g');
  await page.keyboard.press('s');
  await until(async () => new URL(page.url()).hash, (hash) => hash.startsWith('#/search'), 'the search');
  await page.getByRole('slider', { name: 'Histogram' }).waitFor();
  // A view that comes late takes the focus, and what is open closes.
  const bell = page.getByRole('dialog', { name: 'Notifications' });
  await until(async () => {
    if (!(await bell.isVisible())) await page.keyboard.press('b');
    await page.waitForTimeout(300);
    return bell.isVisible();
  }, (is) => is, 'the bell');
  await page.keyboard.press('Escape');
});

test('a filter is made by keys alone', async (t) => {
  const page = await open(server, { key });
  t.after(() => page.done());
  await page.getByRole('grid', { name: 'Events' }).waitFor();
  await page.keyboard.press('f');
  const editor = page.getByRole('dialog', { name: 'Add filter' });
  await editor.waitFor();
  await until(() => focused(page), (name) => name === 'Value', 'the value is typed');
  await page.keyboard.type('server.reb');
  await until(() => editor.getByRole('listbox', { name: 'Values' }).getByRole('option').first().textContent(), (text) => (text ?? '').startsWith('server.rebooted'), 'it is suggested');
  await page.keyboard.press('Enter');
  await editor.getByRole('list', { name: 'Chosen values' }).getByText('server.rebooted').waitFor();
  await page.keyboard.press('Enter');
  await untilTotal(page, await server.total('event_type=server.rebooted'));
});

test('everything that has the focus shows it, and the tab key goes through all of it', async (t) => {
  const page = await open(server, { key });
  t.after(() => page.done());
  await page.getByRole('grid', { name: 'Events' }).waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Skip to content');
  const seen = new Set();
  for (let step = 0; step < 60; step += 1) {
    await page.keyboard.press('Tab');
    const { name, visible } = await page.evaluate(() => {
      const at = /** @type {HTMLElement} */ (document.activeElement);
      const style = getComputedStyle(at);
      const around = at.parentElement ? getComputedStyle(at.parentElement) : style;
      const within = [...at.children].map((child) => getComputedStyle(child));
      const ring = [style, around, ...within].some((each) => (each.outlineStyle !== 'none' && each.outlineWidth !== '0px') || each.boxShadow !== 'none');
      return { name: at.getAttribute('aria-label') ?? at.textContent?.trim() ?? at.tagName, visible: ring || at.tagName === 'BODY' };
    });
    assert.ok(visible, `the focus on "${name}" is to be seen`);
    seen.add(name);
  }
  for (const name of ['Search text', 'Add filter', 'Columns', 'Events', 'Next page', 'Histogram']) assert.ok(seen.has(name), `${name} is reached: ${[...seen].join(', ')}`);
});
