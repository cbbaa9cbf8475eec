// @ts-check
// The line above the histogram: how many events, how fast, how many of each severity; read out when it changes.
import { h } from '../../core/h.js';
import { count, countOf } from '../../core/text.js';
import { SEVERITIES } from '../../parts/severity.js';

/** @param {{onSeverity(severity: string): void}} options */
export function summary(options) {
  const total = h('strong', { class: 'summary-total' });
  const took = h('span', { class: 'quiet summary-took' });
  // Numbers that change with each letter are read out once they stand still.
  const spoken = h('p', { class: 'visually-hidden', role: 'status', 'aria-live': 'polite' });
  const items = SEVERITIES.map((severity) => {
    const number = h('b');
    const button = h(
      'button',
      { type: 'button', class: 'legend-item', disabled: true, on: { click: () => options.onSeverity(severity) } },
      h('span', { class: 'visually-hidden' }, 'Filter by severity '),
      h('span', { class: 'dot', dataset: { severity } }),
      severity,
      ' ',
      number,
    );
    return { severity, number, button };
  });
  const legend = h(
    'div',
    { class: 'legend', role: 'group', 'aria-label': 'By severity' },
    items.map((item) => item.button),
  );
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  return {
    element: h('div', { class: 'summary' }, h('p', { class: 'summary-text' }, total, ' ', took), spoken, legend),
    /** @param {{total: number, ms: number, by: Record<string, number>}} found */
    show(found) {
      total.textContent = countOf(found.total, 'event');
      took.textContent = `in ${found.ms} ms`;
      clearTimeout(timer);
      timer = setTimeout(() => {
        spoken.textContent = `${countOf(found.total, 'event')} found`;
      }, 400);
      for (const { severity, number, button } of items) {
        number.textContent = count(found.by[severity] ?? 0);
        button.disabled = !found.by[severity];
      }
    },
    stop() {
      clearTimeout(timer);
    },
  };
}
