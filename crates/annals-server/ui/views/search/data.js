// @ts-check
// What the search asks the server.
import { get } from '../../core/api.js';
import { boundsOf, filterParams } from '../../parts/filter-model.js';

/** @typedef {import('./state.js').State} State */
/** @typedef {Record<string, any> & {id: string, sequence: number, created_at: string}} Event */
/** @typedef {{from: string, to: string}} Bounds */
/** @typedef {{time: string, count: number, by?: Record<string, number>}} Bucket */
/** @typedef {{total: number, oldest: string | null, newest: string | null, by: Record<string, Record<string, number>>, histogram?: Bucket[]}} Stats */

/** Members each row needs, whatever the columns. */
const ALWAYS = ['id', 'sequence', 'created_at', 'severity', 'acknowledged'];
/** The server ends a page at 16 MiB; a page of long rows is put together from so many of them at most. */
const PARTS_MAX = 4;

/**
 * The parameters of list, statistics and suggestions.
 * @param {State} state
 * @param {Bounds} bounds
 */
export function selectionParams(state, bounds) {
  const pairs = filterParams(state.selection);
  if (bounds.from) pairs.push(['from', bounds.from]);
  if (bounds.to) pairs.push(['to', bounds.to]);
  return pairs;
}

/** @param {State} state @param {Bounds} bounds */
export function listParams(state, bounds) {
  return [
    ...selectionParams(state, bounds),
    ['sort', state.sort],
    ['limit', String(state.size)],
    ['offset', String((state.page - 1) * state.size)],
  ];
}

/**
 * One page. Without the total: the statistics beside it have that, and the rows come sooner.
 * @param {State} state
 * @param {Bounds} bounds
 * @param {AbortSignal} signal
 * @returns {Promise<{events: Event[], cut: boolean}>} cut: the page would be longer than the page can hold
 */
export async function loadPage(state, bounds, signal) {
  const fields = [...new Set([...ALWAYS, ...state.columns])].join(',');
  const query = [...listParams(state, bounds), ['total', 'none'], ['fields', fields]];
  const answer = await get('events', query, signal);
  /** @type {Event[]} */
  const events = answer.events;
  let cursor = answer.next_cursor;
  for (let part = 1; cursor && events.length < state.size && part < PARTS_MAX; part += 1) {
    const left = String(state.size - events.length);
    const next = await get(
      'events',
      [
        ...selectionParams(state, bounds),
        ['sort', state.sort],
        ['limit', left],
        ['cursor', cursor],
        ['total', 'none'],
        ['fields', fields],
      ],
      signal,
    );
    events.push(...next.events);
    cursor = next.next_cursor;
  }
  return { events, cut: Boolean(cursor) && events.length < state.size };
}

/** Bounds of everything the key sees, for a histogram over all time; asked once, then kept up by each answer. @type {{oldest: string, newest: string} | null} */
let extent = null;

/** @param {AbortSignal} signal */
async function storeExtent(signal) {
  if (extent) return extent;
  /** @type {Stats} */
  const stats = await get('stats', [], signal);
  if (stats.oldest && stats.newest) extent = { oldest: stats.oldest, newest: stats.newest };
  return extent;
}

/** Another key may see other events. */
export function forgetExtent() {
  extent = null;
}

/** Whether a range has everything in it, as far as is known. @param {number} fromMs @param {number} toMs */
export function coversExtent(fromMs, toMs) {
  return extent !== null && fromMs <= Date.parse(extent.oldest) && toMs > Date.parse(extent.newest);
}

/** Seconds of a bucket, from fine to coarse. */
const STEPS_S = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 345600, 604800,
  1209600, 2592000, 7776000, 31536000,
];

/**
 * The finest step with at most `max` buckets over the range.
 * @param {number} fromMs
 * @param {number} toMs
 * @param {number} max
 */
export function stepFor(fromMs, toMs, max) {
  const seconds = (toMs - fromMs) / 1000;
  const step = STEPS_S.find((candidate) => seconds / candidate <= max);
  return step ?? Math.ceil(seconds / max / 31536000) * 31536000;
}

/** @typedef {{stats: Stats, fromMs: number, toMs: number, stepMs: number}} Overview */

/**
 * Total, oldest, newest, counts by severity, and the histogram over the range.
 * @param {State} state
 * @param {Bounds} bounds
 * @param {number} buckets at most
 * @param {AbortSignal} signal
 * @returns {Promise<Overview>}
 */
export async function loadOverview(state, bounds, buckets, signal) {
  const now = Date.now();
  const asking = storeExtent(signal);
  const bounded = bounds.from !== '' && bounds.to !== '';
  // With both ends given the histogram does not wait for it, only zooming out will ask.
  if (bounded) asking.catch(() => null);
  const whole = bounded ? null : await asking;
  // A preset ends now; an open end ends with the newest event.
  const relative = boundsOf(state.selection, now).from !== '' && state.selection.range !== '';
  const fromMs = Date.parse(bounds.from || whole?.oldest || new Date(now - 3600_000).toISOString());
  const newest = Date.parse(whole?.newest ?? '') || now;
  let toMs = Math.max(fromMs + 1000, bounds.to ? Date.parse(bounds.to) : relative ? Math.max(now, newest) : newest + 1);
  const step = stepFor(fromMs, toMs, buckets);
  const query = [
    ...selectionParams(state, bounds),
    ['by', 'severity'],
    ['interval', `${step}s`],
    ['split', 'severity'],
  ];
  /** @type {Stats} */
  const stats = await get('stats', query, signal);
  if (stats.newest && extent && stats.newest > extent.newest) extent.newest = stats.newest;
  if (stats.newest && !bounds.to) toMs = Math.max(toMs, Date.parse(stats.newest) + 1);
  return { stats, fromMs, toMs, stepMs: step * 1000 };
}

/**
 * Top values of several fields at once.
 * @param {State} state
 * @param {Bounds} bounds
 * @param {string[]} fields
 * @param {number} limit
 * @param {AbortSignal} signal
 * @returns {Promise<Stats>}
 */
export function loadTop(state, bounds, fields, limit, signal) {
  return get(
    'stats',
    [...selectionParams(state, bounds), ...fields.map((field) => ['by', field]), ['limit', String(limit)]],
    signal,
  );
}
