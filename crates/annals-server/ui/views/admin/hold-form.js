// @ts-check
// The form that places a hold: a name and the search's filters, with the number of events that it would keep now.
import { call, get, latest } from '../../core/api.js';
import { h } from '../../core/h.js';
import { countOf } from '../../core/text.js';
import { filterBar } from '../../parts/filter-bar.js';
import { boundsOf, emptySelection, filterParams } from '../../parts/filter-model.js';
import { rangePicker } from '../../parts/range-picker.js';
import { can } from '../../core/session.js';
import { button, failureText, field, loading, problem, textInput } from './shared.js';

/** A name goes into the address of the hold. */
const NAME_MAX = 200;

/** @param {{onClose(): void, onPlaced(hold: {events: number}): void}} options */
export function holdForm(options) {
  let selection = emptySelection();
  const requests = latest();
  const message = problem();
  const keeps = h('p', { class: 'quiet', role: 'status' });
  const name = textInput({ maxlength: NAME_MAX, required: true });
  const query = () => {
    const bounds = boundsOf(selection);
    return [...filterParams(selection), ...[['from', bounds.from], ['to', bounds.to]].filter(([, time]) => time !== '')];
  };
  const tell = () => {
    message.clear();
    if (query().length === 0) {
      keeps.textContent = 'Choose at least one filter, or a time range.';
      return;
    }
    if (can('events:read')) void loading(async () => {
      const stats = await get('stats', query(), requests.start());
      keeps.textContent = `Keeps ${countOf(stats.total, 'event')} now, and those that come and match.`;
    }, tell);
  };
  const select = (/** @type {Partial<typeof selection>} */ change) => {
    selection = { ...selection, ...change };
    bar.show(selection);
    range.show(selection);
    tell();
  };
  const range = rangePicker({ onChange: (chosen) => select(chosen) });
  const bar = filterBar({ onChange: (next) => select(next), extra: range.element });
  select({});
  const place = async () => {
    if (name.value.trim() === '') message.show('A hold needs a name.');
    else if (query().length === 0) message.show('Choose at least one filter, or a time range.');
    else {
      try {
        options.onPlaced(await call('PUT', `holds/${encodeURIComponent(name.value.trim())}`, { query: query() }));
      } catch (error) {
        message.show(failureText(error));
      }
    }
  };
  const element = h('form', { class: 'card admin-form hold-form', 'aria-label': 'Place hold', on: { submit: (/** @type {any} */ event) => event.preventDefault() } },
    field('Name', name, 'Such as the number of the case. A hold cannot be changed: it is released, and another one placed.'),
    h('div', { class: 'field' }, h('span', { class: 'label' }, 'Keeps what matches'), h('div', { class: 'admin-filter' }, bar.element)),
    keeps, message.element,
    h('div', { class: 'form-foot' }, button('Cancel', '', options.onClose), button('Place', '', place, { kind: 'primary' })));
  return { element, focus: () => name.focus(), stop: () => requests.stop() };
}
