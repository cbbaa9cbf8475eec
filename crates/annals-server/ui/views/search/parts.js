// @ts-check
// The pieces of the search, how they hang together, and where they stand.
import { h } from '../../core/h.js';
import { EventDetail } from '../../parts/event-detail.js';
import { filterBar } from '../../parts/filter-bar.js';
import { histogram } from '../../parts/histogram.js';
import { rangePicker } from '../../parts/range-picker.js';
import { Pager } from './pager.js';
import { Statistics } from './statistics.js';
import { summary } from './summary.js';
import { EventTable } from './table.js';
import { toolbar } from './toolbar.js';

/** @typedef {import('../search.js').Search} Search */

/** @param {Search} search */
export function makeParts(search) {
  const range = rangePicker({ onChange: (chosen) => search.select(chosen) });
  const tools = toolbar(search);
  const bar = filterBar({
    onChange: (selection, how) => search.select(selection, how),
    bounds: () =>
      [
        ['from', search.bounds.from],
        ['to', search.bounds.to],
      ].filter(([, time]) => time !== ''),
    extra: [range.element, tools.zoomOut, tools.refresh],
  });
  const parts = {
    range,
    tools,
    bar,
    summary: summary({ onSeverity: (severity) => search.filterBy('severity', severity, 'is') }),
    histogram: histogram({
      onRange: (from, to) =>
        search.select({ range: '', from: new Date(from).toISOString(), to: new Date(to).toISOString() }),
    }),
    table: new EventTable({
      onOpen: (index) => search.openRow(index, false),
      onActive: (index) => {
        if (search.state?.event) search.openRow(index, true);
      },
      onSort: (sort) => search.change({ sort, page: 1 }),
    }),
    pager: new Pager({ onPage: (page) => search.change({ page }), onSize: (size) => search.resize(size) }),
    detail: makeDetail(search),
    statistics: new Statistics({
      onFilter: (field, value, op) => search.filterBy(field, value, op),
      onFields: () => void search.loadTop(),
      onSort: (sort) => search.change({ sort, page: 1, tab: 'events' }),
    }),
  };
  return { ...parts, ...arrange(parts) };
}

/** @param {Search} search */
function makeDetail(search) {
  return new EventDetail({
    onFilter: (field, value, op) => search.filterBy(field, value, op),
    onClose: () => search.closeDetail(),
    onChanged: (event) => search.table.update(event),
    onDeleted: () => {
      search.change({ event: '' });
      search.refresh();
    },
    linkOf: (event) => search.linkTo({ event: String(event.sequence) }),
    onAround: (event) => search.showAround(Date.parse(event.created_at)),
  });
}

/**
 * @param {{bar: {element: HTMLElement}, summary: {element: HTMLElement}, histogram: {element: HTMLElement}, tools: {element: HTMLElement},
 *   table: {element: HTMLElement}, pager: {element: HTMLElement}, statistics: {element: HTMLElement}, detail: {element: HTMLElement}}} parts
 */
function arrange(parts) {
  const progress = h('div', { class: 'progress', role: 'progressbar', 'aria-label': 'Loading', hidden: true });
  const none = h('div', { class: 'none', hidden: true });
  const note = h('p', { class: 'note', role: 'status', hidden: true });
  const events = h(
    'section',
    { class: 'results', 'aria-label': 'Results' },
    note,
    parts.table.element,
    none,
    parts.pager.element,
  );
  const overview = h(
    'section',
    { class: 'overview', 'aria-label': 'Overview' },
    parts.summary.element,
    parts.histogram.element,
  );
  const left = h('div', { class: 'search-left' }, parts.tools.element, events, parts.statistics.element);
  const element = h(
    'div',
    { class: 'search' },
    h('h1', { class: 'visually-hidden' }, 'Search'),
    parts.bar.element,
    overview,
    h('div', { class: 'search-lower' }, progress, left, parts.detail.element),
  );
  return { places: { progress, none, note, events }, element };
}
