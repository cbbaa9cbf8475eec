// @ts-check
// The line above the table: events or statistics, order, columns, copying.
import { go } from '../../core/address.js';
import { apiUrl, getText } from '../../core/api.js';
import { copy, curlLine } from '../../core/clipboard.js';
import { h } from '../../core/h.js';
import { icon } from '../../core/icons.js';
import { toast } from '../../core/toast.js';
import { VIEWS } from '../../core/views.js';
import { addressParams, emptySelection } from '../../parts/filter-model.js';
import { openPopover } from '../../parts/popover.js';
import { listParams } from './data.js';
import { SORTS } from './state.js';

/** @typedef {import('../search.js').Search} Search */
/** @typedef {import('./state.js').State} State */
/** @typedef {import('./state.js').Sort} Sort */

const POPS_UP = { 'aria-haspopup': 'dialog', 'aria-expanded': 'false' };

/** @param {Search} search */
export function toolbar(search) {
  const events = tab(search, 'events', 'Events', 'list');
  const statistics = tab(search, 'statistics', 'Statistics', 'bars');
  const sort = sortSelect(search);
  const columns = button(POPS_UP, () => search.chooseColumns(columns), 'columns', shrinking('Columns'));
  const share = button(POPS_UP, () => openShare(share, search), 'copy', shrinking('Copy'));
  const hasLive = VIEWS.some((view) => view.name === 'live' && view.shown());
  const live = button(
    { title: 'Follow what comes in with these filters' },
    () => followLive(search),
    'play',
    'Follow live',
  );
  live.hidden = !hasLive;
  const refresh = button({ 'aria-label': 'Refresh', title: 'Refresh (r)' }, () => search.refresh(), 'refresh');
  const zoomTitle = 'Zoom out (z): twice the time';
  const zoomOut = button({ 'aria-label': 'Zoom out', title: zoomTitle }, () => search.zoomOut(), 'zoom-out');
  const listOnly = h('div', { class: 'toolbar-list' }, sort, columns);
  const tabs = h('div', { class: 'segments', role: 'group', 'aria-label': 'Show' }, events, statistics);
  return {
    refresh,
    zoomOut,
    columns,
    element: h('div', { class: 'toolbar' }, tabs, h('span', { class: 'toolbar-gap' }), live, listOnly, share),
    /** @param {State} state */
    show(state) {
      events.setAttribute('aria-pressed', String(state.tab === 'events'));
      statistics.setAttribute('aria-pressed', String(state.tab === 'statistics'));
      listOnly.hidden = state.tab !== 'events';
      sort.value = state.sort;
      const { range, from, to } = state.selection;
      zoomOut.disabled = range === '' && from === '' && to === '';
    },
  };
}

/**
 * @param {Record<string, unknown>} props
 * @param {() => void} run
 * @param {string} image
 * @param {import('../../core/h.js').Children} [text]
 */
function button(props, run, image, text) {
  return h('button', { type: 'button', class: 'button', ...props, on: { click: run } }, icon(image), text);
}

/** Text that only screen readers have where there is little room. @param {string} text */
function shrinking(text) {
  return h('span', { class: 'button-text' }, text);
}

/** @param {Search} search @param {State['tab']} name @param {string} title @param {string} image */
function tab(search, name, title, image) {
  const props = { type: 'button', class: 'segment', 'aria-pressed': 'false' };
  return h('button', { ...props, on: { click: () => search.change({ tab: name }) } }, icon(image), title);
}

/** @param {Search} search */
function sortSelect(search) {
  const change = () => search.change({ sort: /** @type {Sort} */ (select.value), page: 1 });
  const options = SORTS.map(([value, says]) => h('option', { value }, says));
  const select = h('select', { class: 'select', 'aria-label': 'Sort', on: { change } }, options);
  return select;
}

/** The live tail with the same filters; it has no range. @param {Search} search */
function followLive(search) {
  go(
    'live',
    new URLSearchParams(
      addressParams({ ...emptySelection(), ...search.state?.selection, range: '', from: '', to: '' }),
    ),
  );
}

/** @param {HTMLElement} anchor @param {Search} search */
function openShare(anchor, search) {
  const item = (/** @type {string} */ name, /** @type {string} */ image, /** @type {() => unknown} */ run) =>
    h(
      'button',
      {
        type: 'button',
        class: 'menu-item',
        on: {
          click: () => {
            popover.close();
            void run();
          },
        },
      },
      icon(image),
      name,
    );
  const query = () => listParams(/** @type {State} */ (search.state), search.bounds);
  const popover = openPopover(anchor, {
    label: 'Copy',
    className: 'menu',
    body: [
      item('Copy link to this view', 'link', () => copy(search.linkTo(), 'The link')),
      item('Copy query as curl', 'copy', () => copy(curlLine(apiUrl('events', query())), 'The curl line')),
      item('Copy this page as NDJSON', 'copy', () => copyPage(query())),
    ],
  });
}

/** The events of the page, whole, one a line, as the server wrote them. @param {string[][]} query */
async function copyPage(query) {
  try {
    const url = apiUrl('events', [...query, ['total', 'none']]);
    const text = await getText(`events${url.search}`);
    const events = linesOf(text);
    await copy(events.join('\n'), events.length === 1 ? 'The event' : `What the page has, ${events.length} lines,`);
  } catch (error) {
    toast(error instanceof Error ? error.message : 'The page could not be copied.', 'error');
  }
}

/** The members of the list `events`, each as its own text: parsing would round long numbers. @param {string} text */
function linesOf(text) {
  /** @type {string[]} */
  const lines = [];
  const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]]/gs;
  let depth = 0;
  let start = 0;
  for (let found = tokens.exec(text); found; found = tokens.exec(text)) {
    const token = found[0];
    if (token === '{' || token === '[') {
      depth += 1;
      if (depth === 3 && token === '{') start = found.index;
    } else if (token === '}' || token === ']') {
      if (depth === 3 && token === '}') lines.push(text.slice(start, found.index + 1));
      depth -= 1;
    }
  }
  return lines;
}
