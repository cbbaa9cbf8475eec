// @ts-check
// The form that places a hold: a name and the search's filters, with the number of events that it would keep now.
import { call, get, latest } from '../../core/api.js';
import { h } from '../../core/h.js';
import { can } from '../../core/session.js';
import { countOf } from '../../core/text.js';
import { filterBar } from '../../parts/filter-bar.js';
import { boundsOf, emptySelection, filterParams } from '../../parts/filter-model.js';
import { rangePicker } from '../../parts/range-picker.js';
import { button, failureText, field, loading, problem, textInput } from './shared.js';

/** @typedef {{onClose(): void, onPlaced(hold: {events: number}): void}} FormOptions */

/** A name goes into the address of the hold. */
const NAME_MAX = 200;
const NOTHING = 'Choose at least one filter, or a time range.';

/** @param {FormOptions} options */
export function holdForm(options) {
  const form = new HoldForm(options);
  return { element: form.element, focus: () => form.name.focus(), stop: () => form.requests.stop() };
}

class HoldForm {
  /** @param {FormOptions} options */
  constructor(options) {
    this.options = options;
    this.selection = emptySelection();
    this.requests = latest();
    this.message = problem();
    this.keeps = h('p', { class: 'quiet', role: 'status' });
    this.name = textInput({ maxlength: NAME_MAX, required: true });
    this.range = rangePicker({ onChange: (chosen) => this.select(chosen) });
    this.bar = filterBar({ onChange: (next) => this.select(next), extra: this.range.element });
    this.element = this.draw();
    this.select({});
  }

  draw() {
    const help = 'Such as the number of the case. A hold cannot be changed: it is released, and another one placed.';
    const submit = (/** @type {any} */ event) => event.preventDefault();
    const filters = h('div', { class: 'admin-filter' }, this.bar.element);
    const cancel = button('Cancel', '', this.options.onClose);
    const place = button('Place', '', () => this.place(), { kind: 'primary' });
    return h(
      'form',
      { class: 'card admin-form hold-form', 'aria-label': 'Place hold', on: { submit } },
      field('Name', this.name, help),
      h('div', { class: 'field' }, h('span', { class: 'label' }, 'Keeps what matches'), filters),
      this.keeps,
      this.message.element,
      h('div', { class: 'form-foot' }, cancel, place),
    );
  }

  query() {
    const bounds = boundsOf(this.selection);
    const times = [
      ['from', bounds.from],
      ['to', bounds.to],
    ].filter(([, time]) => time !== '');
    return [...filterParams(this.selection), ...times];
  }

  /** @param {Partial<import('../../parts/filter-model.js').Selection>} change */
  select(change) {
    this.selection = { ...this.selection, ...change };
    this.bar.show(this.selection);
    this.range.show(this.selection);
    this.tell();
  }

  /** How many events it would keep now. */
  tell() {
    this.message.clear();
    if (this.query().length === 0) this.keeps.textContent = NOTHING;
    else if (can('events:read')) {
      void loading(
        async () => {
          const stats = await get('stats', this.query(), this.requests.start());
          this.keeps.textContent = `Keeps ${countOf(stats.total, 'event')} now, and those that come and match.`;
        },
        () => this.tell(),
      );
    }
  }

  async place() {
    const name = this.name.value.trim();
    const query = this.query();
    if (name === '') this.message.show('A hold needs a name.');
    else if (query.length === 0) this.message.show(NOTHING);
    else {
      try {
        this.options.onPlaced(await call('PUT', `holds/${encodeURIComponent(name)}`, { query }));
      } catch (error) {
        this.message.show(failureText(error));
      }
    }
  }
}
