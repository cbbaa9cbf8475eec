// @ts-check
// The pieces of the live view and where they stand.
import { h } from '../../core/h.js';
import { icon } from '../../core/icons.js';
import { EventDetail } from '../../parts/event-detail.js';
import { filterBar } from '../../parts/filter-bar.js';
import { notes, statusLine } from './status.js';
import { LiveTable } from './table.js';

/** @typedef {import('../live.js').Live} Live */

/** @param {Live} live */
export function makeParts(live) {
  const bar = filterBar({ onChange: (selection, how) => live.select(selection, how) });
  const status = statusLine({ onRetry: () => live.tail.retry() });
  const table = new LiveTable({
    onOpen: (index) => live.openRow(index, false),
    onActive: (index) => {
      if (live.state?.event) live.openRow(index, true);
    },
    onSort: () => {},
  });
  const detail = new EventDetail({
    onFilter: (field, value, op) => live.filterBy(field, value, op),
    onClose: () => live.closeDetail(),
    onChanged: (event) => live.list.change({ sequence: event.sequence, acknowledged: event.acknowledged }),
    onDeleted: (event) => live.deleted(event.sequence),
    linkOf: (event) => live.linkTo(String(event.sequence)),
    onAround: (event) => live.showAround(event),
  });
  const list = notes();
  return { bar, status, table, detail, notes: list, ...arrange(live, { bar, status, table, detail, notes: list }) };
}

/**
 * @param {string} name
 * @param {string} image
 * @param {() => void} run
 * @param {Record<string, string>} [more]
 */
function button(name, image, run, more = {}) {
  return h('button', { type: 'button', class: 'button', ...more, on: { click: run } }, icon(image), name);
}

/** @typedef {ReturnType<typeof makeControls>} Controls */

/** @param {Live} live */
function makeControls(live) {
  const waiting = h('span', { class: 'live-count', 'aria-hidden': 'true' });
  const pause = { 'aria-pressed': 'false', title: 'Pause or go on (p)' };
  const catchUp = { class: 'button button-primary live-catch-up', title: 'Show what is new (n)' };
  const columns = button('Columns', 'columns', () => live.chooseColumns(columns), {
    'aria-haspopup': 'dialog',
    'aria-expanded': 'false',
  });
  const controls = {
    pause: button('Pause', 'pause', () => live.list.setPaused(!live.list.paused), pause),
    catchUp: button('Show new events', 'up', () => live.list.catchUp(), catchUp),
    clear: button('Clear list', 'trash', () => live.list.clear()),
    waiting,
    columns,
    inSearch: h('a', { class: 'button' }, icon('search'), 'Open in search'),
    progress: h('div', { class: 'progress', role: 'progressbar', 'aria-label': 'Loading', hidden: true }),
    none: h(
      'div',
      { class: 'empty' },
      h('h2', null, 'Waiting for events'),
      h('p', null, 'Events that match the filters appear here as they are stored.'),
    ),
    /** Says how many wait, now and then and not with each event. */
    said: h('div', { class: 'visually-hidden', role: 'status', 'aria-label': 'New events' }),
  };
  controls.catchUp.append(waiting);
  controls.catchUp.hidden = true;
  return controls;
}

/** @typedef {{element: HTMLElement}} Part */

/** @param {Live} live @param {{bar: Part, status: Part, table: Part, detail: Part, notes: Part}} parts */
function arrange(live, parts) {
  const controls = makeControls(live);
  const buttons = h(
    'div',
    { class: 'live-buttons' },
    controls.pause,
    controls.clear,
    controls.columns,
    controls.inSearch,
  );
  const gap = h('span', { class: 'toolbar-gap' });
  const tools = h('div', { class: 'toolbar live-tools' }, parts.status.element, gap, buttons);
  const results = h(
    'section',
    { class: 'results', 'aria-label': 'Results' },
    parts.notes.element,
    h('div', { class: 'live-list' }, controls.catchUp, controls.none, parts.table.element),
    controls.said,
  );
  const left = h('div', { class: 'search-left' }, tools, results);
  const element = h(
    'div',
    { class: 'search live' },
    h('h1', { class: 'visually-hidden' }, 'Live'),
    parts.bar.element,
    h('div', { class: 'search-lower' }, controls.progress, left, parts.detail.element),
  );
  return { controls, results, element };
}
