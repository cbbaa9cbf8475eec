// @ts-check
// The audit trail: what was done to the store and by whom, latest first.
import { get, latest } from '../../core/api.js';
import { fill, h } from '../../core/h.js';
import { clearFailure } from '../../core/notices.js';
import { count, countOf, line } from '../../core/text.js';
import { formatTime, onZone } from '../../core/time.js';
import { labelOf, readSelection, boundsOf } from '../../parts/filter-model.js';
import { jsonView } from '../../parts/json.js';
import { rangePicker } from '../../parts/range-picker.js';
import { button, dataTable, emptyCard, loading, sectionHead, textInput } from './shared.js';

/** @typedef {Record<string, any> & {id: string, sequence: number, created_at: string, event_type: string}} Deed */

const PAGE = 50;
/** From typing to asking. */
const DEBOUNCE_MS = 250;
const TYPES = [
  'key.created',
  'key.revoked',
  'user.created',
  'user.removed',
  'event.deleted',
  'events.deleted',
  'events.cleaned_up',
  'notification.deleted',
  'retention.set',
  'retention.applied',
  'retention.waiting',
  'hold.placed',
  'hold.released',
  'store.verified',
  'store.backed_up',
  'auth.failures',
  'server.started',
  'server.stopped',
  'config.reloaded',
];

/** @param {import('./sections.js').Place} place @returns {import('../../core/views.js').View} */
export function mount(place) {
  const section = new Audit(place);
  return { element: section.element, show: (params) => section.show(params), leave: () => section.leave() };
}

class Audit {
  /** @param {import('./sections.js').Place} place */
  constructor(place) {
    this.place = place;
    this.requests = latest();
    this.params = new URLSearchParams();
    this.asked = '';
    /** @type {{events: Deed[], total: number, offset: number} | null} */
    this.page = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.type = h(
      'select',
      {
        class: 'select',
        'aria-label': 'What was done',
        on: { change: () => this.change({ event_type: this.type.value }) },
      },
      h('option', { value: '' }, 'Everything'),
      TYPES.map((type) => h('option', { value: type }, type)),
    );
    this.who = textInput({
      type: 'search',
      'aria-label': 'Who did it',
      placeholder: 'Who: a user id',
      maxlength: 1024,
      on: { input: () => this.onWho() },
    });
    this.range = rangePicker({ onChange: (range) => this.change(range) });
    this.list = h('div');
    this.pages = h('div', { class: 'audit-pages' });
    this.element = h(
      'section',
      { class: 'admin-section', 'aria-label': 'Audit trail' },
      sectionHead(
        'Audit trail',
        'What was done to the store, by whom and with which result. It cannot be changed from here.',
        button('Refresh', 'refresh', () => this.ask()),
      ),
      h('div', { class: 'audit-tools' }, this.type, this.who, this.range.element),
      this.list,
      this.pages,
    );
    this.stopZone = onZone(() => this.draw());
  }

  leave() {
    clearTimeout(this.timer);
    this.requests.stop();
    this.stopZone();
  }

  /** @param {URLSearchParams} params */
  show(params) {
    this.params = params;
    this.type.value = TYPES.includes(params.get('event_type') ?? '') ? (params.get('event_type') ?? '') : '';
    if (document.activeElement !== this.who) this.who.value = params.get('user_id') ?? '';
    this.range.show(readSelection(params));
    if (params.toString() !== this.asked || !this.page) this.ask();
  }

