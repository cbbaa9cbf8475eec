// @ts-check
// The sections of the administration and who may see them.
import { can, unlimited } from '../../core/session.js';

/** @typedef {import('../../core/views.js').View} View */
/** What a section gets: `go` changes its parameters in the address. @typedef {{go(params: URLSearchParams, how?: {replace?: boolean}): void}} Place */
/** @typedef {{name: string, title: string, shown(): boolean, load(): Promise<{mount(place: Place): View}>}} Section */

const deletes = () => can('events:delete');
const retains = () => can('events:retention') && unlimited();
const administers = () => can('admin') && unlimited();

/** @type {Section[]} */
const SECTIONS = [
  { name: 'store', title: 'Store', shown: administers, load: () => import('./store.js') },
  { name: 'delete', title: 'Delete events', shown: deletes, load: () => import('./delete.js') },
  { name: 'cleanup', title: 'Clean-up', shown: deletes, load: () => import('./cleanup.js') },
  { name: 'retention', title: 'Retention', shown: retains, load: () => import('./retention.js') },
  { name: 'holds', title: 'Holds', shown: retains, load: () => import('./holds.js') },
  { name: 'keys', title: 'Keys', shown: administers, load: () => import('./keys.js') },
  { name: 'users', title: 'Users', shown: administers, load: () => import('./users.js') },
  {
    name: 'audit',
    title: 'Audit trail',
    shown: () => can('audit:read') && unlimited(),
    load: () => import('./audit.js'),
  },
];

/** Those that the key may see. */
export function openSections() {
  return SECTIONS.filter((section) => section.shown());
}
