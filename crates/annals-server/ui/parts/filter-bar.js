// @ts-check
// Text search, filter chips and the acknowledged filter: what search, live tail and deletes select with. The bar holds no
// state: it shows a selection and says which one the person wants next.
import { fill, h } from '../core/h.js';
import { icon } from '../core/icons.js';
import { line } from '../core/text.js';
import { openFilterEditor } from './filter-editor.js';
import { filterParams, isNarrowed, labelOf } from './filter-model.js';

/** @typedef {import('./filter-model.js').Selection} Selection */
/** @typedef {import('./filter-model.js').Filter} Filter */
/** @typedef {{element: HTMLElement, search: HTMLInputElement, show(selection: Selection): void, addFilter(field?: string): void}} FilterBar */

/** A letter after a pause is asked for at once; of letters that come faster than this, the last one after a short wait. */
const PAUSE_MS = 150;
const DEBOUNCE_MS = 50;
/** A chip names so many of its values, then how many there are besides. */
const VALUES_SHOWN = 3;

/**
 * `bounds` are the time parameters that value suggestions are counted under; `extra` comes behind the text search.
 * @param {{onChange: (selection: Selection, how: {replace: boolean}) => void, bounds?: () => string[][], extra?: import('../core/h.js').Children}} options
 * @returns {FilterBar}
 */
export function filterBar(options) {
  return new Bar(options).parts();
}

class Bar {
  /** @param {Parameters<typeof filterBar>[0]} options */
  constructor(options) {
    this.options = options;
    /** @type {Selection | null} */
    this.selection = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** The first change after the focus is a step for the back button, the following letters are not. */
    this.fresh = true;
    this.typedAt = 0;
    this.search = h('input', {
      class: 'input',
      type: 'search',
      'aria-label': 'Search text',
      placeholder: 'Search in message and content',
      autocomplete: 'off',
      spellcheck: 'false',
      autocapitalize: 'off',
      'aria-keyshortcuts': '/',
      maxlength: 1024,
      on: {
        focus: () => {
          this.fresh = true;
        },
        input: () => this.onType(),
        keydown: (/** @type {any} */ event) => this.onKey(event),
        change: () => this.commit(),
      },
    });
    this.acknowledged = h(
      'select',
      { class: 'select', 'aria-label': 'Acknowledged', on: { change: () => this.onAcknowledged() } },
      h('option', { value: '' }, 'Acknowledged: any'),
      h('option', { value: 'true' }, 'Acknowledged: yes'),
      h('option', { value: 'false' }, 'Acknowledged: no'),
    );
    this.add = h(
      'button',
      {
        type: 'button',
        class: 'button button-small chip-add',
        'aria-haspopup': 'dialog',
        'aria-expanded': 'false',
        on: { click: () => this.addFilter() },
      },
      icon('plus'),
      'Add filter',
    );
    this.clear = h(
      'button',
      { type: 'button', class: 'text-button button-small', on: { click: () => this.clearAll() } },
      'Clear filters',
    );
    this.chips = h('div', { class: 'chips', role: 'group', 'aria-label': 'Filters' });
  }

  /** @returns {FilterBar} */
  parts() {
    return {
      element: h(
        'div',
        { class: 'filter-bar', role: 'search', 'aria-label': 'Events' },
        h(
          'div',
          { class: 'filter-row' },
          h('div', { class: 'search-box' }, icon('search'), this.search),
          this.acknowledged,
          this.options.extra,
        ),
        this.chips,
      ),
      search: this.search,
      show: (selection) => this.show(selection),
      addFilter: (field) => this.addFilter(field),
    };
  }

  /** @param {Selection} selection */
  show(selection) {
    const same =
      this.selection !== null &&
      JSON.stringify(this.selection.filters) === JSON.stringify(selection.filters) &&
      isNarrowed(this.selection) === isNarrowed(selection);
    this.selection = selection;
    // What is being typed is newer than the address.
    if (this.timer === undefined && this.search.value !== selection.q) this.search.value = selection.q;
    this.acknowledged.value = selection.acknowledged;
    if (same && this.chips.firstChild) return;
    fill(
      this.chips,
      selection.filters.map((filter) => this.chip(filter)),
      this.add,
      isNarrowed(selection) ? this.clear : null,
    );
  }

