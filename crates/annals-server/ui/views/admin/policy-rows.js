// @ts-check
// The list of policies as a form: one row each.
import { fill, h } from '../../core/h.js';
import { icon } from '../../core/icons.js';
import { count } from '../../core/text.js';
import { formatTime } from '../../core/time.js';
import { textInput } from './shared.js';

/** @typedef {import('./retention.js').Policy} Policy */
/** @typedef {{element: HTMLElement, name: HTMLInputElement, type: HTMLInputElement, realm: HTMLInputElement, days: HTMLInputElement, cutoff: HTMLElement, would: HTMLElement, remove: HTMLElement}} Row */

const POLICIES_MAX = 100;
const DAYS_MAX = 36_500;

const HEAD = ['Name', 'Event type', 'Realm', 'Keep days', 'Deletes before', 'Would delete now'];

export class PolicyRows {
  /** @param {{onChange(): void}} options */
  constructor(options) {
    this.options = options;
    /** @type {Row[]} */
    this.rows = [];
    this.body = h('tbody');
    this.none = h('p', { class: 'quiet' }, 'No policies: events are kept until somebody deletes them.');
    const titles = HEAD.map((title) => h('th', { scope: 'col' }, title));
    titles.push(h('th', { scope: 'col' }, h('span', { class: 'visually-hidden' }, 'Remove')));
    const caption = h('caption', { class: 'visually-hidden' }, 'Retention policies');
    const head = h('thead', null, h('tr', null, titles));
    this.table = h('table', { class: 'data policies' }, caption, head, this.body);
    this.element = h('div', { tabindex: -1 }, this.none, this.table);
  }

  draw() {
    for (const [index, row] of this.rows.entries()) nameControls(row, index + 1);
    const elements = this.rows.map((row) => row.element);
    fill(this.body, elements);
    this.none.hidden = elements.length > 0;
    this.table.hidden = elements.length === 0;
  }

  changed() {
    for (const row of this.rows) row.would.textContent = '';
    this.options.onChange();
  }

  /** @param {Policy | null} policy @returns {Row} */
  make(policy) {
    const row = makeRow(
      policy,
      () => this.changed(),
      () => this.remove(row),
    );
    return row;
  }

  /** @param {Row} row */
  remove(row) {
    const at = this.rows.indexOf(row);
    this.rows = this.rows.filter((other) => other !== row);
    this.draw();
    this.changed();
    const beside = this.rows[at] ?? this.rows[at - 1];
    (beside?.remove ?? this.element).focus();
  }

  /** @param {Policy[]} policies */
  show(policies) {
    this.rows = policies.map((policy) => this.make(policy));
    this.draw();
  }

  add() {
    if (this.rows.length >= POLICIES_MAX) return;
    const row = this.make(null);
    this.rows.push(row);
    this.draw();
    this.changed();
    row.name.focus();
  }

  /** @returns {Policy[]} */
  read() {
    return this.rows.map((row) => {
      const realm = row.realm.value.trim();
      const type = row.type.value.trim();
      return {
        name: row.name.value.trim(),
        ...(realm ? { realm } : {}),
        ...(type ? { event_type: type } : {}),
        keep_days: Number(row.days.value),
      };
    });
  }

  /** What is wrong with it before it is sent, or nothing. */
  problem() {
    return problemOf(this.rows);
  }

  /** @param {Policy[]} policies in the order of the rows */
  showOutlook(policies) {
    for (const [index, row] of this.rows.entries()) {
      const policy = policies[index];
      row.cutoff.textContent = policy?.cutoff ? formatTime(policy.cutoff, 'min') : '';
      row.would.textContent = policy?.would_delete === undefined ? '' : count(policy.would_delete);
    }
  }
}

/** @param {Policy | null} policy @param {() => void} onChange @param {() => void} onRemove @returns {Row} */
function makeRow(policy, onChange, onRemove) {
  const input = (/** @type {string} */ value, /** @type {Record<string, unknown>} */ props) =>
    textInput({ value, on: { input: onChange }, ...props });
  const name = input(policy?.name ?? '', { maxlength: 200 });
  const type = input(policy?.event_type ?? '', { placeholder: 'any', maxlength: 1024 });
  const realm = input(policy?.realm ?? '', { placeholder: 'any', maxlength: 1024 });
  const days = input(policy ? String(policy.keep_days) : '', {
    type: 'number',
    min: 1,
    max: DAYS_MAX,
    step: 1,
    inputmode: 'numeric',
  });
  const cutoff = h('span', null, policy?.cutoff ? formatTime(policy.cutoff, 'min') : '');
  const would = h('b');
  const remove = h('button', { type: 'button', class: 'icon-button', on: { click: onRemove } }, icon('trash'));
  const cell = (
    /** @type {string} */ title,
    /** @type {import('../../core/h.js').Children} */ child,
    /** @type {string | null} */ kind = null,
  ) => h('td', { dataset: { title }, class: kind }, child);
  return {
    name,
    type,
    realm,
    days,
    cutoff,
    would,
    remove,
    element: h(
      'tr',
      null,
      cell('Name', name),
      cell('Event type', type),
      cell('Realm', realm),
      cell('Keep days', days, 'policy-days'),
      cell('Deletes before', cutoff),
      cell('Would delete now', would, 'number'),
      cell('', remove, 'narrow-bare'),
    ),
  };
}

/** @param {Row} row @param {number} number */
function nameControls(row, number) {
  row.name.setAttribute('aria-label', `Name of policy ${number}`);
  row.type.setAttribute('aria-label', `Event type of policy ${number}`);
  row.realm.setAttribute('aria-label', `Realm of policy ${number}`);
  row.days.setAttribute('aria-label', `Keep days of policy ${number}`);
  row.remove.setAttribute('aria-label', `Remove policy ${number}`);
}

/** @param {Row[]} rows */
function problemOf(rows) {
  const names = new Set();
  for (const row of rows) {
    const name = row.name.value.trim();
    if (name === '') return 'Each policy needs a name.';
    if (names.has(name)) return `Two policies are called ${name}.`;
    names.add(name);
    const days = Number(row.days.value);
    if (!Number.isInteger(days) || days < 1 || days > DAYS_MAX)
      return `${name}: the days to keep are a whole number of 1 to ${count(DAYS_MAX)}.`;
  }
  return '';
}
