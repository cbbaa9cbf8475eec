// Signing in and out, and what is said when the server refuses: 401, 403, 429, 503, no server.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { closeBrowser, open, signIn, until } from './support/browser.mjs';
import { untilTotal } from './support/search.mjs';
import { ADMIN, shared, startServer } from './support/server.mjs';

const server = shared();
after(closeBrowser);

test('a wrong key is said to be one, a right one opens the page', async (t) => {
  const page = await open(server);
  t.after(() => page.done());
  await page.getByLabel('Key', { exact: true }).fill('wrong');
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('alert').getByText('This key is not known here').waitFor();
  assert.equal(await page.getByLabel('Key', { exact: true }).getAttribute('type'), 'password');
  await signIn(page, ADMIN);
  await page.getByRole('grid', { name: 'Events' }).waitFor();
});

test('the key stays in the tab, never in the address, and goes when it is told to', async (t) => {
  const { key } = await server.key(['events:read']);
  const page = await open(server, { key });
  t.after(() => page.done());
  await page.reload();
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
  const kept = () => page.evaluate(() => [JSON.stringify(localStorage), document.cookie, location.href].join());
  assert.ok(!(await kept()).includes(key), 'neither in localStorage nor in a cookie nor in the address');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
  assert.ok(!(await page.evaluate(() => JSON.stringify(sessionStorage))).includes(key), 'it is forgotten');
  await page.getByLabel('Stay signed in until this tab is closed').uncheck();
  await signIn(page, key);
  assert.ok(!(await page.evaluate(() => JSON.stringify(sessionStorage))).includes(key), 'it is only in memory');
  await page.reload();
  await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
});

test('a revoked key ends the session with a word', async (t) => {
  const { key, id } = await server.key(['events:read']);
  const page = await open(server, { key });
  t.after(() => page.done());
  await page.getByRole('grid', { name: 'Events' }).waitFor();
  await server.call('DELETE', `keys/${id}`);
  await page.getByRole('searchbox', { name: 'Search text' }).fill('ruby', { timeout: 3000 }).catch(() => 'a request under way was refused first');
  await page.getByText(/You were signed out/).waitFor();
  await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
});

test('a key without any scope of the page is told so', async (t) => {
  const { key } = await server.key(['events:create']);
  const page = await open(server, { key });
  t.after(() => page.done());
  await page.getByRole('heading', { name: 'Nothing to see with this key' }).waitFor();
});

test('a key limited to a realm sees that realm alone', async (t) => {
  const [event] = (await server.get('events?limit=1&prefix.realm_id=')).events;
  const [realm] = event.realm_ids;
  const { key } = await server.key(['events:read'], { realms: [realm] });
  const page = await open(server, { key });
  t.after(() => page.done());
  await untilTotal(page, await server.total(`realm_id=${realm}`));
});

/** What the bar below the header says. */
const notice = (page) => page.getByRole('alert').filter({ has: page.locator('.notice') });

test('403, 429 and 503 are said in words, and pass', async (t) => {
  const page = await open(server, { key: ADMIN });
  t.after(() => page.done());
  await page.getByRole('grid', { name: 'Events' }).waitFor();
  const refuse = (status, code, message, headers = {}) => page.route('**/annals/v1/{events,stats}?*', (route) => route.fulfill({
    status, headers, contentType: 'application/json', body: JSON.stringify({ error: { code, message, request_id: 'r1' } }),
  }));
  for (const [status, code, message, headers, said] of [
    [403, 'forbidden', 'this needs the scope events:read', {}, /The key may not do this/],
    [429, 'rate_limited', 'too many requests of this key', { 'retry-after': '30' }, /Too many requests/],
    [503, 'busy', 'too many queries at once: retry later', { 'retry-after': '30' }, /The server cannot answer now/],
    [503, 'query_too_expensive', 'the query ran out of the time allowed', {}, /The query takes too long/],
  ]) {
    await refuse(status, code, message, headers);
    await page.getByRole('button', { name: 'Refresh' }).click();
    await notice(page).getByText(said).waitFor();
    assert.ok((await notice(page).textContent())?.toLowerCase().includes(message), message);
    if (headers['retry-after']) await notice(page).getByText(/Again in \d+ s/).waitFor();
    await page.unroute('**/annals/v1/{events,stats}?*');
    await page.getByRole('button', { name: 'Refresh' }).click();
    await until(() => notice(page).count(), (count) => count === 0, 'the message goes with the next answer');
  }
});

test('a real server that limits the key says so, and the page goes on by itself', async (t) => {
  const own = await startServer({ ANNALS_LIMITS_KEY_REQUESTS_PER_SECOND: '4', ANNALS_LIMITS_KEY_BURST: '1s' });
  t.after(() => own.stop());
  await own.store([{ event_type: 'a', message: 'the only one' }]);
  const { key } = await own.key(['events:read']);
  const page = await open(own, { key });
  t.after(() => page.done());
  const box = page.getByRole('searchbox', { name: 'Search text' });
  for (const text of ['t', 'th', 'the', 'the o']) {
    await box.fill(text);
    await page.waitForTimeout(200);
  }
  await page.getByText('Too many requests').waitFor();
  await untilTotal(page, 1);
  await until(() => notice(page).count(), (count) => count === 0, 'the message goes');
});

test('without its server the page says so and comes back with it', async (t) => {
  const own = await startServer();
  t.after(() => own.stop());
  await own.store([{ event_type: 'a' }]);
  const page = await open(own, { key: ADMIN });
  t.after(() => page.done());
  await untilTotal(page, 1);
  await own.halt();
  await page.getByRole('button', { name: 'Refresh' }).click();
  await notice(page).getByText('Connection lost.').waitFor();
  await own.start();
  await until(() => notice(page).count(), (count) => count === 0, 'it tries again by itself');
  await untilTotal(page, 1);
});
