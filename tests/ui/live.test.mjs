// The live tail: what is stored appears, the list holds still where a person looks, and no connection's end loses an event.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { closeBrowser, open, until } from './support/browser.mjs';
import { address, column } from './support/search.mjs';
import { ADMIN, shared, startServer } from './support/server.mjs';

const server = shared();
/** @type {string} */
let key;
before(async () => { key = (await server.key(['events:read'])).key; });
after(closeBrowser);

const status = (page) => page.getByRole('status', { name: 'Connection' });
/** The pointer over the list holds it still: it rests in a corner. */
const away = (page) => page.mouse.move(2, 2);

async function live(t, on, at = '#/live', how = {}) {
  const page = await open(on, { key: on === server ? key : ADMIN, at, ...how });
  t.after(() => page.done());
  await status(page).getByText('Live', { exact: true }).waitFor();
  await away(page);
  return page;
}

const numbered = (type, from, to) => Array.from({ length: to - from }, (_, at) => ({ event_type: type, message: `${type} ${from + at}`, source: 'tests' }));

test('events appear as they are stored, those that match', async (t) => {
  const page = await live(t, server, '#/live?event_type=live.first');
  await server.store([...numbered('live.first', 0, 2), { event_type: 'live.other', message: 'not this one' }]);
  await until(() => column(page, 'message'), (found) => found.join() === 'live.first 1,live.first 0', 'both are there, the latest first');
  await page.getByRole('searchbox', { name: 'Search text' }).fill('first 3');
  await until(async () => address(page).get('q'), (q) => q === 'first 3', 'the filters are in the address');
  await status(page).getByText('Live', { exact: true }).waitFor();
  await server.store(numbered('live.first', 2, 5));
  await until(() => column(page, 'message'), (found) => found.includes('live.first 3'), 'it is there');
  assert.ok(!(await column(page, 'message')).includes('live.first 4'), 'the filter holds');
});

test('a paused list catches up', async (t) => {
  const page = await live(t, server, '#/live?event_type=live.paused');
  await server.store(numbered('live.paused', 0, 1));
  await until(() => column(page, 'message'), (found) => found.length === 1, 'the first one is there');
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await status(page).getByText('Paused').waitFor();
  await away(page);
  await server.store(numbered('live.paused', 1, 4));
  const catchUp = page.getByRole('button', { name: /Show new events/ });
  await until(async () => (await catchUp.textContent()) ?? '', (text) => text.endsWith('3'), 'three wait');
  assert.equal((await column(page, 'message')).length, 1, 'and are not shown');
  await catchUp.click();
  await until(() => column(page, 'message'), (found) => found.length === 4, 'all are shown');
  await status(page).getByText('Live', { exact: true }).waitFor();
});

test('the list never jumps under the pointer', async (t) => {
  const page = await live(t, server, '#/live?event_type=live.pointer');
  await server.store(numbered('live.pointer', 0, 20));
  await until(() => column(page, 'message'), (found) => found.length === 20, 'twenty rows');
  const row = page.getByRole('gridcell', { name: 'live.pointer 15', exact: true });
  await row.hover();
  const before = await row.boundingBox();
  await server.store(numbered('live.pointer', 20, 30));
  await page.getByRole('button', { name: /Show new events/ }).waitFor();
  assert.deepEqual(await row.boundingBox(), before, 'it is where it was');
  await away(page);
  await until(() => column(page, 'message'), (found) => found[0] === 'live.pointer 29', 'they come when the pointer leaves');
});

test('a marked and a deleted event change in the list', async (t) => {
  const page = await live(t, server, '#/live?event_type=live.marks&cols=created_at,acknowledged,message');
  await server.store(numbered('live.marks', 0, 2));
  await until(() => column(page, 'message'), (found) => found.length === 2, 'both are there');
  const [last, first] = (await server.get('events?event_type=live.marks')).events;
  await server.call('POST', `events/${first.sequence}/acknowledge`);
  await until(() => column(page, 'acknowledged'), (found) => found.filter((text) => text === 'yes').length === 1, 'the mark is shown');
  await server.call('DELETE', `events/${last.sequence}`);
  await until(() => column(page, 'message'), (found) => found.join() === 'live.marks 0', 'the deleted one is gone');
});

test('a connection that breaks off comes back without a gap', async (t) => {
  const own = await startServer();
  t.after(() => own.stop());
  await own.store(numbered('a', 0, 1));
  const page = await live(t, own, '#/live');
  await own.store(numbered('a', 1, 3));
  await until(() => column(page, 'message'), (found) => found.length === 3, 'three are there');
  await own.halt();
  await status(page).getByText('Not connected').waitFor();
  await own.start();
  await own.store(numbered('a', 3, 6));
  await until(() => column(page, 'message'), (found) => found.join() === 'a 5,a 4,a 3,a 2,a 1,a 0', 'each of them once, in order');
  await status(page).getByText('Live', { exact: true }).waitFor();
});

test('what is deleted while nobody is connected is told as a gap', async (t) => {
  const own = await startServer();
  t.after(() => own.stop());
  await own.store(numbered('a', 0, 1));
  const page = await live(t, own, '#/live');
  // The server tells a gap by what its files cover; here it is told by an answer of its own.
  await page.route('**/annals/v1/tail?*', (route) => route.fulfill({ contentType: 'text/event-stream', body: 'event: gap\ndata: {"from":2,"first":9}\n\nid: 9\n\n' }));
  await own.halt();
  await own.start();
  await page.getByRole('log', { name: 'Notes on the list' }).getByText(/Gap: 7 events/).waitFor();
  await page.unroute('**/annals/v1/tail?*');
});

test('the end of the session ends the tail', async (t) => {
  const { key: short, id } = await server.key(['events:read']);
  const page = await open(server, { key: short, at: '#/live' });
  t.after(() => page.done());
  await status(page).getByText('Live', { exact: true }).waitFor();
  await server.call('DELETE', `keys/${id}`);
  await page.getByText(/You were signed out/).waitFor({ timeout: 40_000 });
});
