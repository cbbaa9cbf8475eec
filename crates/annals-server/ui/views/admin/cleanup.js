// @ts-check
// Cleaning up what is older than a time, once. Retention policies do the same again and again.
import { hashOf } from '../../core/address.js';
import { h } from '../../core/h.js';
import { can, unlimited } from '../../core/session.js';
import { formatTime, fromInput, onZone, toInput, zoneLabel } from '../../core/time.js';
import { DeletePreview } from './deleting.js';
import { field, problem, sectionHead } from './shared.js';

const DAY_MS = 86_400_000;
/** @type {[string, string, number][]} */
const UNITS = [
  ['d', 'days', 1],
  ['w', 'weeks', 7],
  ['y', 'years', 365],
];
const AGE_DEFAULT = '90d';
/** From typing to counting. */
const DEBOUNCE_MS = 250;

/** @param {import('./sections.js').Place} place @returns {import('../../core/views.js').View} */
export function mount(place) {
  const section = new CleanUp(place);
  return { element: section.element, show: (params) => section.show(params), leave: () => section.leave() };
}

class CleanUp {
  /** @param {import('./sections.js').Place} place */
  constructor(place) {
    this.place = place;
    this.params = new URLSearchParams();
    this.shown = '';
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.preview = new DeletePreview({ nothing: 'Choose an age or a time.' });
    this.message = problem();
    const onAge = { input: () => this.onAge() };
    this.age = h('input', { class: 'input', type: 'number', min: 1, max: 36500, step: 1, on: onAge });
    const units = UNITS.map(([value, says]) => h('option', { value }, says));
    this.unit = h('select', { class: 'select', 'aria-label': 'Unit of the age', on: onAge }, units);
    this.before = h('input', { class: 'input', type: 'datetime-local', step: 1, max: '9999-12-31T23:59:59' });
    this.before.addEventListener('change', () => this.onBefore());
    this.says = h('p', { class: 'quiet' });
    this.element = this.draw();
    this.stopZone = onZone(() => {
      this.shown = '';
      this.show(this.params);
    });
  }

  draw() {
    const age = h('div', { class: 'age-row' }, field('Older than', this.age), this.unit);
    const or = h('span', { class: 'form-or quiet' }, 'or');
    const row = h('div', { class: 'form-row' }, age, or, field('Created before', this.before));
    return h(
      'section',
      { class: 'admin-section', 'aria-label': 'Clean-up' },
      sectionHead('Clean-up', whatItIs()),
      h('div', { class: 'card admin-form' }, row, this.message.element, this.says),
      this.preview.element,
    );
  }

  leave() {
    clearTimeout(this.timer);
    this.preview.stop();
    this.stopZone();
  }

  onAge() {
    if (this.age.value === '' || !this.age.checkValidity()) this.refuse('The age is a whole number of 1 or more.');
    else this.later({ age: `${this.age.value}${this.unit.value}` });
  }

  onBefore() {
    const time = fromInput(this.before.value);
    if (time) this.later({ before: time });
  }

  /** @param {Record<string, string>} params */
  later(params) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.place.go(new URLSearchParams(params), { replace: true }), DEBOUNCE_MS);
  }

  /** @param {string} text */
  refuse(text) {
    clearTimeout(this.timer);
    this.shown = '';
    this.says.textContent = '';
    this.message.show(text);
    this.preview.show(null);
  }

  /** @param {URLSearchParams} params */
  show(params) {
    this.params = params;
    const now = `${params.get('age')} ${params.get('before')}`;
    if (now === this.shown) return;
    const cutoff = cutoffOf(params);
    const found = ageOf(params);
    if (!found) this.age.value = '';
    else if (document.activeElement !== this.age) this.age.value = String(found.number);
    if (found) this.unit.value = found.unit;
    if (document.activeElement !== this.before) this.before.value = toInput(cutoff);
    if (new Date(cutoff).getTime() > Date.now()) {
      this.refuse('The time has to be in the past.');
      return;
    }
    this.shown = now;
    this.message.clear();
    const time = `${formatTime(cutoff, 's')} (${zoneLabel(new Date(cutoff))})`;
    this.says.textContent = `Deletes every event from before ${time}.`;
    this.preview.show({ query: [['to', cutoff]], address: [['to', cutoff]], says: [`Before ${time}`] });
  }
}

/** @returns {import('../../core/h.js').Children} */
function whatItIs() {
  if (!can('events:retention') || !unlimited())
    return 'Deletes once what is older than a time. What a hold keeps stays.';
  const href = hashOf('admin', new URLSearchParams({ section: 'retention' }));
  const policy = h('a', { href }, 'retention policy');
  return ['Deletes once what is older than a time. To have that done every day, make a ', policy, '.'];
}

/** @param {URLSearchParams} params */
function ageOf(params) {
  const before = params.get('before');
  if (before !== null && !Number.isNaN(Date.parse(before))) return null;
  const found = /^(\d{1,5})([dwy])$/.exec(params.get('age') ?? '') ?? /^(\d+)([dwy])$/.exec(AGE_DEFAULT);
  return { number: Number(found?.[1]), unit: found?.[2] ?? 'd' };
}

/** The exclusive end, RFC 3339. @param {URLSearchParams} params */
function cutoffOf(params) {
  const age = ageOf(params);
  if (!age) return new Date(params.get('before') ?? '').toISOString();
  const days = age.number * (UNITS.find(([name]) => name === age.unit)?.[2] ?? 1);
  return new Date(Math.max(0, Date.now() - days * DAY_MS)).toISOString();
}
