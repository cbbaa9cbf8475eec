// @ts-check
// The views. A view is one module with `mount()`, loaded when somebody first goes there; to add one, add it here.
import { mayAdminister } from '../views/admin/sections.js';
import { can } from './session.js';

/**
 * A view on the screen. `show` comes after mount and after each change of the address, `leave` before it goes; `element`
 * is put into <main>, which gets the focus.
 * @typedef {{element: HTMLElement, show(params: URLSearchParams): void, leave(): void}} View
 * @typedef {{name: string, title: string, key: string, shown(): boolean, load(): Promise<{mount(): View}>}} ViewEntry
 */

/** In the order of the navigation; the first that the key may see is the start. `key` goes there after `g`. @type {ViewEntry[]} */
export const VIEWS = [
  { name: 'search', title: 'Search', key: 's', shown: () => can('events:read'), load: () => import('../views/search.js') },
  { name: 'live', title: 'Live', key: 'l', shown: () => can('events:read'), load: () => import('../views/live.js') },
  { name: 'admin', title: 'Administration', key: 'a', shown: mayAdminister, load: () => import('../views/admin.js') },
];

/**
 * Parts of the header that are not views, such as the bell: they get their slot after signing in, and their answer takes
 * them away when the session ends.
 * @typedef {{shown(): boolean, load(): Promise<{mount(slot: HTMLElement): () => void}>}} HeaderPart
 */

/** @type {HeaderPart[]} */
export const HEADER_PARTS = [
  { shown: () => can('notifications:read'), load: () => import('../views/bell.js') },
];
