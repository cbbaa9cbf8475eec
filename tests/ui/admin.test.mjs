// Administration: deletes with a preview, clean-up, retention, keys, the store's health; and that what a key may not do is not offered.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { closeBrowser, open, until } from './support/browser.mjs';
import { addFilter } from './support/search.mjs';
import { ADMIN, startServer } from './support/server.mjs';

const server = await startServer();
after(async () => {
  await closeBrowser();
  await server.stop();
});
const DAY_MS = 86_400_000;
before(async () => {
  const event = (at) => ({ event_type: at % 3 === 0 ? 'old.thing' : 'new.thing', severity: at % 3 === 0 ? 'warn' : 'info', created_at: new Date(Date.now() - (at % 3 === 0 ? 200 : 2) * DAY_MS - at).toISOString(), message: `thing ${at}` });
  await server.store(Array.from({ length: 300 }, (_, at) => event(at)));
});

async function administration(t, section, how = {}) {
  const page = await open(server, { key: ADMIN, at: `#/admin?section=${section}`, ...how });
  t.after(() => page.done());
  await page.getByRole('navigation', { name: 'Administration' }).waitFor();
  return page;
}

const preview = (page) => page.getByRole('region', { name: 'Preview' });
const counted = (page, number) => until(async () => (await preview(page).textContent()) ?? '', (text) => text.includes(`${number.toLocaleString('en-GB')} events would be deleted`), `${number} would be deleted`);

/** The dialog that wants the number typed. */
async function confirm(page, number, button) {
  const dialog = page.getByRole('alertdialog');
  const act = dialog.getByRole('button', { name: button });
  assert.equal(await act.isDisabled(), true, 'not before the number is typed');
  await dialog.getByLabel('Number of events to confirm').fill(String(number + 1));
  assert.equal(await act.isDisabled(), true, 'not with another number');
  await dialog.getByLabel('Number of events to confirm').fill(String(number));
  await act.click();
  await dialog.waitFor({ state: 'hidden' });
}

