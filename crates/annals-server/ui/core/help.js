// @ts-check
// The list of shortcuts, from what is registered at the moment.
import { openDialog } from './dialog.js';
import { h } from './h.js';
import { shortcutGroups } from './keys.js';

/** @type {Record<string, string>} */
const NAMES = {
  ArrowDown: '\u2193',
  ArrowUp: '\u2191',
  ArrowLeft: '\u2190',
  ArrowRight: '\u2192',
  Escape: 'Esc',
  ' ': 'Space',
  PageDown: 'Page down',
  PageUp: 'Page up',
};

/** @typedef {import('./keys.js').Shortcut} Shortcut */

export function openHelp() {
  const groups = shortcutGroups().map(({ group, shortcuts }) =>
    h(
      'section',
      { class: 'help-group' },
      h('h3', null, group),
      h(
        'dl',
        null,
        [...merged(shortcuts)].map(([says, keys]) =>
          h('div', null, h('dt', null, keys.map(keyCaps)), h('dd', null, says)),
        ),
      ),
    ),
  );
  openDialog({ title: 'Keyboard shortcuts', body: h('div', { class: 'help' }, groups), wide: true });
}

/** Keys that do the same stand in one line. @param {Shortcut[]} shortcuts */
function merged(shortcuts) {
  /** @type {Map<string, string[]>} */
  const lines = new Map();
  for (const { key, says } of shortcuts) lines.set(says, [...(lines.get(says) ?? []), key]);
  return lines;
}

/** @param {string} key @param {number} index */
function keyCaps(key, index) {
  const caps = key === ' ' ? [key] : key.split(' ');
  return h(
    'span',
    { class: 'help-keys' },
    index > 0 ? h('span', { class: 'quiet' }, 'or') : null,
    caps.map((cap) => h('kbd', null, NAMES[cap] ?? cap)),
  );
}