  /** @param {Filter} filter */
  chip(filter) {
    const says = sentence(filter);
    const edit = h(
      'button',
      { type: 'button', class: 'chip-edit', 'aria-haspopup': 'dialog', 'aria-expanded': 'false', title: says },
      h('span', { class: 'visually-hidden' }, 'Change filter: '),
      h('span', { class: 'chip-field' }, labelOf(filter.field)),
      ' ',
      h('span', { class: 'chip-op' }, opOf(filter)),
      ' ',
      h('bdi', { class: 'chip-value' }, valuesOf(filter)),
    );
    edit.addEventListener('click', () =>
      openFilterEditor(edit, filter, {
        query: (field, op) => this.suggestQuery(filter, field, op),
        onApply: (made) => this.replace(filter, made),
      }),
    );
    return h(
      'span',
      { class: 'chip', dataset: { op: filter.op } },
      edit,
      h(
        'button',
        {
          type: 'button',
          class: 'chip-remove',
          'aria-label': `Remove filter: ${says}`,
          on: { click: () => this.replace(filter, null) },
        },
        icon('close'),
      ),
    );
  }

  /** @param {string} [field] */
  addFilter(field) {
    openFilterEditor(this.add, null, {
      field,
      query: (of, op) => this.suggestQuery(null, of, op),
      onApply: (made) => this.replace(null, made),
    });
  }

  /**
   * What values are counted under: everything but the filter that is being changed, and the one that takes the values in.
   * @param {Filter | null} without
   * @param {string} field
   * @param {string} op
   */
  suggestQuery(without, field, op) {
    if (!this.selection) return [];
    const filters = this.selection.filters.filter(
      (filter) => !(without && isTwin(filter, without)) && !(filter.field === field && filter.op === op),
    );
    return [...filterParams({ ...this.selection, filters }), ...(this.options.bounds?.() ?? [])];
  }

  /** @param {Filter | null} old @param {Filter | null} made */
  replace(old, made) {
    if (!this.selection) return;
    const { filters: all } = this.selection;
    const rest = all.filter((filter) => !old || !isTwin(filter, old));
    const twin = made && rest.find((filter) => isTwin(filter, made));
    const filters =
      made === null
        ? rest
        : twin
          ? rest.map((filter) =>
              filter === twin ? { ...twin, values: [...new Set([...twin.values, ...made.values])] } : filter,
            )
          : old
            ? all.map((filter) => (isTwin(filter, old) ? made : filter))
            : [...rest, made];
    this.change({ filters });
    this.add.focus();
  }

  clearAll() {
    this.search.value = '';
    this.change({ filters: [], q: '', acknowledged: '' });
    this.search.focus();
  }

  onAcknowledged() {
    const value = this.acknowledged.value;
    this.change({ acknowledged: value === 'true' || value === 'false' ? value : '' });
  }

  onType() {
    clearTimeout(this.timer);
    const now = performance.now();
    const wait = now - this.typedAt > PAUSE_MS ? 0 : DEBOUNCE_MS;
    this.typedAt = now;
    if (wait === 0) this.commit();
    else this.timer = setTimeout(() => this.commit(), wait);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.key === 'Enter') this.commit();
    else if (event.key === 'Escape') {
      event.preventDefault();
      if (this.search.value === '') this.search.blur();
      else {
        this.search.value = '';
        this.commit();
      }
    }
  }

  commit() {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.selection || this.search.value === this.selection.q) return;
    const replace = !this.fresh;
    this.fresh = false;
    this.change({ q: this.search.value }, replace);
  }

  /** @param {Partial<Selection>} change @param {boolean} [replace] */
  change(change, replace = false) {
    if (this.selection) this.options.onChange({ ...this.selection, ...change }, { replace });
  }
}

/** Of a field and a kind there is one filter. @param {Filter} one @param {Filter} other */
function isTwin(one, other) {
  return one.field === other.field && one.op === other.op;
}

/** @param {Filter} filter */
function opOf(filter) {
  if (filter.op === 'prefix') return filter.values[0] === '' ? 'has any value' : 'starts with';
  return filter.op === 'is' ? 'is' : 'is not';
}

/** @param {Filter} filter */
function valuesOf(filter) {
  const shown = filter.values
    .slice(0, VALUES_SHOWN)
    .map((value) => line(value, 40))
    .join(', ');
  const besides = filter.values.length - VALUES_SHOWN;
  return besides > 0 ? `${shown} and ${besides} more` : shown;
}

/** "Type is container.started". @param {Filter} filter */
export function sentence(filter) {
  return `${labelOf(filter.field)} ${opOf(filter)} ${valuesOf(filter)}`.trim();
}
