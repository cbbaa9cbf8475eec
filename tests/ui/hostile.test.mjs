// What is in events is somebody else's: markup, control characters, bidi marks and a mebibyte are shown as text and break nothing.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { closeBrowser, open, until } from './support/browser.mjs';
import { column, rows } from './support/search.mjs';
import { ADMIN, startServer } from './support/server.mjs';

const server = await startServer();
after(async () => {
  await closeBrowser();
  await server.stop();
});

const MARKUP = '<img src=x onerror="window.hit=1"><script>window.hit=1</script><style>*{display:none}</style><a href="javascript:window.hit=1">x</a>';
const BIDI = 'a\u202etxt.exe\u202c\u2066b\u2069\u200b\ufeff';
const CONTROLS = 'tab\tline\nnext\u0000end\u0007\u001b[31mred';
/** With the content below an event of nearly a mebibyte, the largest there is. */
const LONG = 'w'.repeat(500_000);
const KEYWORDS = ['source', 'user_id', 'resource_id', 'project_id', 'path', 'ip_address', 'status', 'session_id'];

/** @param {string} name @param {string} text */
function hostile(name, text) {
  const event = { event_type: `hostile.${name}`, severity: 'error', notification: true, message: text.slice(0, 8000), content: text, payload: { [text.slice(0, 200)]: text, list: [text.slice(0, 100)] } };
  for (const field of KEYWORDS) event[field] = text.slice(0, 500).replaceAll('\u0000', '');
  event.realm_ids = [text.slice(0, 100).replaceAll('\u0000', '') || 'x'];
  return event;
}

const EVENTS = [
  hostile('markup', MARKUP), hostile('bidi', BIDI), hostile('controls', CONTROLS.replaceAll('\u0000', '')),
  { event_type: 'hostile.long', severity: 'warn', message: 'm'.repeat(8000), content: 'c'.repeat(500_000), payload: { text: LONG, deep: JSON.parse('['.repeat(40) + ']'.repeat(40)) } },
  { event_type: MARKUP.slice(0, 80), severity: '<b>x</b>', message: 'the type itself', notification: true },
  { event_type: 'hostile.proto', message: 'members with names of their own', payload: { __proto__: null, constructor: 'x', toString: 1, 'a"b': "c'd" } },
];

/** Nothing of the content has become part of the page. */
async function harmless(page) {
  const found = await page.evaluate(() => ({
    hit: Reflect.get(window, 'hit') ?? null,
    made: document.querySelectorAll('#app img, #app script, #app style, #app a[href^="javascript"], dialog img, .popover img').length,
    hidden: getComputedStyle(document.body).display,
  }));
  assert.deepEqual(found, { hit: null, made: 0, hidden: 'block' });
}

test('every view shows hostile events as text', async (t) => {
  await server.store(EVENTS);
  const page = await open(server, { key: ADMIN });
  t.after(() => page.done());
  await until(() => rows(page).count(), (count) => count === EVENTS.length, 'all rows are there');
  const messages = await column(page, 'message');
  assert.ok(messages.some((text) => text.startsWith('<img src=x onerror=')), 'markup is text');
  assert.ok(!messages.some((text) => /[\u202a-\u202e\u2066-\u2069\u0000-\u0008\u001b]/.test(text)), 'marks that turn text round are written out');
  await harmless(page);
  for (let index = 0; index < EVENTS.length; index += 1) {
    await rows(page).nth(index).click();
    await page.getByRole('complementary', { name: 'Event detail' }).getByRole('heading').first().waitFor();
    await page.getByText('Whole event as JSON').click();
    await harmless(page);
  }
  await page.getByRole('button', { name: 'Statistics', exact: true }).click();
  await page.getByRole('region', { name: 'Statistics' }).getByText('hostile.').first().waitFor();
  await harmless(page);
  await page.getByRole('button', { name: 'Add filter' }).click();
  const editor = page.getByRole('dialog', { name: 'Add filter' });
  for (const field of ['Source', 'Realm id', 'Type']) {
    await editor.getByLabel('Field').selectOption({ label: field });
    await editor.getByRole('listbox', { name: 'Values' }).getByRole('option').first().waitFor();
    await harmless(page);
  }
  await editor.getByRole('listbox', { name: 'Values' }).getByRole('option').filter({ hasText: '<img' }).first().click();
  await editor.getByRole('button', { name: 'Apply' }).click();
  await until(() => page.getByRole('group', { name: 'Filters' }).textContent(), (text) => (text ?? '').includes('<img'), 'the chip shows it');
  await harmless(page);
  await page.getByRole('button', { name: 'Notifications' }).click();
  await page.getByRole('dialog', { name: 'Notifications' }).getByRole('listitem').first().waitFor();
  await harmless(page);
  await page.goto(`${server.url}/ui/#/live`);
  await page.getByRole('status', { name: 'Connection' }).getByText('Live', { exact: true }).waitFor();
  await page.mouse.move(2, 2);
  await server.store([hostile('live', MARKUP)]);
  await until(() => column(page, 'event_type'), (types) => types.includes('hostile.live'), 'it comes');
  await harmless(page);
});

test('the page stays within its width with a mebibyte in an event', async (t) => {
  const page = await open(server, { key: ADMIN, at: '#/search?event_type=hostile.long', width: 1000 });
  t.after(() => page.done());
  await rows(page).first().click();
  const detail = page.getByRole('complementary', { name: 'Event detail' });
  await detail.getByRole('heading').first().waitFor();
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing sticks out');
  const begun = Date.now();
  await page.keyboard.press('Escape');
  await detail.waitFor({ state: 'hidden' });
  assert.ok(Date.now() - begun < 3000, 'the page answers');
});

test('addresses that somebody made up break nothing', async (t) => {
  for (const at of ['#/search?q=%3Cimg%20src=x%20onerror=alert(1)%3E', '#/search?page=-7&size=99999999&sort=nonsense&cols=%3Cb%3E,__proto__', '#/search?from=never&to=%00&range=999999w', '#/nowhere?x=1', '#/search?event=%3Cscript%3E', '#/search?not.source=', '#%E0%A4%A', '#/search?__proto__=1&prefix.=2']) {
    const page = await open(server, { key: ADMIN, at });
    await page.getByRole('searchbox', { name: 'Search text' }).waitFor();
    await page.waitForTimeout(300);
    await harmless(page);
    await page.done();
  }
  assert.ok(true);
});
