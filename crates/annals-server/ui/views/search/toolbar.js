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

/** @param {Search} search */
export function toolbar(search) {
  const tab = (/** @type {State['tab']} */ name, /** @type {string} */ title, /** @type {string} */ image) =>
    h(
      'button',
      {
        type: 'button',
        class: 'segment',
        'aria-pressed': 'false',
        on: { click: () => search.change({ tab: name }) },
      },
      icon(image),
      title,
    );
  const events = tab('events', 'Events', 'list');
  const statistics = tab('statistics', 'Statistics', 'bars');
  const sort = h(
    'select',
    {
      class: 'select',
      'aria-label': 'Sort',
      on: { change: () => search.change({ sort: /** @type {Sort} */ (sort.value), page: 1 }) },
    },
    SORTS.map(([value, says]) => h('option', { value }, says)),
  );
  const columns = h(
    'button',
    {
      type: 'button',
      class: 'button',
      'aria-haspopup': 'dialog',
      'aria-expanded': 'false',
      on: { click: () => search.chooseColumns(columns) },
    },
    icon('columns'),
    h('span', { class: 'button-text' }, 'Columns'),
  );
  const share = h(
    'button',
    {
      type: 'button',
      class: 'button',
      'aria-haspopup': 'dialog',
      'aria-expanded': 'false',
      on: { click: () => openShare(share, search) },
    },
    icon('copy'),
    h('span', { class: 'button-text' }, 'Copy'),
  );
  const live = h(
    'button',
    {
      type: 'button',
      class: 'button',
      title: 'Follow what comes in with these filters',
      hidden: !VIEWS.some((view) => view.name === 'live' && view.shown()),
      on: { click: () => followLive(search) },
    },
    icon('play'),
    'Follow live',
  );
  const refresh = h(
    'button',
    {
      type: 'button',
      class: 'button',
      'aria-label': 'Refresh',
      title: 'Refresh (r)',
      on: { click: () => search.refresh() },
    },
    icon('refresh'),
  );
  const zoomOut = h(
    'button',
    {
      type: 'button',
      class: 'button',
      'aria-label': 'Zoom out',
      title: 'Zoom out (z): twice the time',
      on: { click: () => search.zoomOut() },
    },
    icon('zoom-out'),
  );
  const listOnly = h('div', { class: 'toolbar-list' }, sort, columns);
  return {
    refresh,
    zoomOut,
    columns,
    element: h(
      'div',
      { class: 'toolbar' },
      h('div', { class: 'segments', role: 'group', 'aria-label': 'Show' }, events, statistics),
      h('span', { class: 'toolbar-gap' }),
      live,
      listOnly,
      share,
    ),
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
