// One event: its JSON, filters from its values, marks, copies, its delete.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { closeBrowser, open, until } from './support/browser.mjs';
import { address, rows, untilTotal } from './support/search.mjs';
import { shared } from './support/server.mjs';

const server = shared();
/** @type {string} */
let key;
before(async () => {
  key = (await server.key(['events:read', 'events:update', 'events:delete'])).key;
});
after(closeBrowser);

/** A few events of their own, and the search of them. */
async function opened(t, name, how = {}) {
  const events = [0, 1, 2].map((at) => ({ event_type: name, source: 'tests', severity: 'warn', message: `${name} ${at}`, resource_id: `r${at}`, payload: { at, long: 12345678901234567890n.toString(), deep: { list: [1, 2, { three: null }] } } }));
  await server.store(events);
  const page = await open(server, { key, at: `#/search?event_type=${name}`, ...how });
  t.after(() => page.done());
  await untilTotal(page, 3);
  await rows(page).first().click();
  const detail = page.getByRole('complementary', { name: 'Event detail' });
  await detail.getByRole('heading', { name }).waitFor();
  return { page, detail };
}

const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());

test('an event is shown whole, its JSON highlighted', async (t) => {
  const { detail } = await opened(t, 'tests.whole');
  await detail.getByText('tests.whole 2').first().waitFor();
  await detail.getByText('Whole event as JSON').click();
  const json = detail.getByRole('region', { name: 'Event as JSON' }).or(detail.getByLabel('Event as JSON'));
  const [event] = (await server.get('events?event_type=tests.whole&limit=1')).events;
  await until(async () => ((await json.first().textContent()) ?? '').replace(/\s/g, ''), (text) => text.includes(JSON.stringify(event.payload.deep).replace(/\s/g, '')), 'the JSON is there');
  const kinds = await json.first().evaluate((element) => new Set([...element.querySelectorAll('span')].map((span) => getComputedStyle(span).color)).size);
  assert.ok(kinds >= 3, `keys, texts and numbers have colours: ${kinds}`);
});

test('a value becomes a filter, or is excluded', async (t) => {
  const { page, detail } = await opened(t, 'tests.filter');
  await detail.getByRole('button', { name: 'Filter by this value: Resource id r2' }).click();
  await untilTotal(page, await server.total('event_type=tests.filter&resource_id=r2'));
  assert.equal(address(page).get('resource_id'), 'r2');
  await page.goBack();
  await untilTotal(page, 3);
  await detail.getByRole('button', { name: 'Exclude this value: Resource id r2' }).click();
  await untilTotal(page, 2);
});

test('it is copied as curl, as NDJSON and as a link', async (t) => {
  const { page, detail } = await opened(t, 'tests.copy');
  const [event] = (await server.get('events?event_type=tests.copy&limit=1')).events;
  await detail.getByRole('button', { name: 'Copy as NDJSON' }).click();
  await until(() => clipboard(page), (text) => text.startsWith('{'), 'the event is copied');
  assert.deepEqual(JSON.parse(await clipboard(page)), event);
  await detail.getByRole('button', { name: 'Copy as curl' }).click();
  const line = await until(() => clipboard(page), (text) => text.startsWith('curl'), 'a curl line is copied');
  assert.ok(line.includes(`/annals/v1/events/${event.sequence}`) && !line.includes(key), `a line without the key: ${line}`);
  await detail.getByRole('button', { name: 'Copy link' }).click();
  const link = await until(() => clipboard(page), (text) => text.startsWith('http'), 'a link is copied');
  const other = await open(server, { key, at: new URL(link).hash });
  t.after(() => other.done());
  await other.getByRole('complementary', { name: 'Event detail' }).getByRole('heading', { name: 'tests.copy' }).waitFor();
  await page.getByRole('button', { name: 'Copy', exact: true }).click();
  await page.getByRole('button', { name: 'Copy this page as NDJSON' }).click();
  const lines = await until(async () => (await clipboard(page)).split('\n'), (found) => found.length === 3, 'three lines are copied');
  assert.deepEqual(lines.map((text) => JSON.parse(text).message), ['tests.copy 2', 'tests.copy 1', 'tests.copy 0']);
});

test('it is acknowledged and unacknowledged', async (t) => {
  const { page, detail } = await opened(t, 'tests.marks');
  await detail.getByRole('button', { name: 'Acknowledge', exact: true }).click();
  await until(() => server.total('event_type=tests.marks&acknowledged=true'), (total) => total === 1, 'it is acknowledged');
  await detail.getByRole('button', { name: 'Unacknowledge' }).click();
  await until(() => server.total('event_type=tests.marks&acknowledged=true'), (total) => total === 0, 'it is no longer');
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  await page.keyboard.press('a');
  await until(() => server.total('event_type=tests.marks&acknowledged=true'), (total) => total === 1, 'by keys too');
  await page.getByRole('combobox', { name: 'Acknowledged' }).selectOption('false');
  await untilTotal(page, 2);
});

test('it is deleted after a question', async (t) => {
  const { page, detail } = await opened(t, 'tests.gone');
  await detail.getByRole('button', { name: 'Delete event' }).click();
  const dialog = page.getByRole('alertdialog', { name: 'Delete this event?' });
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  assert.equal(await server.total('event_type=tests.gone'), 3);
  await detail.getByRole('button', { name: 'Delete event' }).click();
  await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
  await untilTotal(page, 2);
  assert.equal(await server.total('event_type=tests.gone'), 2);
});

test('what the key may not do is not offered', async (t) => {
  const reader = (await server.key(['events:read'])).key;
  const { page, detail } = await opened(t, 'tests.reader', { key: reader });
  for (const name of ['Acknowledge', 'Delete event']) assert.equal(await detail.getByRole('button', { name, exact: true }).count(), 0, name);
  assert.equal(await page.getByRole('button', { name: 'Notifications' }).count(), 0);
  assert.equal(await page.getByRole('link', { name: /Admin/ }).count(), 0);
});
