// Every view of the page, and how to get there: for accessibility, widths and screenshots.
import { until } from './browser.mjs';
import { rows } from './search.mjs';

/** @typedef {import('./browser.mjs').Opened} Page */

const grid = (/** @type {Page} */ page) => page.getByRole('grid', { name: 'Events' }).waitFor();
const settled = async (/** @type {Page} */ page) => {
  await grid(page);
  await until(() => page.getByRole('slider', { name: 'Histogram' }).getAttribute('aria-valuetext'), (text) => /events? in|No data/.test(text ?? ''), 'the histogram is there');
};

/** A section of the administration, once what it loads is there. @param {string} section @param {string} says a text that is there then */
const admin = (section, says) => ({
  name: `admin-${section}`,
  at: `#/admin?section=${section}`,
  reach: async (/** @type {Page} */ page) => {
    await page.getByText(says).first().waitFor();
    await page.waitForTimeout(300);
  },
});

/** Name, address, and what to do there. @type {{name: string, at: string, signedOut?: boolean, reach(page: Page): Promise<void>}[]} */
export const VIEWS = [
  { name: 'sign-in', at: '', signedOut: true, reach: (page) => page.getByRole('button', { name: 'Sign in', exact: true }).waitFor() },
  { name: 'search', at: '', reach: settled },
  { name: 'search-filtered', at: '#/search?severity=error&severity=warn&not.resource_type=user&q=ruby', reach: settled },
  {
    name: 'detail',
    at: '',
    async reach(page) {
      await settled(page);
      await rows(page).nth(2).click();
      await page.getByRole('complementary', { name: 'Event detail' }).getByRole('heading').first().waitFor();
    },
  },
  {
    name: 'filter-editor',
    at: '',
    async reach(page) {
      await settled(page);
      await page.getByRole('button', { name: 'Add filter' }).click();
      await page.getByRole('dialog', { name: 'Add filter' }).getByRole('listbox', { name: 'Values' }).getByRole('option').first().waitFor();
    },
  },
  {
    name: 'time-range',
    at: '',
    async reach(page) {
      await settled(page);
      await page.getByRole('button', { name: /^Time range:/ }).click();
      await page.getByRole('dialog', { name: 'Time range' }).waitFor();
    },
  },
  {
    name: 'columns',
    at: '',
    async reach(page) {
      await settled(page);
      await page.getByRole('button', { name: 'Columns' }).click();
      await page.getByRole('dialog', { name: 'Columns' }).waitFor();
    },
  },
  {
    name: 'statistics',
    at: '#/search?tab=statistics',
    async reach(page) {
      await page.getByRole('region', { name: 'Statistics' }).getByRole('listitem').first().waitFor();
    },
  },
  { name: 'nothing-found', at: '#/search?q=no+event+says+this', reach: (page) => page.getByRole('heading', { name: 'No event matches' }).waitFor() },
  {
    name: 'live',
    at: '#/live',
    async reach(page) {
      await page.getByRole('status', { name: 'Connection' }).getByText('Live', { exact: true }).waitFor();
      await rows(page).first().waitFor();
    },
  },
  {
    name: 'bell',
    at: '',
    async reach(page) {
      await settled(page);
      await page.getByRole('button', { name: 'Notifications', exact: true }).click();
      await page.getByRole('dialog', { name: 'Notifications' }).getByRole('listitem').first().waitFor();
    },
  },
  admin('store', 'Partition'),
  { ...admin('delete', 'would be deleted'), at: '#/admin?section=delete&severity=error' },
  admin('cleanup', 'would be deleted'),
  admin('retention', 'Save policies'),
  admin('holds', 'Hold'),
  admin('keys', 'Create key'),
  admin('users', 'user'),
  { ...admin('audit', 'Audit trail'), reach: (page) => page.getByRole('table').getByText('server.started').first().waitFor() },
  {
    name: 'admin-new-key',
    at: '#/admin?section=keys',
    async reach(page) {
      await page.getByRole('button', { name: 'Create key' }).click();
      await page.getByRole('dialog', { name: 'Create key' }).waitFor();
    },
  },
  {
    name: 'keys-help',
    at: '',
    async reach(page) {
      await settled(page);
      await page.keyboard.press('?');
      await page.getByRole('dialog', { name: /Keyboard/ }).waitFor();
    },
  },
];
