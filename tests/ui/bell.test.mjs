// The bell: notifications by severity, read and acknowledged, live.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { closeBrowser, open, until } from './support/browser.mjs';
import { startServer } from './support/server.mjs';

const server = await startServer();
after(async () => {
  await closeBrowser();
  await server.stop();
});

const SEVERITIES = ['error', 'warn', 'info', 'success'];

/** A person of its own, who has read nothing. */
async function person(t, name, scopes = ['events:read', 'events:update', 'notifications:read']) {
  const { key } = await server.key(scopes, { user_id: name });
  const page = await open(server, { key });
  t.after(() => page.done());
  return { page, key, bell: page.getByRole('button', { name: 'Notifications', exact: true }) };
}

const description = (bell) => bell.evaluate((button) => document.getElementById(button.getAttribute('aria-describedby') ?? '')?.textContent);
const panel = (page) => page.getByRole('dialog', { name: 'Notifications' });
const items = (page) => panel(page).getByRole('list', { name: 'Notifications' }).getByRole('listitem');

test('events marked as notifications ring it at once, coloured by severity', async (t) => {
  const { page, bell } = await person(t, 'ada');
  await until(() => description(bell), (text) => text === '0 unread', 'nothing is unread');
  await server.store([...SEVERITIES.map((severity) => ({ event_type: `disk.${severity}`, severity, notification: true, message: `a ${severity}`, content: 'More about it' })), { event_type: 'a', message: 'none' }]);
  await until(() => description(bell), (text) => text === '4 unread', 'four are unread');
  assert.equal(await page.locator('.bell-badge').evaluate((badge) => getComputedStyle(badge, '::after').content), '"4"');
  await bell.click();
  await until(() => items(page).count(), (count) => count === 4, 'four are listed');
  const titles = await items(page).getByRole('link').allTextContents();
  assert.deepEqual(titles, ['a success', 'a info', 'a warn', 'a error'], 'the newest first');
  const colours = await items(page).evaluateAll((all) => all.map((item) => getComputedStyle(item.querySelector('.badge, .dot') ?? item).color + getComputedStyle(item).borderLeftColor));
  assert.equal(new Set(colours).size, 4, `each severity has its colour: ${colours.join('; ')}`);
});

test('a notification is read by one and acknowledged for all', async (t) => {
  await server.call('POST', 'notifications', { body: { title: 'Maintenance', message: 'On Monday', type: 'MAINTENANCE', severity: 'warn' } });
  const { page, key, bell } = await person(t, 'bob');
  const before = await until(() => description(bell), (text) => /[1-9]\d* unread/.test(text ?? ''), 'some are unread');
  const count = Number.parseInt(before ?? '', 10);
  await bell.click();
  await panel(page).getByRole('button', { name: 'Mark read: Maintenance' }).click();
  await until(() => description(bell), (text) => text === `${count - 1} unread`, 'one less');
  const { notifications } = await server.get('notifications', { key });
  assert.equal(notifications.find((one) => one.message === 'Maintenance').read, true);
  const acknowledge = panel(page).getByRole('button', { name: 'Acknowledge: Maintenance', exact: true });
  await acknowledge.click();
  await until(() => server.total('acknowledged=true&notification=true'), (total) => total === 1, 'it is acknowledged in the store');
  await panel(page).getByRole('button', { name: 'Unacknowledge: Maintenance' }).click();
  await until(() => server.total('acknowledged=true&notification=true'), (total) => total === 0, 'and no longer');
  await panel(page).getByRole('button', { name: 'Mark all read' }).click();
  await until(() => description(bell), (text) => text === '0 unread', 'all are read');
  assert.equal((await server.get('notifications?limit=0', { key })).unread, 0);
  const other = await person(t, 'eve');
  await until(() => description(other.bell), (text) => text === before, 'others have read nothing by that');
});

test('it follows what others do', async (t) => {
  const { page, bell } = await person(t, 'zoe');
  await bell.click();
  const [first] = (await server.get('notifications?limit=1')).notifications;
  await panel(page).getByRole('button', { name: `Acknowledge: ${first.message}`, exact: true }).waitFor();
  await server.call('POST', `events/${first.sequence}/acknowledge`);
  await panel(page).getByRole('button', { name: `Unacknowledge: ${first.message}` }).waitFor();
  await server.call('POST', `events/${first.sequence}/unacknowledge`);
  await server.call('DELETE', `notifications/${first.sequence}`);
  await until(() => panel(page).getByRole('link', { name: first.message, exact: true }).count(), (count) => count === 0, 'it is gone');
});

test('a link leads to the event', async (t) => {
  const { page, bell } = await person(t, 'max');
  await bell.click();
  const link = items(page).getByRole('link').first();
  const title = await link.textContent();
  await link.click();
  const detail = page.getByRole('complementary', { name: 'Event detail' });
  await detail.getByText(title ?? '').first().waitFor();
});

test('without the right to read notifications there is no bell, without that to update no acknowledging', async (t) => {
  const reader = await person(t, 'r1', ['events:read', 'notifications:read']);
  await reader.bell.click();
  await items(reader.page).first().waitFor();
  assert.equal(await panel(reader.page).getByRole('button', { name: /^Acknowledge:/ }).count(), 0);
  const blind = await person(t, 'r2', ['events:read']);
  await blind.page.getByRole('grid', { name: 'Events' }).waitFor();
  assert.equal(await blind.bell.count(), 0);
});
