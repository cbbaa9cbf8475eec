// @ts-check
// Statistics of the selection: total, oldest, newest, and the most frequent values of fields with exact counts. A click on
// a value filters by it.
import { fill, h } from '../../core/h.js';
import { icon } from '../../core/icons.js';
import { getPref, setPref } from '../../core/prefs.js';
import { count, line } from '../../core/text.js';
import { ago, formatTime, span } from '../../core/time.js';
import { toast } from '../../core/toast.js';
import { FIELD_GROUPS, FIELDS, labelOf } from '../../parts/filter-model.js';

/** @typedef {import('./data.js').Stats} Stats */
/** @typedef {{onFilter(field: string, value: string, op: 'is' | 'not'): void, onFields(): void, onSort(sort: 'created_at' | '-created_at'): void}} StatisticsOptions */

const DEFAULT = ['event_type', 'resource_type', 'severity', 'status', 'resource_id', 'user_id', 'source', 'realm_id'];
/** Values of a field to begin with, and after "Show more". */
export const FEW = 10;
export const MANY = 100;
/** As many fields as one request counts by. */
const FIELDS_MAX = 16;

export class Statistics {
  /** @param {StatisticsOptions} options */
  constructor(options) {
    this.options = options;
    this.many = false;
    this.figures = h('dl', { class: 'figures' });
    this.cards = h('div', { class: 'stat-cards' });
    this.element = h(
      'section',
      { class: 'statistics', 'aria-label': 'Statistics', hidden: true },
      this.figures,
      this.tools(),
      this.cards,
    );
  }

  /** The fields the person wants to see. @returns {string[]} */
  fields() {
    const kept = getPref('statistics', DEFAULT);
    return Array.isArray(kept) ? kept.filter((field) => FIELDS.includes(field)).slice(0, FIELDS_MAX) : DEFAULT;
  }

  limit() {
    return this.many ? MANY : FEW;
  }

  tools() {
    const add = h(
      'select',
      {
        class: 'select',
        'aria-label': 'Add a field',
        on: {
          change: () => {
            if (add.value) this.change([add.value, ...this.fields().filter((field) => field !== add.value)]);
            add.value = '';
          },
        },
      },
      h('option', { value: '' }, 'Add a field\u2026'),
      FIELD_GROUPS.map(({ group, fields }) =>
        h(
          'optgroup',
          { label: group },
          fields.map((field) => h('option', { value: field }, labelOf(field))),
        ),
      ),
    );
    const many = h(
      'button',
      {
        type: 'button',
        class: 'button',
        'aria-pressed': 'false',
        on: {
          click: () => {
            this.many = !this.many;
            many.setAttribute('aria-pressed', String(this.many));
            this.options.onFields();
          },
        },
      },
      `Top ${MANY}`,
    );
    return h(
      'div',
      { class: 'stat-tools' },
      h('h2', null, 'Top values'),
      add,
      many,
      h('button', { type: 'button', class: 'text-button', on: { click: () => this.change(DEFAULT) } }, 'Reset fields'),
    );
  }

  /** @param {string[]} fields */
  change(fields) {
    if (fields.length > FIELDS_MAX) {
      toast(`At most ${FIELDS_MAX} fields: remove one first.`, 'error');
      return;
    }
    setPref('statistics', fields);
    this.options.onFields();
  }

  /** @param {Stats} stats */
  show(stats) {
    const { oldest, newest, total } = stats;
    fill(
      this.figures,
      figure('Events', count(total)),
      figure(
        'Oldest',
        oldest
          ? h(
              'button',
              { type: 'button', class: 'link-button', on: { click: () => this.options.onSort('created_at') } },
              h('span', { class: 'visually-hidden' }, 'Show the oldest events: '),
              formatTime(oldest),
            )
          : 'none',
        oldest ? ago(oldest) : '',
      ),
      figure(
        'Newest',
        newest
          ? h(
              'button',
              { type: 'button', class: 'link-button', on: { click: () => this.options.onSort('-created_at') } },
              h('span', { class: 'visually-hidden' }, 'Show the newest events: '),
              formatTime(newest),
            )
          : 'none',
        newest ? ago(newest) : '',
      ),
      figure('Span', oldest && newest ? span(Date.parse(newest) - Date.parse(oldest)) : 'none'),
    );
    fill(
      this.cards,
      this.fields().map((field) => this.card(field, stats)),
    );
  }

  /** @param {string} field @param {Stats} stats */
  card(field, stats) {
    const values = Object.entries(stats.by[field] ?? {}).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    const max = values[0]?.[1] ?? 1;
    return h(
      'section',
      { class: 'card stat-card', 'aria-label': `Top values of ${labelOf(field)}` },
      h(
        'header',
        null,
        h('h3', null, labelOf(field)),
        h(
          'button',
          {
            type: 'button',
            class: 'icon-button',
            'aria-label': `Remove ${labelOf(field)} from the statistics`,
            title: 'Remove',
            on: { click: () => this.change(this.fields().filter((other) => other !== field)) },
          },
          icon('close'),
        ),
      ),
      values.length === 0
        ? h('p', { class: 'quiet' }, 'No event here has this field.')
        : h(
            'ul',
            { class: 'stat-values' },
            values.map(([value, size]) => this.value(field, value, size, max, stats.total)),
          ),
    );
  }

  /** @param {string} field @param {string} value @param {number} size @param {number} max @param {number} total */
  value(field, value, size, max, total) {
    const shown = line(value, 120);
    const bar = h('span', { class: 'stat-bar', dataset: field === 'severity' ? { severity: shown } : {} });
    bar.style.width = `${Math.max(0.5, (size / max) * 100)}%`;
    return h(
      'li',
      { class: 'stat-value' },
      h(
        'button',
        {
          type: 'button',
          class: 'stat-pick',
          title: shown,
          on: { click: () => this.options.onFilter(field, value, 'is') },
        },
        bar,
        h('span', { class: 'visually-hidden' }, `Filter by ${labelOf(field)} `),
        h('bdi', { class: 'stat-name' }, shown),
        ' ',
        h('span', { class: 'stat-share quiet' }, share(size, total)),
        ' ',
        h('span', { class: 'stat-count' }, count(size)),
      ),
      h(
        'button',
        {
          type: 'button',
          class: 'icon-button',
          'aria-label': `Exclude ${labelOf(field)} ${shown}`,
          title: 'Exclude',
          on: { click: () => this.options.onFilter(field, value, 'not') },
        },
        icon('exclude'),
      ),
    );
  }
}

/** @param {string} name @param {import('../../core/h.js').Children} value @param {string} [note] */
function figure(name, value, note = '') {
  return h(
    'div',
    { class: 'figure' },
    h('dt', { class: 'label' }, name),
    h('dd', null, h('span', { class: 'figure-value' }, value), note ? h('span', { class: 'quiet' }, note) : null),
  );
}

/** "12 %", "3.4 %". @param {number} size @param {number} total */
function share(size, total) {
  const percent = total > 0 ? (size / total) * 100 : 0;
  if (percent < 0.1) return '< 0.1 %';
  return `${percent.toFixed(percent < 10 ? 1 : 0)} %`;
}
