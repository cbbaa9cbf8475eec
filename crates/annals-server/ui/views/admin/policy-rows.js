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

/** @param {{onChange(): void}} options */
export function policyRows(options) {
  /** @type {Row[]} */
  let rows = [];
  const body = h('tbody');
  const none = h('p', { class: 'quiet' }, 'No policies: events are kept until somebody deletes them.');
  const element = h('div', null, none, h('table', { class: 'data policies' }, h('caption', { class: 'visually-hidden' }, 'Retention policies'),
    h('thead', null, h('tr', null, ['Name', 'Event type', 'Realm', 'Keep days', 'Deletes before', 'Would delete now', ''].map((title) => h('th', { scope: 'col' }, title || h('span', { class: 'visually-hidden' }, 'Remove'))))),
    body));
  const draw = () => {
    fill(body, rows.map((row, index) => {
      nameControls(row, index + 1);
      return row.element;
    }));
    none.hidden = rows.length > 0;
    /** @type {HTMLElement} */ (element.lastElementChild).hidden = rows.length === 0;
  };
  const changed = () => {
    for (const row of rows) row.would.textContent = '';
    options.onChange();
  };
  const make = (/** @type {Policy | null} */ policy) => {
    const row = makeRow(policy, changed, () => {
      rows = rows.filter((other) => other !== row);
      draw();
      changed();
    });
    return row;
  };
  return {
    element,
    /** @param {Policy[]} policies */
    show(policies) {
      rows = policies.map(make);
      draw();
    },
    add() {
      if (rows.length >= POLICIES_MAX) return;
      const row = make(null);
      rows.push(row);
      draw();
      changed();
      row.name.focus();
    },
    /** @returns {Policy[]} */
    read: () => rows.map((row) => ({
      name: row.name.value.trim(), ...(row.realm.value.trim() ? { realm: row.realm.value.trim() } : {}), ...(row.type.value.trim() ? { event_type: row.type.value.trim() } : {}), keep_days: Number(row.days.value),
    })),
    /** What is wrong with it before it is sent, or nothing. */
    problem: () => problemOf(rows),
    /** @param {Policy[]} policies in the order of the rows */
    showOutlook(policies) {
      for (const [index, row] of rows.entries()) {
        const policy = policies[index];
        row.cutoff.textContent = policy?.cutoff ? formatTime(policy.cutoff, 'min') : '';
        row.would.textContent = policy?.would_delete === undefined ? '' : count(policy.would_delete);
      }
    },
  };
}

/** @param {Policy | null} policy @param {() => void} onChange @param {() => void} onRemove @returns {Row} */
function makeRow(policy, onChange, onRemove) {
  const input = (/** @type {string} */ value, /** @type {Record<string, unknown>} */ props) => textInput({ value, on: { input: onChange }, ...props });
  const name = input(policy?.name ?? '', { maxlength: 200 });
  const type = input(policy?.event_type ?? '', { placeholder: 'any', maxlength: 1024 });
  const realm = input(policy?.realm ?? '', { placeholder: 'any', maxlength: 1024 });
  const days = input(policy ? String(policy.keep_days) : '', { type: 'number', min: 1, max: DAYS_MAX, step: 1, inputmode: 'numeric' });
  const cutoff = h('span', null, policy?.cutoff ? formatTime(policy.cutoff, 'min') : '');
  const would = h('b');
  const remove = h('button', { type: 'button', class: 'icon-button', on: { click: onRemove } }, icon('trash'));
  const cell = (/** @type {string} */ title, /** @type {import('../../core/h.js').Children} */ child, /** @type {string | null} */ kind = null) => h('td', { dataset: { title }, class: kind }, child);
  return {
    name, type, realm, days, cutoff, would, remove,
    element: h('tr', null, cell('Name', name), cell('Event type', type), cell('Realm', realm), cell('Keep days', days, 'policy-days'), cell('Deletes before', cutoff), cell('Would delete now', would, 'number'), cell('', remove, 'narrow-bare')),
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
    if (!Number.isInteger(days) || days < 1 || days > DAYS_MAX) return `${name}: the days to keep are a whole number of 1 to ${count(DAYS_MAX)}.`;
  }
  return '';
}
