// @ts-check
// What is shown where no row is: why, and what helps.
import { API } from '../../core/api.js';
import { copy } from '../../core/clipboard.js';
import { h } from '../../core/h.js';
import { can } from '../../core/session.js';
import { count, countOf } from '../../core/text.js';
import { isNarrowed } from '../../parts/filter-model.js';

/** @typedef {import('./state.js').State} State */

/**
 * @param {State} state
 * @param {number | null} total of the selection, if it is known
 * @param {{onClear(): void, onAllTime(): void, onFirstPage(): void}} does
 */
export function emptyState(state, total, does) {
  const button = (/** @type {string} */ name, /** @type {() => void} */ run) =>
    h('button', { type: 'button', class: 'button', on: { click: run } }, name);
  const { selection } = state;
  const ranged = Boolean(selection.range || selection.from || selection.to);
  if (total !== null && total > 0) {
    return h(
      'div',
      { class: 'empty' },
      h('h2', null, `Page ${count(state.page)} is behind the last one`),
      h('p', null, `There are ${countOf(total, 'event')}.`),
      h('div', { class: 'empty-actions' }, button('First page', does.onFirstPage)),
    );
  }
  if (!isNarrowed(selection) && !ranged) return emptyStore();
  return h(
    'div',
    { class: 'empty' },
    h('h2', null, 'No event matches'),
    h('p', null, hint(state)),
    h(
      'div',
      { class: 'empty-actions' },
      ranged ? button('Search all time', does.onAllTime) : null,
      isNarrowed(selection) ? button('Clear filters', does.onClear) : null,
    ),
  );
}

/** @param {State} state */
function hint(state) {
  const { filters, q } = state.selection;
  if (filters.length > 1)
    return 'An event has to match each of the filters; the values of one filter are alternatives.';
  if (q !== '')
    return 'The text is looked for as it is, in message and content, in any case. Payloads are not searched.';
  if (filters.length === 1) return 'Values are compared as a whole and in their case; "starts with" finds more.';
  return 'There may be some before or after this time.';
}

function emptyStore() {
  const example = `curl -sS -H "Authorization: Bearer $ANNALS_KEY" -d '{"event_type":"door.opened","severity":"info","message":"hello"}' ${new URL('events', API).href}`;
  return h(
    'div',
    { class: 'empty' },
    h('h2', null, 'No events yet'),
    can('events:create') || can('admin')
      ? [
          h('p', null, 'Send the first one:'),
          h('code', { class: 'mono example' }, example),
          h(
            'div',
            { class: 'empty-actions' },
            h(
              'button',
              { type: 'button', class: 'button', on: { click: () => void copy(example, 'The curl line') } },
              'Copy as curl',
            ),
          ),
        ]
      : h('p', null, 'The store has no event that this key may see.'),
  );
}
