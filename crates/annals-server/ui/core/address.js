// @ts-check
// The state of the page in its address: `#/VIEW?parameters`. It stays behind the `#`, so that neither the server's log
// nor a proxy's has what people search for, and so that no filter is too long for a request line.

/** @typedef {{view: string, params: URLSearchParams}} Address */

/** @type {Set<(address: Address) => void>} */
const listeners = new Set();

/** @returns {Address} */
export function readAddress() {
  const text = location.hash.replace(/^#\/?/, '');
  const cut = text.indexOf('?');
  const view = cut === -1 ? text : text.slice(0, cut);
  return { view, params: new URLSearchParams(cut === -1 ? '' : text.slice(cut + 1)) };
}

/**
 * The hash of a view, for `href` and for copied links.
 * @param {string} view
 * @param {URLSearchParams} [params]
 */
export function hashOf(view, params) {
  const query = params?.toString() ?? '';
  return `#/${view}${query ? `?${query}` : ''}`;
}

/**
 * Goes there and tells the listeners. `replace` leaves no step for the back button: for typing and for what a person
 * would not call a place.
 * @param {string} view
 * @param {URLSearchParams} [params]
 * @param {{replace?: boolean}} [how]
 */
export function go(view, params, how = {}) {
  const hash = hashOf(view, params);
  if (hash === location.hash) return;
  history[how.replace ? 'replaceState' : 'pushState'](null, '', hash);
  tell();
}

/**
 * The whole link to a view, to be passed on.
 * @param {string} view
 * @param {URLSearchParams} [params]
 */
export function linkTo(view, params) {
  return new URL(hashOf(view, params), location.href).href;
}

/** @param {(address: Address) => void} listener */
export function onAddress(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell() {
  const address = readAddress();
  for (const listener of listeners) listener(address);
}

addEventListener('popstate', tell);
