// @ts-check
// Short words on what was done, shown for some seconds and read out by screen readers.
import { h } from './h.js';
import { icon } from './icons.js';

/** How long a toast stays: long enough to read its sentence twice. */
const SHOWN_MS = 5000;
/** More than these at once would cover what they are about. */
const AT_ONCE_MAX = 3;

const region = h('div', { class: 'toasts', role: 'status', 'aria-live': 'polite', 'aria-label': 'Messages' });

/** The element the shell puts into the page. */
export function toastRegion() {
  return region;
}

/**
 * @param {string} text a sentence of the page's own; text of events goes through `line()` first
 * @param {'done' | 'error' | 'info'} [kind]
 */
export function toast(text, kind = 'done') {
  const element = h(
    'div',
    { class: `toast toast-${kind}` },
    icon(kind === 'done' ? 'check' : kind === 'error' ? 'alert' : 'info'),
    h('span', null, text),
  );
  region.append(element);
  while (region.childElementCount > AT_ONCE_MAX) region.firstElementChild?.remove();
  setTimeout(() => element.remove(), SHOWN_MS);
}
