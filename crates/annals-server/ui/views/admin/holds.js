// @ts-check
// Legal holds: what they keep nothing deletes, until they are released.
import { call, get, latest } from '../../core/api.js';
import { confirmDialog } from '../../core/dialog.js';
import { fill, h } from '../../core/h.js';
import { clearFailure } from '../../core/notices.js';
import { count, countOf, line } from '../../core/text.js';
import { ago, formatTime, onZone } from '../../core/time.js';
import { toast } from '../../core/toast.js';
import { holdForm } from './hold-form.js';
import { describe } from './describe.js';
import { button, dataTable, emptyCard, failureText, keepFocus, loading, sectionHead } from './shared.js';

/** @typedef {{name: string, filter: any, placed_at: string, events: number}} Hold */

/** @returns {import('../../core/views.js').View} */
export function mount() {
  const requests = latest();
  /** @type {Hold[]} */
  let holds = [];
  let loaded = false;
  const list = h('div');
  const place = h('div');
  const load = () => void loading(async () => {
    const answer = await get('holds', undefined, requests.start());
    clearFailure();
    holds = answer.holds;
    loaded = true;
    draw();
  }, load);
  const close = () => {
    form?.stop();
    form = null;
    fill(place);
    add.disabled = false;
    add.focus();
  };
  /** @type {ReturnType<typeof holdForm> | null} */
  let form = null;
  const open = () => {
    form = holdForm({ onClose: close, onPlaced: (hold) => { close(); toast(`Hold placed: it keeps ${countOf(hold.events, 'event')}.`); load(); } });
    fill(place, form.element);
    add.disabled = true;
    form.focus();
  };
  const add = button('Place hold', 'plus', open, { kind: 'primary' });
  const release = async (/** @type {Hold} */ hold) => {
    const yes = await confirmDialog({
      title: 'Release this hold?', danger: true, confirm: 'Release',
      body: [h('p', null, h('b', { class: 'foreign' }, line(hold.name, 100)), ` keeps ${countOf(hold.events, 'event')} now.`), h('p', null, 'Nothing is deleted by the release itself, but the next pass of a policy deletes what it finds too old.')],
    });
    if (!yes) return;
    try {
      await call('DELETE', `holds/${encodeURIComponent(hold.name)}`);
      toast('Released.');
    } catch (error) {
      toast(failureText(error), 'error');
    }
    load();
  };
  const draw = () => {
    if (!loaded) return;
    keepFocus(add, () => fill(list, holds.length === 0 ? emptyCard('No holds', 'A hold keeps the events that it matches, those that are stored and those that come, from clean-ups, deletes and policies.') : dataTable({
      label: 'Holds', rows: holds,
      columns: [
        { title: 'Name', cell: (hold) => h('b', { class: 'foreign' }, line(hold.name, 200)), narrow: 'wide' },
        { title: 'Keeps', cell: (hold) => h('ul', { class: 'plain-list' }, describe(hold.filter).map((part) => h('li', { class: 'foreign' }, part))), narrow: 'wide' },
        { title: 'Events now', cell: (hold) => count(hold.events), number: true },
        { title: 'Placed', cell: (hold) => h('time', { datetime: hold.placed_at, title: formatTime(hold.placed_at, 's') }, ago(hold.placed_at)) },
        { title: 'Actions', cell: (hold) => button('Release', '', () => release(hold), { small: true, label: `Release hold: ${line(hold.name, 80)}` }), narrow: 'bare' },
      ],
    })));
  };
  const stopZone = onZone(draw);
  return {
    element: h('section', { class: 'admin-section', 'aria-label': 'Holds' },
      sectionHead('Holds', 'A hold keeps every event that matches its filters, whatever deletes and policies say.', add), place, list),
    show: () => { if (!loaded) load(); },
    leave() {
      requests.stop();
      form?.stop();
      stopZone();
    },
  };
}
