// @ts-check
// What the live view asks besides the tail: the latest events to begin with, what became of those it holds, and whether the
// tail has reached what is the latest.
import { get } from '../../core/api.js';
import { filterParams } from '../../parts/filter-model.js';

/** @typedef {import('./held.js').Event} Event */
/** @typedef {import('../search/state.js').State} State */

/** Members each row needs, whatever the columns. */
const ALWAYS = ['id', 'sequence', 'created_at', 'severity', 'acknowledged'];
/** Earlier events to begin with: some screens of them. */
const RECENT = 200;
/** A list has so many events at most. */
const LIST_MAX = 10_000;
/** Text of a row beyond this is in the detail only: 5,000 rows of a megabyte each would be too much for a tab. */
const ROW_TEXT_MAX = 600;

/** Filters and members of the tail. @param {State} state @returns {string[][]} */
export function tailParams(state) {
  return [...filterParams(state.selection), ['fields', [...new Set([...ALWAYS, ...state.columns])].join(',')]];
}

/** A row, with text no longer than a row can show. @param {Event} event @returns {Event} */
export function rowOf(event) {
  for (const [name, value] of Object.entries(event)) {
    // A copy, since a part of a string keeps the whole of it alive.
    if (typeof value === 'string' && value.length > ROW_TEXT_MAX)
      event[name] = JSON.parse(JSON.stringify(value.slice(0, ROW_TEXT_MAX)));
  }
  return event;
}

/** The latest events before the tail began. @param {State} state @param {AbortSignal} signal @returns {Promise<Event[]>} */
export async function loadRecent(state, signal) {
  const answer = await get('events', [...tailParams(state), ['limit', String(RECENT)], ['total', 'none']], signal);
  return answer.events.map(rowOf);
}

/**
 * The marks of the latest events, by sequence, and the time from which on they are all there: what is held, younger than
 * that and not among them is gone or matches no more.
 * @param {State} state @param {number} held @param {AbortSignal} signal
 * @returns {Promise<{marks: Map<number, Event>, since: string}>}
 */
export async function loadMarks(state, held, signal) {
  const limit = Math.min(LIST_MAX, Math.max(RECENT, held * 2));
  const answer = await get(
    'events',
    [
      ...filterParams(state.selection),
      ['fields', 'id,sequence,created_at,acknowledged'],
      ['limit', String(limit)],
      ['total', 'none'],
    ],
    signal,
  );
  /** @type {Event[]} */
  const events = answer.events;
  return {
    marks: new Map(events.map((event) => [event.sequence, event])),
    since: answer.next_cursor ? (events.at(-1)?.created_at ?? '') : '',
  };
}

/** The sequence of the event that is the latest by its time, or 0. @param {State} state @param {AbortSignal} signal @returns {Promise<number>} */
export async function loadLatest(state, signal) {
  const answer = await get(
    'events',
    [...filterParams(state.selection), ['fields', 'sequence'], ['limit', '1'], ['total', 'none']],
    signal,
  );
  return answer.events[0]?.sequence ?? 0;
}
