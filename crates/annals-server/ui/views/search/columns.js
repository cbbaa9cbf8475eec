// @ts-check
// The columns: which there are, how wide they are, how a cell looks; and the popover to choose them.
import { h } from '../../core/h.js';
import { icon } from '../../core/icons.js';
import { line } from '../../core/text.js';
import { formatTime } from '../../core/time.js';
import { FIELD_GROUPS, labelOf } from '../../parts/filter-model.js';
import { openPopover } from '../../parts/popover.js';
import { severityBadge } from '../../parts/severity.js';
import { COLUMNS_DEFAULT, memberOf, MORE_COLUMNS } from './state.js';

/** @typedef {import('./data.js').Event} Event */

/** Columns of free text share what is left of the width. */
const WIDE = new Set(['message', 'content', 'error_message', 'user_agent', 'path']);
/** Characters of the others, so that their usual values fit in any font. @type {Record<string, number>} */
const WIDTHS = {
  created_at: 23,
  updated_at: 23,
  severity: 9,
  event_type: 25,
  status: 11,
  resource_type: 15,
  sequence: 11,
  id: 36,
  acknowledged: 13,
  http_method: 11,
  http_status: 11,
  latency_ms: 11,
  notification: 11,
  is_public: 9,
  is_global: 9,
  realm_ids: 26,
};
/** Of those without a width of their own: an id of 24 hex digits. */
const ID_WIDTH = 24;
/** Room of a cell beside its text, and the least of a wide one. */
const CELL_PX = 16;
const WIDE_PX = 260;

/** @param {string} column */
export function isWide(column) {
  return WIDE.has(column);
}

/** @param {string} column */
function charactersOf(column) {
  return WIDTHS[column] ?? ID_WIDTH;
}

/** The value of `grid-template-columns`. @param {string[]} columns */
export function template(columns) {
  const tracks = columns.map((column) =>
    isWide(column) ? `minmax(${WIDE_PX}px, 1fr)` : `calc(${charactersOf(column)}ch + ${CELL_PX}px)`,
  );
  return columns.some(isWide) ? tracks.join(' ') : `${tracks.join(' ')} 1fr`;
}

/** The width below which the table scrolls sideways, as CSS. @param {string[]} columns */
export function minWidth(columns) {
  const wide = columns.filter(isWide).length;
  const characters = columns.filter((column) => !isWide(column)).reduce((sum, column) => sum + charactersOf(column), 0);
  return `calc(${characters}ch + ${wide * WIDE_PX + (columns.length - wide) * CELL_PX + 12}px)`;
}

/**
 * What a cell shows.
 * @param {Event} event
 * @param {string} column
 * @returns {Node | string}
 */
export function cellContent(event, column) {
  const value = event[column];
  if (column === 'created_at' || column === 'updated_at') return value ? formatTime(String(value)) : '';
  if (value === undefined || value === null) return '';
  if (column === 'severity') return severityBadge(value);
  if (column === 'acknowledged')
    return value === true ? h('span', { class: 'acknowledged' }, icon('check'), 'yes') : 'no';
  return line(value);
}

/**
 * @param {HTMLElement} anchor
 * @param {string[]} chosen
 * @param {(columns: string[]) => void} onChange
 */
export function openColumns(anchor, chosen, onChange) {
  let now = [...chosen];
  /** @type {Map<string, HTMLInputElement>} */
  const boxes = new Map();
  const option = (/** @type {string} */ column) => {
    const box = h('input', { type: 'checkbox', checked: now.includes(column), disabled: column === 'created_at' });
    box.addEventListener('change', () => {
      now = box.checked ? inOrder([...now, column]) : now.filter((other) => other !== column);
      onChange(now);
    });
    boxes.set(column, box);
    return h('label', { class: 'check' }, box, labelOf(column));
  };
  const reset = () => {
    now = COLUMNS_DEFAULT;
    for (const [column, box] of boxes) box.checked = now.includes(column);
    onChange(now);
  };
  const groups = [
    { group: 'Always', fields: ['created_at'] },
    ...FIELD_GROUPS,
    { group: 'More', fields: MORE_COLUMNS },
  ];
  openPopover(anchor, {
    label: 'Columns',
    className: 'columns-chooser',
    body: [
      groups.map(({ group, fields }) =>
        h(
          'fieldset',
          { class: 'columns-group' },
          h('legend', { class: 'label' }, group),
          fields.map((field) => option(memberOf(field))),
        ),
      ),
      h(
        'div',
        { class: 'editor-actions' },
        h('button', { type: 'button', class: 'button', on: { click: reset } }, 'Reset columns'),
      ),
    ],
  });
}

/** Free text comes last, whatever was chosen last. @param {string[]} columns */
function inOrder(columns) {
  return [...columns.filter((column) => !WIDE.has(column)), ...columns.filter((column) => WIDE.has(column))];
}
