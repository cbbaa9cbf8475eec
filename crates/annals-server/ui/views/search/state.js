// @ts-check
// The state of the search, read from the address and written to it.
import { addressParams, FIELDS, readSelection } from '../../parts/filter-model.js';
import { getPref } from '../../core/prefs.js';

/** @typedef {import('../../parts/filter-model.js').Selection} Selection */
/** @typedef {'-created_at' | 'created_at' | 'event_type' | '-event_type'} Sort */
/** @typedef {{selection: Selection, sort: Sort, page: number, size: number, columns: string[], event: string, tab: 'events' | 'statistics'}} State */

/** @type {[Sort, string][]} */
export const SORTS = [
  ['-created_at', 'Newest first'],
  ['created_at', 'Oldest first'],
  ['event_type', 'Type A to Z'],
  ['-event_type', 'Type Z to A'],
];
export const SIZES = [25, 50, 100, 250, 500, 1000, 2500, 5000, 10000];
export const SIZE_DEFAULT = 100;
/** Columns that are no filter fields. */
export const MORE_COLUMNS = [
  'message',
  'content',
  'error_message',
  'user_agent',
  'latency_ms',
  'acknowledged',
  'updated_at',
  'id',
  'sequence',
];
const COLUMNS = new Set(['created_at', ...FIELDS.map(memberOf), ...MORE_COLUMNS]);
export const COLUMNS_DEFAULT = ['created_at', 'severity', 'event_type', 'resource_type', 'resource_id', 'message'];

/** @param {URLSearchParams} params @returns {State} */
export function readState(params) {
  const sort = SORTS.find(([name]) => name === params.get('sort'))?.[0] ?? '-created_at';
  const cols = params.get('cols');
  const event = params.get('event') ?? '';
  return {
    selection: readSelection(params),
    sort,
    page: wholeNumber(params.get('page'), 1),
    size: SIZES.find((size) => String(size) === params.get('size')) ?? keptSize(),
    columns: cols ? knownColumns(cols.split(',')) : keptColumns(),
    event: /^[0-9A-Za-z-]{1,40}$/.test(event) ? event : '',
    tab: params.get('tab') === 'statistics' ? 'statistics' : 'events',
  };
}

/** @param {string | null} text @param {number} fallback */
function wholeNumber(text, fallback) {
  return text !== null && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : fallback;
}

/** The member that a filter field is called in an event. @param {string} field */
export function memberOf(field) {
  return field === 'realm_id' ? 'realm_ids' : field;
}

/** The columns that there are, each once, the time always and first. @param {string[]} columns */
function knownColumns(columns) {
  return [...new Set(['created_at', ...columns])].filter((column) => COLUMNS.has(column));
}

/** The columns the person chose last. */
function keptColumns() {
  const kept = getPref('columns', COLUMNS_DEFAULT);
  return Array.isArray(kept) && kept.length > 0 ? knownColumns(kept.map(String)) : COLUMNS_DEFAULT;
}

function keptSize() {
  const kept = getPref('size', SIZE_DEFAULT);
  return SIZES.includes(kept) ? kept : SIZE_DEFAULT;
}

/**
 * The parameters of the address. What the person chose for good (columns, size) is named only where it differs from that,
 * unless the link is for others: `whole`.
 * @param {State} state
 * @param {{whole?: boolean}} [how]
 */
export function writeState(state, how = {}) {
  const params = new URLSearchParams(addressParams(state.selection));
  if (state.sort !== '-created_at') params.set('sort', state.sort);
  if (state.page > 1) params.set('page', String(state.page));
  if (how.whole || state.size !== keptSize()) params.set('size', String(state.size));
  if (how.whole || state.columns.join() !== keptColumns().join()) params.set('cols', state.columns.join(','));
  if (state.tab !== 'events') params.set('tab', state.tab);
  if (state.event) params.set('event', state.event);
  return params;
}

/** What decides which events are found: another key, another query. @param {State} state */
export function selectionKey(state) {
  return JSON.stringify(state.selection);
}

/** What decides which rows are shown. @param {State} state */
export function rowsKey(state) {
  return JSON.stringify([state.selection, state.sort, state.page, state.size]);
}

/** What decides what they say. @param {State} state */
export function pageKey(state) {
  return `${rowsKey(state)} ${state.columns.join()}`;
}
