// The histogram: exact counts under the pointer and by keys, ranges by brushing; and the statistics.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { closeBrowser, open, until } from './support/browser.mjs';
import { address, shownTotal, untilTotal } from './support/search.mjs';
import { shared } from './support/server.mjs';

const server = shared();
/** @type {string} */
let key;
before(async () => { key = (await server.key(['events:read'])).key; });
after(closeBrowser);

async function search(t, at = '') {
  const page = await open(server, { key, at, timezone: 'UTC' });
  t.after(() => page.done());
  const plot = page.getByRole('slider', { name: 'Histogram' });
  await until(() => plot.getAttribute('aria-valuetext'), (text) => /events? in/.test(text ?? ''), 'the histogram is there');
  return { page, plot };
}

/** "2026-08-25 00:00:00 to 2026-08-26 00:00:00: 11,111 events, 22 error" as numbers. */
function said(text) {
  const found = /^(.+?) to (.+?): ([\d,]+) events?(.*)$/.exec(text ?? '');
  assert.ok(found, `a bucket is read out: ${text}`);
  const [, from, to, count, rest] = found;
  const by = Object.fromEntries([...rest.matchAll(/(\d[\d,]*) ([a-z]+)/g)].map(([, size, name]) => [name, Number(size.replaceAll(',', ''))]));
  return { from: `${from.replace(' ', 'T')}Z`, to: `${to.replace(' ', 'T')}Z`, count: Number(count.replaceAll(',', '')), by };
}

test('the counts of a bucket are exact, by severity', async (t) => {
  const { page, plot } = await search(t);
  await plot.focus();
  for (let step = 0; step < 20; step += 1) await page.keyboard.press('ArrowRight');
  const bucket = said(await plot.getAttribute('aria-valuetext'));
  const stats = await server.get(`stats?from=${bucket.from}&to=${bucket.to}&by=severity`);
  assert.equal(bucket.count, stats.total);
  assert.deepEqual(bucket.by, stats.by.severity);
});

test('the pointer shows the same, and brushing is the time range', async (t) => {
  const { page, plot } = await search(t);
  const box = await plot.boundingBox();
  const at = (part) => [box.x + box.width * part, box.y + box.height / 2];
  await page.mouse.move(...at(0.5));
  const tip = page.locator('.histogram-tip');
  await tip.waitFor();
  assert.match((await tip.locator('.histogram-total').textContent()) ?? '', /^[\d,]+ events?$/);
  await page.mouse.move(...at(0.4));
  await page.mouse.down();
  await page.mouse.move(...at(0.5), { steps: 5 });
  const brushed = (await tip.locator('.histogram-total').textContent()) ?? '';
  await page.mouse.up();
  await until(async () => address(page).get('from'), (from) => from !== null, 'the range is in the address');
  const { from, to } = Object.fromEntries(address(page));
  const total = await server.total(`from=${from}&to=${to}`);
  await untilTotal(page, total);
  assert.equal(brushed, `${total.toLocaleString('en-GB')} events`, 'what brushing said is what is found');
});

test('a range is chosen by keys too', async (t) => {
  const { page, plot } = await search(t);
  await plot.focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Shift+ArrowLeft');
  await page.keyboard.press('Shift+ArrowLeft');
  const range = said(await plot.getAttribute('aria-valuetext'));
  await page.keyboard.press('Enter');
  await until(() => shownTotal(page), (total) => total === range.count, 'the range has what was read out');
});

test('severities are coloured and a click on one filters', async (t) => {
  const { page } = await search(t);
  const severities = ['error', 'warn', 'info', 'success'];
  const colours = await page.evaluate((names) => names.map((name) => {
    const bar = document.querySelector(`.histogram-bar[data-severity="${name}"]`);
    return bar ? getComputedStyle(bar).fill : '';
  }), severities);
  assert.equal(new Set(colours).size, severities.length, `four colours: ${colours}`);
  const { by } = await server.get('stats?by=severity');
  const legend = page.getByRole('group', { name: 'By severity' });
  for (const name of severities) {
    const text = await legend.getByRole('button', { name: new RegExp(`\\b${name}\\b`) }).textContent();
    assert.ok(text?.endsWith((by.severity[name] ?? 0).toLocaleString('en-GB')), `${name}: ${text}`);
  }
  await legend.getByRole('button', { name: /\berror\b/ }).click();
  await untilTotal(page, by.severity.error);
});

test('statistics have top values with exact counts, oldest and newest', async (t) => {
  const { page } = await search(t, '#/search?severity=error');
  await page.getByRole('button', { name: 'Statistics', exact: true }).click();
  const statistics = page.getByRole('region', { name: 'Statistics' });
  const stats = await server.get('stats?severity=error&by=event_type&by=resource_type&limit=5');
  for (const [field, label] of [['event_type', 'Type'], ['resource_type', 'Resource type']]) {
    const card = statistics.getByRole('region', { name: `Top values of ${label}`, exact: true });
    await card.waitFor();
    for (const [value, count] of Object.entries(stats.by[field])) {
      const item = card.getByRole('button', { name: new RegExp(`Filter by ${label} ${value.replaceAll('.', '\\.')} `) });
      await until(async () => (await item.first().textContent()) ?? '', (text) => text.endsWith(count.toLocaleString('en-GB')), `${value} has ${count}`);
    }
  }
  const figures = (await statistics.locator('.figures').textContent()) ?? '';
  for (const time of [stats.oldest, stats.newest]) assert.ok(figures.includes(time.slice(0, 19).replace('T', ' ')), `${time} in ${figures}`);
  await statistics.getByRole('button', { name: /Exclude Resource type/ }).first().click();
  const [most] = Object.entries(stats.by.resource_type).sort((a, b) => b[1] - a[1]);
  await untilTotal(page, stats.total - most[1]);
});