  onWho() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.change({ user_id: this.who.value.trim() }, true), DEBOUNCE_MS);
  }

  /** @param {Record<string, string>} change @param {boolean} [replace] */
  change(change, replace = false) {
    const params = new URLSearchParams(this.params);
    params.delete('offset');
    for (const [name, value] of Object.entries(change)) {
      if (value === '') params.delete(name);
      else params.set(name, value);
    }
    this.place.go(params, { replace });
  }

  ask() {
    this.asked = this.params.toString();
    const selection = readSelection(this.params);
    const { from, to } = boundsOf(selection);
    const offset = /^\d{1,12}$/.test(this.params.get('offset') ?? '') ? (this.params.get('offset') ?? '0') : '0';
    const query = [
      ['event_type', this.type.value],
      ['user_id', this.params.get('user_id') ?? ''],
      ['from', from],
      ['to', to],
      ['limit', String(PAGE)],
      ['offset', offset],
    ].filter(([, value]) => value !== '');
    void loading(
      async () => {
        this.page = await get('audit', query, this.requests.start());
        clearFailure();
        this.draw();
      },
      () => this.ask(),
    );
  }

  draw() {
    if (!this.page) return;
    const { events, total, offset } = this.page;
    fill(
      this.list,
      events.length === 0 ? emptyCard('Nothing found', 'Nothing in the audit trail matches.') : deeds(events),
    );
    const go = (/** @type {number} */ to) => {
      const params = new URLSearchParams(this.params);
      if (to > 0) params.set('offset', String(to));
      else params.delete('offset');
      this.place.go(params);
    };
    const newer = button('Newer', 'left', () => go(Math.max(0, offset - PAGE)));
    const older = button('Older', 'right', () => go(offset + PAGE));
    newer.disabled = offset === 0;
    older.disabled = offset + events.length >= total;
    fill(
      this.pages,
      h(
        'span',
        { class: 'quiet', role: 'status' },
        events.length === 0
          ? countOf(total, 'entry', 'entries')
          : `${count(offset + 1)}\u2013${count(offset + events.length)} of ${countOf(total, 'entry', 'entries')}`,
      ),
      newer,
      older,
    );
  }
}

/** @param {Deed[]} events */
function deeds(events) {
  return dataTable({
    label: 'Audit trail',
    rows: events,
    columns: [
      { title: 'Time', cell: (deed) => h('time', { datetime: deed.created_at }, formatTime(deed.created_at, 's')) },
      { title: 'What', cell: (deed) => h('b', { class: 'foreign' }, line(deed.event_type, 60)) },
      { title: 'Who', cell: (deed) => who(deed) },
      {
        title: 'On',
        cell: (deed) => [
          h('span', { class: 'foreign' }, deed.resource_type ? labelOf(line(deed.resource_type, 40)) : ''),
          ' ',
          h('span', { class: 'foreign quiet' }, line(deed.resource_id, 80)),
        ],
      },
      { title: 'Result', cell: (deed) => result(deed) },
      {
        title: 'From',
        cell: (deed) =>
          h(
            'span',
            { class: 'foreign quiet' },
            [deed.source, deed.ip_address]
              .filter(Boolean)
              .map((text) => line(text, 60))
              .join(', '),
          ),
      },
      { title: 'Details', cell: (deed) => details(deed), narrow: 'bare' },
    ],
  });
}

/** @param {Deed} deed */
function who(deed) {
  const name = line(deed.user_id ?? deed.actor_id ?? '', 60);
  return [
    h('span', { class: 'foreign' }, name || line(deed.actor_type ?? '', 30)),
    name && deed.actor_type ? h('span', { class: 'quiet foreign' }, ` ${line(deed.actor_type, 30)}`) : null,
  ];
}

/** @param {Deed} deed */
function result(deed) {
  const code = deed.payload?.result ?? deed.status ?? '';
  const good = code === 'done' || code === 'success';
  const many = deed.payload?.count;
  return h(
    'span',
    { class: 'tags' },
    h('span', { class: 'badge foreign', dataset: { severity: good ? 'success' : 'error' } }, line(code, 60)),
    typeof many === 'number' ? h('span', { class: 'quiet' }, countOf(many, 'event')) : null,
  );
}

/** A button that opens the whole entry in a row of its own below. @param {Deed} deed */
function details(deed) {
  const toggle = h(
    'button',
    {
      type: 'button',
      class: 'button button-small',
      'aria-expanded': 'false',
      'aria-label': `Details of ${line(deed.event_type, 60)}, ${deed.sequence}`,
      on: { click: () => open() },
    },
    'Details',
  );
  /** @type {HTMLElement | null} */
  let below = null;
  const open = () => {
    const row = toggle.closest('tr');
    if (below) below.remove();
    below = below
      ? null
      : h(
          'tr',
          { class: 'below' },
          h(
            'td',
            { colspan: row?.childElementCount ?? 1, class: 'narrow-wide' },
            jsonView(JSON.stringify(deed), 'Entry as JSON'),
          ),
        );
    if (below) row?.after(below);
    toggle.setAttribute('aria-expanded', String(below !== null));
  };
  return toggle;
}
