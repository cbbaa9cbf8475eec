// @ts-check
// Legal holds: what they keep nothing deletes, until they are released.
import { get } from '../../core/api.js';
import { fill, h } from '../../core/h.js';
import { count, countOf, line } from '../../core/text.js';
import { ago, formatTime } from '../../core/time.js';
import { toast } from '../../core/toast.js';
import { describe } from './describe.js';
import { holdForm } from './hold-form.js';
import { listing, takeAway } from './listing.js';
import { button, dataTable } from './shared.js';

/** @typedef {{name: string, filter: any, placed_at: string, events: number}} Hold */

/** @returns {import('../../core/views.js').View} */
export function mount() {
  const place = h('div');
  /** @type {ReturnType<typeof holdForm> | null} */
  let form = null;
  const add = button('Place hold', 'plus', () => open(), { kind: 'primary' });
  const close = () => {
    form?.stop();
    form = null;
    fill(place);
    add.disabled = false;
    add.focus();
  };
  const placed = (/** @type {{events: number}} */ hold) => {
    close();
    toast(`Hold placed: it keeps ${countOf(hold.events, 'event')}.`);
    section.reload();
  };
  const open = () => {
    form = holdForm({ onClose: close, onPlaced: placed });
    fill(place, form.element);
    add.disabled = true;
    form.focus();
  };
  /** @type {ReturnType<typeof listing<Hold>>} */
  const section = listing({
    title: 'Holds',
    says: 'A hold keeps every event that matches its filters, whatever deletes and policies say.',
    add,
    empty: ['No holds', 'Clean-ups, deletes and policies leave out what a hold matches, now and later.'],
    form: place,
    load: async (signal) => (await get('holds', undefined, signal)).holds,
    table: (holds) => table(holds, (hold) => release(hold, section.reload)),
    leave: () => form?.stop(),
  });
  return section;
}

/** @param {Hold[]} holds @param {(hold: Hold) => void} onRelease */
function table(holds, onRelease) {
  const keeps = (/** @type {Hold} */ hold) => describe(hold.filter).map((part) => h('li', { class: 'foreign' }, part));
  const placed = (/** @type {Hold} */ hold) =>
    h('time', { datetime: hold.placed_at, title: formatTime(hold.placed_at, 's') }, ago(hold.placed_at));
  const actions = (/** @type {Hold} */ hold) =>
    button('Release', '', () => onRelease(hold), { small: true, label: `Release hold: ${line(hold.name, 80)}` });
  return dataTable({
    label: 'Holds',
    rows: holds,
    columns: [
      { title: 'Name', cell: (hold) => h('b', { class: 'foreign' }, line(hold.name, 200)), narrow: 'wide' },
      { title: 'Keeps', cell: (hold) => h('ul', { class: 'plain-list' }, keeps(hold)), narrow: 'wide' },
      { title: 'Events now', cell: (hold) => count(hold.events), number: true },
      { title: 'Placed', cell: placed },
      { title: 'Actions', cell: actions, narrow: 'bare' },
    ],
  });
}

/** @param {Hold} hold @param {() => void} reload */
function release(hold, reload) {
  const name = h('b', { class: 'foreign' }, line(hold.name, 100));
  const body = [
    h('p', null, name, ` keeps ${countOf(hold.events, 'event')} now.`),
    h('p', null, 'The release itself deletes nothing, but the next pass of a policy deletes what it finds too old.'),
  ];
  const path = `holds/${encodeURIComponent(hold.name)}`;
  void takeAway({ title: 'Release this hold?', body, confirm: 'Release', path, done: 'Released.' }, reload);
}
