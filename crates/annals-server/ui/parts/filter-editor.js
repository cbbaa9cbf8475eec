// @ts-check
// The popover in which a filter is made or changed: field, condition, values.
import { fill, h } from '../core/h.js';
import { BOOLEAN_FIELDS, FIELD_GROUPS, labelOf } from './filter-model.js';
import { openPopover } from './popover.js';
import { valuePicker } from './value-picker.js';

/** @typedef {import('./filter-model.js').Filter} Filter */
/** @typedef {'is' | 'not' | 'prefix' | 'any'} Condition */

/** @type {[Condition, string][]} */
const CONDITIONS = [
  ['is', 'is'],
  ['not', 'is not'],
  ['prefix', 'starts with'],
  ['any', 'has any value'],
];

/**
 * @param {HTMLElement} anchor
 * @param {Filter | null} filter the one to change, or null for a new one
 * @param {{query: (field: string, condition: Condition) => string[][], onApply: (filter: Filter) => void, field?: string}} options
 */
export function openFilterEditor(anchor, filter, options) {
  const field = fieldSelect(filter?.field ?? options.field ?? 'event_type');
  const condition = conditionSelect(filter);
  const place = h('div', { class: 'editor-value' });
  let value = /** @type {ReturnType<typeof valuePicker> | ReturnType<typeof plainValue> | null} */ (null);
  const apply = () => {
    const made = read(field.value, /** @type {Condition} */ (condition.value), value?.values() ?? []);
    if (!made) return;
    popover.close();
    options.onApply(made);
  };
  const draw = () => {
    value?.stop();
    const chosen = filter && filter.field === field.value && filter.values[0] !== '' ? filter.values : [];
    value =
      condition.value === 'any'
        ? null
        : condition.value === 'prefix'
          ? plainValue(chosen, apply)
          : valuePicker({
              field: field.value,
              label: 'Value',
              chosen: BOOLEAN_FIELDS.has(field.value) ? chosen.slice(0, 1) : chosen,
              query: () => options.query(field.value, /** @type {Condition} */ (condition.value)),
              onChange: () => {},
              onEnter: apply,
            });
    fill(place, value?.element);
  };
  field.addEventListener('change', draw);
  condition.addEventListener('change', draw);
  draw();
  const popover = openPopover(anchor, {
    label: filter ? 'Change filter' : 'Add filter',
    className: 'filter-editor',
    onClose: () => value?.stop(),
    body: [
      h(
        'div',
        { class: 'editor-row' },
        h('div', { class: 'field' }, h('span', { class: 'label', 'aria-hidden': 'true' }, 'Field'), field),
        h('div', { class: 'field' }, h('span', { class: 'label', 'aria-hidden': 'true' }, 'Condition'), condition),
      ),
      place,
      h(
        'div',
        { class: 'editor-actions' },
        h('button', { type: 'button', class: 'button', on: { click: () => popover.close() } }, 'Cancel'),
        h('button', { type: 'button', class: 'button button-primary', on: { click: apply } }, 'Apply'),
      ),
    ],
  });
}

/** @param {string} chosen */
function fieldSelect(chosen) {
  return h(
    'select',
    { class: 'select', 'aria-label': 'Field' },
    FIELD_GROUPS.map(({ group, fields }) =>
      h(
        'optgroup',
        { label: group },
        fields.map((field) => h('option', { value: field, selected: field === chosen }, labelOf(field))),
      ),
    ),
  );
}

/** @param {Filter | null} filter */
function conditionSelect(filter) {
  const chosen = filter?.op === 'prefix' && filter.values[0] === '' ? 'any' : (filter?.op ?? 'is');
  return h(
    'select',
    { class: 'select', 'aria-label': 'Condition' },
    CONDITIONS.map(([value, says]) => h('option', { value, selected: value === chosen }, says)),
  );
}

/** The first of the beginnings can be changed, others of a link stay. @param {string[]} chosen @param {() => void} onEnter */
function plainValue(chosen, onEnter) {
  const [text = '', ...rest] = chosen;
  const input = h('input', {
    class: 'input',
    type: 'text',
    'aria-label': 'Value',
    value: text,
    placeholder: 'What the value begins with',
    maxlength: 1024,
    autocomplete: 'off',
    spellcheck: 'false',
    autocapitalize: 'off',
    dataset: { focus: '' },
    on: {
      keydown: (/** @type {any} */ event) => {
        if (event.key === 'Enter') {
          event.preventDefault();
          onEnter();
        }
      },
    },
  });
  return { element: input, values: () => (input.value === '' ? rest : [input.value, ...rest]), stop() {} };
}

/** @param {string} field @param {Condition} condition @param {string[]} values @returns {Filter | null} */
function read(field, condition, values) {
  if (condition === 'any') return { field, op: 'prefix', values: [''] };
  return values.length === 0 ? null : { field, op: condition, values };
}
