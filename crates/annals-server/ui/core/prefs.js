// @ts-check
// What the person likes, kept in this browser: columns, theme, zone. Never a key, never an event.

const PREFIX = 'annals.';
/** @type {Map<string, Set<(value: any) => void>>} */
const listeners = new Map();

/**
 * @template T
 * @param {string} name
 * @param {T} fallback
 * @returns {T}
 */
export function getPref(name, fallback) {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? fallback : JSON.parse(text);
  } catch {
    return fallback;
  }
}

/**
 * @param {string} name
 * @param {unknown} value
 */
export function setPref(name, value) {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Without storage the choice holds until the page is closed.
  }
  for (const listener of listeners.get(name) ?? []) listener(value);
}

/**
 * Calls `listener` after each change; the answer stops that.
 * @param {string} name
 * @param {(value: any) => void} listener
 * @returns {() => void}
 */
export function onPref(name, listener) {
  const set = listeners.get(name) ?? new Set();
  listeners.set(name, set.add(listener));
  return () => set.delete(listener);
}
