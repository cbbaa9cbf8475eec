// @ts-check
// Deleting what filters select: with the search's filter bar, an exact preview, and a number to be typed.
import { h } from '../../core/h.js';
import { formatTime, onZone } from '../../core/time.js';
import { filterBar, sentence } from '../../parts/filter-bar.js';
import { addressParams, boundsOf, filterParams, readSelection } from '../../parts/filter-model.js';
import { rangePicker } from '../../parts/range-picker.js';
import { line } from '../../core/text.js';
import { DeletePreview } from './deleting.js';
import { sectionHead } from './shared.js';

/** @typedef {import('../../parts/filter-model.js').Selection} Selection */

/** @param {import('./sections.js').Place} place @returns {import('../../core/views.js').View} */
export function mount(place) {
  /** @type {Selection | null} */
  let shown = null;
  let key = '';
  const select = (/** @type {Partial<Selection>} */ change, /** @type {{replace?: boolean}} */ how = {}) => {
    if (shown) place.go(new URLSearchParams(addressParams({ ...shown, ...change })), how);
  };
  const preview = new DeletePreview({
    nothing:
      'Choose a filter or a time range: without any there is nothing to delete. To delete all there is, choose a time range that has it all.',
  });
  const range = rangePicker({ onChange: (chosen) => select(chosen) });
  const bar = filterBar({
    onChange: (selection, how) => select(selection, how),
    bounds: () => (shown ? boundsQuery(boundsOf(shown)) : []),
    extra: range.element,
  });
  const ask = () => {
    if (shown) preview.show(askedOf(shown));
  };
  const stopZone = onZone(() => {
    if (shown) range.show(shown);
    ask();
  });
  return {
    element: h(
      'section',
      { class: 'admin-section', 'aria-label': 'Delete events' },
      sectionHead(
        'Delete events',
        'Deletes every event that matches all of the filters. It cannot be undone; what a hold keeps stays.',
      ),
      h('div', { class: 'card admin-filter' }, bar.element),
      preview.element,
    ),
    show(params) {
      shown = readSelection(params);
      bar.show(shown);
      range.show(shown);
      const now = JSON.stringify(shown);
      if (now === key) return;
      key = now;
      ask();
    },
    leave() {
      preview.stop();
      stopZone();
    },
  };
}

/** @param {{from: string, to: string}} bounds @returns {string[][]} */
function boundsQuery(bounds) {
  return [
    ['from', bounds.from],
    ['to', bounds.to],
  ].filter(([, time]) => time !== '');
}

/** A preset means what it means now: the preview and the delete have the same bounds. @param {Selection} selection */
function askedOf(selection) {
  const bounds = boundsOf(selection);
  const query = [...filterParams(selection), ...boundsQuery(bounds)];
  if (query.length === 0) return null;
  const says = selection.filters.map(sentence);
  if (selection.q) says.push(`Message or content has: ${line(selection.q, 80)}`);
  if (selection.acknowledged) says.push(selection.acknowledged === 'true' ? 'Acknowledged' : 'Not acknowledged');
  if (bounds.from) says.push(`From ${formatTime(bounds.from, 's')} on`);
  if (bounds.to) says.push(`Before ${formatTime(bounds.to, 's')}`);
  return { query, address: addressParams({ ...selection, range: '', ...bounds }), says };
}
