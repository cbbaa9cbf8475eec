// @ts-check
// The views. A view is one module with `mount()`, loaded when somebody first goes there; to add one, add it here.
import { can, unlimited } from './session.js';

/**
 * A view on the screen. `show` comes after mount and after each change of the address, `leave` before it goes; `element`
 * is put into <main>, which gets the focus.
 * @typedef {{element: HTMLElement, show(params: URLSearchParams): void, leave(): void}} View
 * @typedef {{name: string, title: string, key: string, shown(): boolean, load(): Promise<{mount(): View}>}} ViewEntry
 */

/** Whether there is anything to administer with this key: one of the sections of the view. */
function mayAdminister() {
  return can('events:delete') || (unlimited() && (can('events:retention') || can('audit:read')));
}

/** In the order of the navigation; the first that the key may see is the start. `key` goes there after `g`. @type {ViewEntry[]} */
export const VIEWS = [
  {
    name: 'search',
    title: 'Search',
    key: 's',
    shown: () => can('events:read'),
    load: () => import('../views/search.js'),
  },
  { name: 'live', title: 'Live', key: 'l', shown: () => can('events:read'), load: () => import('../views/live.js') },
  { name: 'admin', title: 'Administration', key: 'a', shown: mayAdminister, load: () => import('../views/admin.js') },
];

/**
 * Parts of the header that are not views, such as the bell: they get their slot after signing in, and their answer takes
 * them away when the session ends.
 * @typedef {{shown(): boolean, load(): Promise<{mount(slot: HTMLElement): () => void}>}} HeaderPart
 */

/** @type {HeaderPart[]} */
export const HEADER_PARTS = [{ shown: () => can('notifications:read'), load: () => import('../views/bell.js') }];
