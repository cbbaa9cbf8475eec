// @ts-check
// The line above the histogram: how many events, how fast, how many of each severity; read out when it changes.
import { fill, h } from '../../core/h.js';
import { count, countOf } from '../../core/text.js';
import { SEVERITIES } from '../../parts/severity.js';

/** @param {{onSeverity(severity: string): void}} options */
export function summary(options) {
  const total = h('strong', { class: 'summary-total' });
  const took = h('span', { class: 'quiet summary-took' });
  // Numbers that change with each letter are read out once they stand still.
  const spoken = h('p', { class: 'visually-hidden', role: 'status', 'aria-live': 'polite' });
  const legend = h('div', { class: 'legend', role: 'group', 'aria-label': 'By severity' });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  return {
    element: h('div', { class: 'summary' }, h('p', { class: 'summary-text' }, total, ' ', took), spoken, legend),
    /** @param {{total: number, ms: number, by: Record<string, number>, narrowed: boolean}} found */
    show(found) {
      total.textContent = countOf(found.total, 'event');
      took.textContent = `in ${found.ms} ms`;
      clearTimeout(timer);
      timer = setTimeout(() => { spoken.textContent = `${countOf(found.total, 'event')} found`; }, 400);
      fill(legend, SEVERITIES.map((severity) => h('button', {
        type: 'button', class: 'legend-item', disabled: !found.by[severity],
        on: { click: () => options.onSeverity(severity) },
      }, h('span', { class: 'visually-hidden' }, 'Filter by severity '), h('span', { class: 'dot', dataset: { severity } }), severity, ' ', h('b', null, count(found.by[severity] ?? 0)))));
    },
    stop() { clearTimeout(timer); },
  };
}
