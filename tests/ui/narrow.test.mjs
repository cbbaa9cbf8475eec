// At 400 px nothing is lost: what can be done on a wide screen can be done on a telephone.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { closeBrowser, open, until } from './support/browser.mjs';
import { notifications } from './support/sample.mjs';
import { addFilter, address, column, rows, untilTotal } from './support/search.mjs';
import { ADMIN, shared } from './support/server.mjs';
import { VIEWS } from './support/views.mjs';

const server = shared();
before(() => notifications(server));
after(closeBrowser);

const narrow = async (t, at = '') => {
  const page = await open(server, { key: ADMIN, at, width: 400, height: 800 });
  t.after(() => page.done());
  return page;
};

test('no view is wider than the screen', async () => {
  for (const view of VIEWS) {
    const page = await open(server, { key: view.signedOut ? undefined : ADMIN, at: view.at, width: 400, height: 800 });
    await view.reach(page);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 400, `${view.name} is ${width} px wide`);
    await page.done();
  }
});

test('searching, filtering, paging, sorting and reading an event', async (t) => {
  const page = await narrow(t);
  await untilTotal(page, await server.total());
  await addFilter(page, 'Severity', ['error']);
  const total = await server.total('severity=error');
  await untilTotal(page, total);
  await page.getByRole('button', { name: 'Next page' }).click();
  await until(async () => address(page).get('page'), (at) => at === '2', 'the second page');
  await page.getByRole('combobox', { name: 'Sort' }).selectOption('event_type');
  const { events } = await server.get('events?severity=error&sort=event_type&limit=1');
  await until(async () => (await column(page, 'message'))[0], (first) => first === events[0].message, 'sorted by type');
  await rows(page).first().click();
  const detail = page.getByRole('complementary', { name: 'Event detail' });
  await detail.getByRole('button', { name: 'Close detail' }).click();
  await detail.waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: 'Statistics', exact: true }).click();
  await page.getByRole('region', { name: 'Statistics' }).getByRole('listitem').first().waitFor();
  for (const name of [/^Time zone:/, /^Theme:/, 'Sign out', 'Notifications']) {
    assert.ok(await page.getByRole('button', { name }).first().isVisible(), `${name} is there`);
  }
  for (const name of ['Search', 'Live']) assert.ok(await page.getByRole('link', { name, exact: true }).isVisible(), `${name} is there`);
});

test('the histogram is brushed with a finger', async (t) => {
  const page = await narrow(t);
  const plot = page.getByRole('slider', { name: 'Histogram' });
  await until(() => plot.getAttribute('aria-valuetext'), (text) => /events? in/.test(text ?? ''), 'it is there');
  const box = await plot.boundingBox();
  const y = box.y + box.height / 2;
  const touch = (type, x) => plot.dispatchEvent(type, { pointerType: 'touch', pointerId: 2, isPrimary: true, clientX: x, clientY: y, button: 0, buttons: 1, bubbles: true });
  await plot.evaluate((element) => { element.setPointerCapture = () => {}; });
  await touch('pointerdown', box.x + box.width * 0.4);
  await touch('pointermove', box.x + box.width * 0.6);
  await touch('pointerup', box.x + box.width * 0.6);
  await until(async () => address(page).get('from'), (from) => from !== null, 'the range is chosen');
});
