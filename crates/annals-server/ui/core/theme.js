// @ts-check
// Light, dark, or as the system says. The colours are in css/tokens.css.
import { getPref, setPref } from './prefs.js';

/** @typedef {'auto' | 'light' | 'dark'} Theme */

/** @returns {Theme} */
export function theme() {
  const kept = getPref('theme', /** @type {string} */ ('auto'));
  return kept === 'light' || kept === 'dark' ? kept : 'auto';
}

/** @param {Theme} theme */
export function setTheme(theme) {
  if (theme === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  setPref('theme', theme);
}
