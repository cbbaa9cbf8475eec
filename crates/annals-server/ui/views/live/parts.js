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
    onActive: (index) => { if (live.state?.event) live.openRow(index, true); },
    onSort: () => {},
  });
  const detail = new EventDetail({
    onFilter: (field, value, op) => live.filterBy(field, value, op),
    onClose: () => live.closeDetail(),
    onChanged: (event) => live.changed({ sequence: event.sequence, acknowledged: event.acknowledged }),
    onDeleted: (event) => live.deleted(event.sequence),
    linkOf: (event) => live.linkTo(String(event.sequence)),
    onAround: (event) => live.showAround(event),
  });
  const list = notes();
  return { bar, status, table, detail, notes: list, ...arrange(live, { bar, status, table, detail, notes: list }) };
}

/** @param {Live} live @param {{bar: {element: HTMLElement}, status: {element: HTMLElement}, table: {element: HTMLElement}, detail: {element: HTMLElement}, notes: {element: HTMLElement}}} parts */
function arrange(live, parts) {
  const button = (/** @type {string} */ name, /** @type {string} */ image, /** @type {() => void} */ run, /** @type {Record<string, string>} */ more = {}) => h('button', {
    type: 'button', class: 'button', ...more, on: { click: run },
  }, icon(image), name);
  const waiting = h('span', { class: 'live-count', 'aria-hidden': 'true' });
  const columns = button('Columns', 'columns', () => live.chooseColumns(columns), { 'aria-haspopup': 'dialog', 'aria-expanded': 'false' });
  const controls = {
    pause: button('Pause', 'pause', () => live.setPaused(!live.paused), { 'aria-pressed': 'false', title: 'Pause or go on (p)' }),
    catchUp: h('button', { type: 'button', class: 'button button-primary live-catch-up', title: 'Show what is new (n)', hidden: true, on: { click: () => live.catchUp() } }, icon('up'), 'Show new events', waiting),
    waiting,
    columns,
    inSearch: h('a', { class: 'button' }, icon('search'), 'Open in search'),
    progress: h('div', { class: 'progress', role: 'progressbar', 'aria-label': 'Loading', hidden: true }),
    none: h('div', { class: 'empty' }, h('h2', null, 'Waiting for events'), h('p', null, 'Events that match the filters appear here as they are stored.')),
    /** Says how many wait, now and then and not with each event. */
    said: h('div', { class: 'visually-hidden', role: 'status', 'aria-label': 'New events' }),
  };
  const tools = h('div', { class: 'toolbar live-tools' }, parts.status.element, h('span', { class: 'toolbar-gap' }),
    h('div', { class: 'live-buttons' }, controls.pause, button('Clear list', 'trash', () => live.clearList()), columns, controls.inSearch));
  const results = h('section', { class: 'results', 'aria-label': 'Results' }, parts.notes.element,
    h('div', { class: 'live-list' }, controls.catchUp, controls.none, parts.table.element), controls.said);
  const element = h('div', { class: 'search live' }, h('h1', { class: 'visually-hidden' }, 'Live'), parts.bar.element,
    h('div', { class: 'search-lower' }, controls.progress, h('div', { class: 'search-left' }, tools, results), parts.detail.element));
  return { controls, results, element };
}
