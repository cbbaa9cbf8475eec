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
const UNITS = [['d', 'days', 1], ['w', 'weeks', 7], ['y', 'years', 365]];
const AGE_DEFAULT = '90d';
/** From typing to counting. */
const DEBOUNCE_MS = 250;

/** @param {import('./sections.js').Place} place @returns {import('../../core/views.js').View} */
export function mount(place) {
  const preview = new DeletePreview({ nothing: 'Choose an age or a time.' });
  const message = problem();
  const age = h('input', { class: 'input', type: 'number', min: 1, max: 36500, step: 1, inputmode: 'numeric' });
  const unit = h('select', { class: 'select', 'aria-label': 'Unit of the age' }, UNITS.map(([value, says]) => h('option', { value }, says)));
  const before = h('input', { class: 'input', type: 'datetime-local', step: 1, max: '9999-12-31T23:59:59' });
  const says = h('p', { class: 'quiet' });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const later = (/** @type {URLSearchParams} */ params) => {
    clearTimeout(timer);
    timer = setTimeout(() => place.go(params, { replace: true }), DEBOUNCE_MS);
  };
  const onAge = () => {
    if (age.value !== '' && age.checkValidity()) later(new URLSearchParams({ age: `${age.value}${unit.value}` }));
    else refuse('The age is a whole number of 1 or more.');
  };
  const onBefore = () => {
    const time = fromInput(before.value);
    if (time) later(new URLSearchParams({ before: time }));
  };
  const refuse = (/** @type {string} */ text) => {
    clearTimeout(timer);
    message.show(text);
    preview.show(null);
  };
  age.addEventListener('input', onAge);
  unit.addEventListener('change', onAge);
  before.addEventListener('change', onBefore);
  let key = '';
  const show = (/** @type {URLSearchParams} */ params, anew = false) => {
    const cutoff = cutoffOf(params);
    const now = `${params.get('age')} ${params.get('before')}`;
    if (now === key && !anew) return;
    key = now;
    const found = ageOf(params);
    if (found && document.activeElement !== age) [age.value, unit.value] = [String(found.number), found.unit];
    else if (!found) age.value = '';
    if (document.activeElement !== before) before.value = toInput(cutoff);
    if (new Date(cutoff).getTime() > Date.now()) {
      refuse('The time has to be in the past.');
      return;
    }
    message.clear();
    says.textContent = `Deletes every event from before ${formatTime(cutoff, 's')} (${zoneLabel(new Date(cutoff))}).`;
    preview.show({ query: [['to', cutoff]], address: [['to', cutoff]], says: [`Before ${formatTime(cutoff, 's')} (${zoneLabel(new Date(cutoff))})`] });
  };
  let last = new URLSearchParams();
  const stopZone = onZone(() => show(last, true));
  return {
    element: h('section', { class: 'admin-section', 'aria-label': 'Clean-up' },
      sectionHead('Clean-up', can('events:retention') && unlimited()
        ? ['Deletes once what is older than a time. To have that done every day, make a ', h('a', { href: hashOf('admin', new URLSearchParams({ section: 'retention' })) }, 'retention policy'), '.']
        : 'Deletes once what is older than a time. What a hold keeps stays.'),
      h('div', { class: 'card admin-form' },
        h('div', { class: 'form-row' }, h('div', { class: 'age-row' }, field('Older than', age), unit), h('span', { class: 'form-or quiet' }, 'or'), field('Created before', before)),
        message.element, says),
      preview.element),
    show(params) {
      last = params;
      show(params);
    },
    leave() {
      clearTimeout(timer);
      preview.stop();
      stopZone();
    },
  };
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
