// @ts-check
// The fields of the form that says what a key or a user may do.
import { h } from '../../core/h.js';
import { fromInput, toInput, zoneLabel } from '../../core/time.js';
import { entriesOf, field, textInput } from './shared.js';

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
const EXPIRIES = [
  ['', 'Never'],
  ['1', 'In a day'],
  ['7', 'In 7 days'],
  ['30', 'In 30 days'],
  ['90', 'In 90 days'],
  ['365', 'In a year'],
  ['at', 'At a time\u2026'],
];

export class GrantFields {
  constructor() {
    this.boxes = SCOPES.map(([value]) =>
      h('input', { type: 'checkbox', value, checked: value === 'events:read', 'aria-label': value }),
    );
    const area = () => h('textarea', { class: 'textarea', rows: 2, spellcheck: 'false', autocapitalize: 'off' });
    this.realms = area();
    this.orgs = area();
    this.userId = textInput({ maxlength: 1024 });
    const choices = EXPIRIES.map(([value, says]) => h('option', { value }, says));
    this.expires = h('select', { class: 'select' }, choices);
    const later = toInput(Date.now() + 30 * DAY_MS);
    this.at = h('input', {
      class: 'input',
      type: 'datetime-local',
      step: 1,
      'aria-label': 'Expiry time',
      value: later,
    });
  }

  /** What goes into the form. */
  elements() {
    const help = h('p', { class: 'field-help quiet' }, `The time is ${zoneLabel()}.`);
    const time = h('div', { class: 'field', hidden: true }, this.at, help);
    this.expires.addEventListener('change', () => {
      time.hidden = this.expires.value !== 'at';
    });
    const realms = field('Realms', this.realms, 'One a line. Without realms and organisations it sees everything.');
    const userId = field('User id', this.userId, 'Whom readings of notifications are kept for.');
    return [
      this.scopes(),
      h('div', { class: 'form-two' }, realms, field('Organisations', this.orgs, 'One a line.')),
      h('div', { class: 'form-two' }, userId, h('div', { class: 'field' }, field('Expires', this.expires), time)),
    ];
  }

  scopes() {
    const labels = SCOPES.map(([scope, says], index) => {
      const words = [h('span', { class: 'mono' }, scope), h('span', { class: 'quiet scope-says' }, says)];
      return h('label', { class: 'check scope' }, this.boxes[index], h('span', null, words));
    });
    return h('fieldset', { class: 'scopes' }, h('legend', { class: 'label' }, 'Scopes'), labels);
  }

  /** @returns {string | null} RFC 3339, empty for never, null if there is no time */
  expiry() {
    if (this.expires.value === 'at') return fromInput(this.at.value);
    if (this.expires.value === '') return '';
    return new Date(Date.now() + Number(this.expires.value) * DAY_MS).toISOString();
  }

  chosen() {
    return this.boxes.filter((box) => box.checked).map((box) => box.value);
  }

  /** What is wrong before it is sent, or nothing. */
  problem() {
    if (this.chosen().length === 0) return 'Choose at least one scope.';
    if (entriesOf(this.realms.value).length > REALMS_MAX) return `At most ${REALMS_MAX} realms.`;
    if (entriesOf(this.orgs.value).length > ORGS_MAX) return `At most ${ORGS_MAX} organisations.`;
    return this.expiry() === null ? 'Give the time at which it expires.' : '';
  }

  /** The members of the request. @returns {Record<string, unknown>} */
  body() {
    const realms = entriesOf(this.realms.value);
    const orgs = entriesOf(this.orgs.value);
    const userId = this.userId.value.trim();
    const expiry = this.expiry();
    return {
      scopes: this.chosen(),
      // An empty list is not the same as none: it would see nothing at all.
      ...(realms.length > 0 ? { realms } : {}),
      ...(orgs.length > 0 ? { orgs } : {}),
      ...(userId ? { user_id: userId } : {}),
      ...(expiry ? { expires_at: expiry } : {}),
    };
  }
}
