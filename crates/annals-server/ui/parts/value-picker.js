// @ts-check
// A field with suggestions: the values of a keyword field, most frequent first, each with its exact count under the
// filters in force. Several may be picked. WAI-ARIA's combobox with a list box.
import { get, isAbort, latest } from '../core/api.js';
import { fill, h } from '../core/h.js';
import { count, countOf, line } from '../core/text.js';
import { icon } from '../core/icons.js';

/** `count` is null for what is typed and not among the values found. @typedef {{value: string, count: number | null}} Suggestion */
/** @typedef {{field: string, label: string, chosen: string[], query: () => string[][], onChange: (values: string[]) => void, onEnter: () => void}} PickerOptions */

const SHOWN_MAX = 20;
/** Enough that a fast typist causes one request a word, and nobody sees it. */
const DEBOUNCE_MS = 40;
let made = 0;

/**
 * @param {PickerOptions} options `query` is what else the values are counted under
 * @returns {{element: HTMLElement, input: HTMLInputElement, values(): string[], stop(): void}}
 */
export function valuePicker(options) {
  made += 1;
  return new Picker(options, `picker-${made}`).parts();
}

class Picker {
  /** @param {PickerOptions} options @param {string} id */
  constructor(options, id) {
    this.options = options;
    this.id = id;
    this.chosen = [...options.chosen];
    /** @type {Suggestion[]} */
    this.shown = [];
    this.active = -1;
    /** Where the arrow keys go on after a choice. */
    this.last = -1;
    /** Whether what is typed has led to a choice: then it was a search and is no value itself. */
    this.used = false;
    this.requests = latest();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.tags = h('div', { class: 'picker-tags', role: 'list', 'aria-label': 'Chosen values' });
    this.list = h('div', {
      class: 'picker-list',
      id: `${id}-list`,
      role: 'listbox',
      'aria-label': 'Values',
      'aria-multiselectable': 'true',
    });
    this.state = h('p', { class: 'picker-state quiet', role: 'status' });
    this.input = h('input', {
      class: 'input',
      type: 'text',
      role: 'combobox',
      id,
      'aria-label': options.label,
      'aria-autocomplete': 'list',
      'aria-expanded': 'true',
      'aria-controls': `${id}-list`,
      autocomplete: 'off',
      spellcheck: 'false',
      autocapitalize: 'off',
      placeholder: 'Type to find values',
      maxlength: 1024,
      dataset: { focus: '' },
      on: { input: () => this.onType(), keydown: (/** @type {any} */ event) => this.onKey(event) },
    });
    this.drawTags();
    this.ask(0);
  }

  parts() {
    return {
      element: h('div', { class: 'picker' }, this.tags, this.input, this.state, this.list),
      input: this.input,
      values: () => this.withTyped(),
      stop: () => {
        clearTimeout(this.timer);
        this.requests.stop();
      },
    };
  }

  /** What is chosen, and what is typed and not yet chosen. */
  withTyped() {
    const typed = this.input.value.trim();
    return typed === '' || this.used || this.chosen.includes(typed) ? this.chosen : [...this.chosen, typed];
  }

  onType() {
    this.used = false;
    this.active = -1;
    this.last = -1;
    this.ask(DEBOUNCE_MS);
  }

  /** @param {number} wait */
  ask(wait) {
    clearTimeout(this.timer);
    const signal = this.requests.start();
    this.timer = setTimeout(() => void this.load(signal), wait);
  }

  /** @param {AbortSignal} signal */
  async load(signal) {
    const contains = this.input.value.trim();
    const query = [
      ['field', this.options.field],
      ['limit', String(SHOWN_MAX)],
      ...(contains ? [['contains', contains]] : []),
      ...this.options.query(),
    ];
    try {
      /** @type {{values: Suggestion[], more: boolean}} */
      const answer = await get('values', query, signal);
      const exact = contains === '' || answer.values.some((found) => found.value === contains);
      this.shown = exact ? answer.values : [...answer.values, { value: contains, count: null }];
      // What was typed found something: Enter takes the first.
      this.active = contains === '' || this.used ? -1 : 0;
      this.drawList();
      const size = answer.values.length;
      this.state.textContent =
        size === 0
          ? contains
            ? `No value contains this${this.options.query().length ? ' under the present filters' : ''}`
            : 'No event here has this field'
          : answer.more
            ? `The ${size} most frequent values`
            : countOf(size, 'value');
    } catch (error) {
      if (isAbort(error)) return;
      this.shown = [];
      this.drawList();
      this.state.textContent = error instanceof Error ? `No suggestions: ${error.message}` : 'No suggestions';
    }
  }

  drawTags() {
    fill(
      this.tags,
      this.chosen.map((value) =>
        h(
          'span',
          { class: 'picker-tag', role: 'listitem' },
          h('bdi', null, line(value, 60)),
          h(
            'button',
            { type: 'button', 'aria-label': `Remove ${line(value, 60)}`, on: { click: () => this.toggle(value) } },
            icon('close'),
          ),
        ),
      ),
    );
    this.tags.hidden = this.chosen.length === 0;
  }

  drawList() {
    fill(
      this.list,
      this.shown.map((suggestion, index) =>
        h(
          'div',
          {
            class: 'picker-option',
            role: 'option',
            id: `${this.id}-${index}`,
            'aria-selected': String(this.chosen.includes(suggestion.value)),
            dataset: { active: String(index === this.active) },
            on: {
              mousedown: (/** @type {Event} */ event) => event.preventDefault(),
              click: () => this.toggle(suggestion.value),
            },
          },
          h(
            'span',
            { class: 'picker-check', 'aria-hidden': 'true' },
            this.chosen.includes(suggestion.value) ? icon('check') : null,
          ),
          h(
            'span',
            { class: 'picker-value' },
            suggestion.count === null ? 'Use \u201c' : null,
            h('bdi', null, line(suggestion.value, 200)),
            suggestion.count === null ? '\u201d' : null,
          ),
          suggestion.count === null ? null : h('span', { class: 'picker-count' }, count(suggestion.count)),
        ),
      ),
    );
    const active = this.active >= 0 ? `${this.id}-${this.active}` : null;
    if (active) this.input.setAttribute('aria-activedescendant', active);
    else this.input.removeAttribute('aria-activedescendant');
    if (active) document.getElementById(active)?.scrollIntoView({ block: 'nearest' });
  }

  /** @param {string} value */
  toggle(value) {
    this.used = true;
    this.chosen = this.chosen.includes(value)
      ? this.chosen.filter((chosen) => chosen !== value)
      : [...this.chosen, value];
    this.drawTags();
    this.drawList();
    this.options.onChange(this.chosen);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0) {
      event.preventDefault();
      const size = this.shown.length;
      const from = this.active < 0 ? this.last : this.active;
      if (size > 0) this.active = from < 0 ? (step > 0 ? 0 : size - 1) : (from + step + size) % size;
      this.drawList();
    } else if (event.key === 'Enter') {
      event.preventDefault();
      const suggestion = this.shown[this.active];
      if (suggestion) {
        // The next Enter applies.
        this.last = this.active;
        this.active = -1;
        this.toggle(suggestion.value);
      } else this.options.onEnter();
    } else if (event.key === 'Backspace' && this.input.value === '' && this.chosen.length > 0) {
      this.toggle(/** @type {string} */ (this.chosen.at(-1)));
    }
  }
}
