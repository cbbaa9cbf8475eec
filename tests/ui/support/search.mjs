// What a person sees of the search.
import { until } from './browser.mjs';

/** "1,234 events" above the histogram, as a number. @param {import('playwright-core').Page} page */
export async function shownTotal(page) {
  const text = await page.getByRole('region', { name: 'Overview' }).locator('strong').first().textContent();
  const found = /^([\d,]+) events?$/.exec(text ?? '');
  return found ? Number(found[1].replaceAll(',', '')) : -1;
}

/** @param {import('playwright-core').Page} page @param {number} total */
export async function untilTotal(page, total) {
  await until(() => shownTotal(page), (found) => found === total, `the total is to be ${total}`);
}

/** The rows of the table that are drawn. @param {import('playwright-core').Page} page */
export function rows(page) {
  return page.getByRole('grid', { name: 'Events' }).getByRole('row').filter({ has: page.getByRole('gridcell') });
}

/** The texts of a column, from the top. @param {import('playwright-core').Page} page @param {string} column */
export async function column(page, column) {
  return page.getByRole('grid', { name: 'Events' }).evaluate((grid, name) => {
    const cells = [...grid.querySelectorAll(`[role=gridcell][data-column="${name}"]`)];
    const top = (/** @type {Element} */ cell) => cell.closest('[role=row]')?.getBoundingClientRect().top ?? 0;
    return cells.toSorted((a, b) => top(a) - top(b)).map((cell) => cell.textContent ?? '');
  }, column);
}

/** The parameters behind the # of the address. @param {import('playwright-core').Page} page */
export function address(page) {
  const hash = new URL(page.url()).hash;
  return new URLSearchParams(hash.includes('?') ? hash.slice(hash.indexOf('?') + 1) : '');
}

/** Makes a filter with the popover, as by hand. @param {import('playwright-core').Page} page @param {string} field @param {string[]} values @param {string} [condition] */
export async function addFilter(page, field, values, condition = 'is') {
  await page.getByRole('button', { name: 'Add filter' }).click();
  const editor = page.getByRole('dialog', { name: 'Add filter' });
  await editor.getByLabel('Field').selectOption({ label: field });
  await editor.getByLabel('Condition').selectOption({ label: condition });
  for (const value of values) {
    const box = condition === 'starts with' ? editor.getByRole('textbox', { name: 'Value' }) : editor.getByRole('combobox', { name: 'Value' });
    await box.fill(value);
    if (condition !== 'starts with') await editor.getByRole('listbox', { name: 'Values' }).getByRole('option', { name: value }).first().click();
  }
  await editor.getByRole('button', { name: 'Apply' }).click();
}
