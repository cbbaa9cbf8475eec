// @ts-check
// What a key or a user may do: the fields of the form that says so, and how lists show it.
import { h } from '../../core/h.js';
import { line } from '../../core/text.js';
import { ago, formatTime, fromInput, toInput, zoneLabel } from '../../core/time.js';
import { entriesOf, field, textInput } from './shared.js';

/** @typedef {{scopes: string[], realms?: string[], orgs?: string[], user_id?: string, expires_at?: string, created_at: string, last_used?: string}} Grant */

/** @type {[string, string][]} */
const SCOPES = [
  ['events:read', 'Search, count and follow events'],
  ['events:create', 'Append events'],
  ['events:update', 'Acknowledge events'],
  ['events:delete', 'Delete events'],
  ['events:retention', 'Retention policies and holds'],
  ['notifications:read', 'Read notifications'],
  ['notifications:write', 'Publish notifications'],
  ['audit:read', 'Read the audit trail'],
  ['admin', 'Everything, and administer the store'],
];
const REALMS_MAX = 16;
const ORGS_MAX = 100;
const DAY_MS = 86_400_000;
/** @type {[string, string][]} */
const EXPIRIES = [['', 'Never'], ['1', 'In a day'], ['7', 'In 7 days'], ['30', 'In 30 days'], ['90', 'In 90 days'], ['365', 'In a year'], ['at', 'At a time\u2026']];

/** The fields, and what they say. */
export function grantFields() {
  const boxes = SCOPES.map(([scope, says]) => {
    const box = h('input', { type: 'checkbox', value: scope, checked: scope === 'events:read', 'aria-label': scope });
    return { box, element: h('label', { class: 'check scope' }, box, h('span', null, h('span', { class: 'mono' }, scope), h('span', { class: 'quiet scope-says' }, says))) };
  });
  const area = () => h('textarea', { class: 'textarea', rows: 2, spellcheck: 'false', autocapitalize: 'off' });
  const realms = area();
  const orgs = area();
  const userId = textInput({ maxlength: 1024 });
  const expires = h('select', { class: 'select' }, EXPIRIES.map(([value, says]) => h('option', { value }, says)));
  const at = h('input', { class: 'input', type: 'datetime-local', step: 1, 'aria-label': 'Expiry time', value: toInput(Date.now() + 30 * DAY_MS) });
  const time = h('div', { class: 'field', hidden: true }, at, h('p', { class: 'field-help quiet' }, `The time is ${zoneLabel()}.`));
  expires.addEventListener('change', () => { time.hidden = expires.value !== 'at'; });
  return {
    elements: [
      h('fieldset', { class: 'scopes' }, h('legend', { class: 'label' }, 'Scopes'), boxes.map(({ element }) => element)),
      h('div', { class: 'form-two' },
        field('Realms', realms, 'One a line. Without realms and organisations it sees everything.'),
        field('Organisations', orgs, 'One a line.')),
      h('div', { class: 'form-two' },
        field('User id', userId, 'Whom readings of notifications are kept for.'),
        h('div', { class: 'field' }, field('Expires', expires), time)),
    ],
    /** @returns {{problem: string, body: Record<string, unknown>}} */
    read() {
      const scopes = boxes.filter(({ box }) => box.checked).map(({ box }) => box.value);
      const listed = { realms: entriesOf(realms.value), orgs: entriesOf(orgs.value) };
      const time = expires.value === 'at' ? fromInput(at.value) : expires.value === '' ? '' : new Date(Date.now() + Number(expires.value) * DAY_MS).toISOString();
      return {
        problem: scopes.length === 0 ? 'Choose at least one scope.'
          : listed.realms.length > REALMS_MAX ? `At most ${REALMS_MAX} realms.`
            : listed.orgs.length > ORGS_MAX ? `At most ${ORGS_MAX} organisations.`
              : time === null ? 'Give the time at which it expires.' : '',
        body: {
          scopes,
          // An empty list is not the same as none: it would see nothing at all.
          ...(listed.realms.length > 0 ? { realms: listed.realms } : {}),
          ...(listed.orgs.length > 0 ? { orgs: listed.orgs } : {}),
          ...(userId.value.trim() ? { user_id: userId.value.trim() } : {}),
          ...(time ? { expires_at: time } : {}),
        },
      };
    },
  };
}

/** The columns of a list that say what it may do. */
export function grantColumns() {
  /** @typedef {{title: string, cell(row: Grant): import('../../core/h.js').Children, narrow?: 'wide' | 'bare'}} Column */
  /** @type {Column[]} */
  const columns = [
    { title: 'Scopes', cell: (row) => h('span', { class: 'tags' }, row.scopes.map((scope) => h('span', { class: 'badge mono', dataset: { strong: String(scope === 'admin') } }, line(scope, 60)))), narrow: 'wide' },
    { title: 'Sees', cell: (row) => sees(row), narrow: 'wide' },
    { title: 'Made', cell: (row) => when(row.created_at) },
    { title: 'Last used', cell: (row) => (row.last_used ? when(row.last_used) : h('span', { class: 'quiet' }, 'not since the start')) },
    { title: 'Expires', cell: (row) => expiry(row) },
  ];
  return columns;
}

/** @param {Grant} row */
function sees(row) {
  const limited = row.realms !== undefined || row.orgs !== undefined;
  if (!limited) return 'everything';
  const parts = [...(row.realms ?? []).map((realm) => `realm ${line(realm, 60)}`), ...(row.orgs ?? []).map((org) => `organisation ${line(org, 60)}`)];
  return parts.length === 0 ? 'nothing' : h('ul', { class: 'plain-list' }, parts.map((text) => h('li', { class: 'foreign' }, text)));
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
