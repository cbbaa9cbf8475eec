// @ts-check
// The list of shortcuts, from what is registered at the moment.
import { openDialog } from './dialog.js';
import { h } from './h.js';
import { shortcutGroups } from './keys.js';

/** @type {Record<string, string>} */
const NAMES = { ArrowDown: '\u2193', ArrowUp: '\u2191', ArrowLeft: '\u2190', ArrowRight: '\u2192', Escape: 'Esc', ' ': 'Space', PageDown: 'Page down', PageUp: 'Page up' };

export function openHelp() {
  const groups = shortcutGroups().map(({ group, shortcuts }) => h('section', { class: 'help-group' },
    h('h3', null, group),
    h('dl', null, shortcuts.map((shortcut) => h('div', null,
      h('dt', null, shortcut.key.split(' ').filter(Boolean).map((key) => h('kbd', null, NAMES[key] ?? key))),
      h('dd', null, shortcut.says))))));
  openDialog({ title: 'Keyboard shortcuts', body: h('div', { class: 'help' }, groups), wide: true });
}
