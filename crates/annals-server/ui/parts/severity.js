// @ts-check
// The four severities, worst first, and how they look.
import { h } from '../core/h.js';
import { line } from '../core/text.js';

export const SEVERITIES = /** @type {const} */ (['error', 'warn', 'info', 'success']);

/** @param {unknown} severity */
export function severityBadge(severity) {
  const text = line(severity, 24);
  return h(
    'span',
    { class: 'badge foreign', dataset: { severity: text } },
    h('span', { class: 'dot', dataset: { severity: text } }),
    text,
  );
}
