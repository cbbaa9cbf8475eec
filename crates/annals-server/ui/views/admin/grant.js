// @ts-check
// How lists show what a key or a user may do.
import { h } from '../../core/h.js';
import { line } from '../../core/text.js';
import { ago, formatTime } from '../../core/time.js';

/**
 * @typedef {{scopes: string[], realms?: string[], orgs?: string[], user_id?: string, expires_at?: string, created_at: string,
 *   last_used?: string}} Grant
 */

/** The columns of a list that say what it may do. */
export function grantColumns() {
  /** @typedef {{title: string, cell(row: Grant): import('../../core/h.js').Children, narrow?: 'wide' | 'bare'}} Column */
  /** @type {Column[]} */
  const columns = [
    {
      title: 'Scopes',
      cell: (row) =>
        h(
          'span',
          { class: 'tags' },
          row.scopes.map((scope) =>
            h('span', { class: 'badge mono', dataset: { strong: String(scope === 'admin') } }, line(scope, 60)),
          ),
        ),
      narrow: 'wide',
    },
    { title: 'Sees', cell: (row) => sees(row) },
    { title: 'Made', cell: (row) => when(row.created_at) },
    {
      title: 'Last used',
      cell: (row) => (row.last_used ? when(row.last_used) : h('span', { class: 'quiet' }, 'not since the start')),
    },
    { title: 'Expires', cell: (row) => expiry(row) },
  ];
  return columns;
}

/** @param {Grant} row */
function sees(row) {
  const limited = row.realms !== undefined || row.orgs !== undefined;
  if (!limited) return 'everything';
  const parts = [
    ...(row.realms ?? []).map((realm) => `realm ${line(realm, 60)}`),
    ...(row.orgs ?? []).map((org) => `organisation ${line(org, 60)}`),
  ];
  return parts.length === 0
    ? 'nothing'
    : h(
        'ul',
        { class: 'plain-list' },
        parts.map((text) => h('li', { class: 'foreign' }, text)),
      );
}

/** @param {string} time */
function when(time) {
  return h('time', { datetime: time, title: formatTime(time, 's') }, ago(time));
}

/** @param {Grant} row */
function expiry(row) {
  if (!row.expires_at) return h('span', { class: 'quiet' }, 'never');
  const over = new Date(row.expires_at).getTime() <= Date.now();
  return over ? h('span', { class: 'badge', dataset: { severity: 'error' } }, 'expired') : when(row.expires_at);
}