test('a delete by filter is previewed exactly, confirmed, done, and written down', async (t) => {
  const page = await administration(t, 'delete');
  await addFilter(page, 'Type', ['old.thing']);
  await counted(page, 100);
  await page.getByRole('searchbox', { name: 'Search text' }).fill('thing 1');
  const number = await server.total('event_type=old.thing&q=thing+1');
  await counted(page, number);
  await preview(page).getByRole('button', { name: /^Delete/ }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Cancel' }).click();
  assert.equal(await server.total(), 300);
  await preview(page).getByRole('button', { name: /^Delete/ }).click();
  await confirm(page, number, 'Delete for good');
  await until(() => server.total(), (total) => total === 300 - number, 'they are deleted');
  const [deed] = (await server.get('audit?event_type=events.deleted&limit=1')).events;
  assert.equal(deed.payload.count, number);
});

test('nothing is deleted without a filter', async (t) => {
  const page = await administration(t, 'delete');
  await preview(page).getByText(/there is nothing to delete/).waitFor();
  assert.equal(await preview(page).getByRole('button', { name: /^Delete/ }).count(), 0);
});

test('clean-up counts what is older, then deletes it', async (t) => {
  const page = await administration(t, 'cleanup');
  await page.getByLabel('Older than').fill('100');
  const old = await server.total('event_type=old.thing');
  await counted(page, old);
  const total = await server.total();
  await preview(page).getByRole('button', { name: /^Delete/ }).click();
  await confirm(page, old, 'Delete for good');
  await until(() => server.total(), (now) => now === total - old, 'the old ones are gone');
});

test('retention policies are tried, saved and ended', async (t) => {
  await server.store([{ event_type: 'old.again', created_at: new Date(Date.now() - 50 * DAY_MS).toISOString() }]);
  const page = await administration(t, 'retention');
  await page.getByRole('button', { name: 'Add policy' }).click();
  await page.getByLabel('Name of policy 1').fill('months');
  await page.getByLabel('Keep days of policy 1').fill('30');
  await page.getByRole('button', { name: 'Preview' }).click();
  await page.getByText(/^1 event of \d+ would be deleted now/).waitFor();
  await page.getByRole('button', { name: 'Save policies' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Save' }).click();
  await until(() => server.get('retention'), ({ policies }) => policies.length === 1 && policies[0].keep_days === 30, 'it is in force');
  await until(() => server.total('event_type=old.again'), (total) => total === 0, 'its pass has deleted the event');
  await page.getByRole('button', { name: 'Remove policy 1' }).click();
  await page.getByRole('button', { name: 'Save policies' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Save' }).click();
  await until(() => server.get('retention'), ({ policies }) => policies.length === 0, 'it has ended');
});

test('a policy that would delete more than half wants its number', async (t) => {
  // Ages are counted from the newest event if that lies back by more than a day.
  await server.store([{ event_type: 'new.today' }]);
  const page = await administration(t, 'retention');
  await page.getByRole('button', { name: 'Add policy' }).click();
  await page.getByLabel('Name of policy 1').fill('today');
  await page.getByLabel('Keep days of policy 1').fill('1');
  await page.getByRole('button', { name: 'Save policies' }).click();
  const number = await server.total(`to=${new Date(Date.now() - DAY_MS).toISOString()}`);
  await page.getByRole('alertdialog').getByText(`${number.toLocaleString('en-GB')} events`).waitFor();
  await confirm(page, number, 'Delete for good');
  await until(() => server.total(), (total) => total < number, 'they are deleted');
  await server.call('PUT', 'retention', { body: { policies: [] } });
});

test('a key is made, shown once, used and revoked', async (t) => {
  const page = await administration(t, 'keys');
  await page.getByRole('button', { name: 'Create key' }).click();
  const form = page.getByRole('dialog', { name: 'Create key' });
  await form.getByLabel('Name').fill('the shipper <b>');
  await form.getByRole('checkbox', { name: 'events:create' }).check();
  await form.getByRole('button', { name: 'Create', exact: true }).click();
  const shown = page.getByRole('alertdialog', { name: 'The key is made' });
  const secret = await shown.getByLabel('Secret of the key').inputValue();
  assert.match(secret, /^ann_/);
  assert.deepEqual((await server.get('me', { key: secret })).scopes, ['events:read', 'events:create']);
  await page.keyboard.press('Escape');
  assert.ok(await shown.isVisible(), 'it goes by its button alone');
  await shown.getByRole('button', { name: 'I have stored it' }).click();
  await page.getByText('the shipper <b>').first().waitFor();
  assert.ok(!(await page.content()).includes(secret), 'it is shown once');
  await page.getByRole('button', { name: 'Revoke key: the shipper <b>' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click();
  await until(async () => (await server.send('GET', 'me', { key: secret })).status, (status) => status === 401, 'it is refused');
});

test('the health of the store is shown: partitions, bytes, state, the last verification', async (t) => {
  const page = await administration(t, 'store');
  const { sealed_segments: sealed, events } = await server.get('store');
  const text = async () => (await page.getByRole('region', { name: 'Store', exact: true }).textContent()) ?? '';
  await until(text, (shown) => shown.includes(events.toLocaleString('en-GB')), `${events} events, ${sealed} segments`);
  await page.getByRole('button', { name: 'Verify the store' }).click();
  await page.getByText('The store is sound.').waitFor();
  const { last_verification: last } = await server.get('segments');
  assert.deepEqual([last.result, last.damages], ['done', 0]);
});

test('what a key may not do is not offered', async (t) => {
  const sections = async (scopes, more) => {
    const { key } = await server.key(scopes, more);
    const page = await open(server, { key });
    t.after(() => page.done());
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
    const link = page.getByRole('link', { name: 'Administration', exact: true });
    if ((await link.count()) === 0) return [];
    await link.click();
    const nav = page.getByRole('navigation', { name: 'Administration' });
    await nav.getByRole('link').first().waitFor();
    return nav.getByRole('link').allTextContents();
  };
  assert.deepEqual(await sections(['events:read']), []);
  assert.deepEqual(await sections(['events:read', 'events:delete']), ['Delete events', 'Clean-up']);
  assert.deepEqual(await sections(['events:retention']), ['Retention', 'Holds']);
  assert.deepEqual(await sections(['audit:read']), ['Audit trail']);
  assert.deepEqual(await sections(['admin'], { realms: ['a'] }), ['Delete events', 'Clean-up']);
  const all = await sections(['admin']);
  for (const name of ['Store', 'Keys', 'Users', 'Retention']) assert.ok(all.includes(name), name);
});
