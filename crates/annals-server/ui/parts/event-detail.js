// @ts-check
// One event, whole: its fields with "filter by" and "exclude", its payload and itself as JSON, what can be done with it.
import { ApiError, apiUrl, call, getText, isAbort, latest } from '../core/api.js';
import { copy, curlLine } from '../core/clipboard.js';
import { confirmDialog } from '../core/dialog.js';
import { fill, h } from '../core/h.js';
import { icon } from '../core/icons.js';
import { detail as sentence, headline } from '../core/notices.js';
import { can } from '../core/session.js';
import { bytes, clip, line, visibleLines } from '../core/text.js';
import { ago, formatTime, zoneLabel } from '../core/time.js';
import { toast } from '../core/toast.js';
import { cover, covers } from './cover.js';
import { fieldOfMember, labelOf } from './filter-model.js';
import { chunks, jsonView, memberText } from './json.js';
import { severityBadge } from './severity.js';

/** @typedef {Record<string, any> & {id: string, sequence: number, created_at: string}} Event */
/**
 * `onFilter` gets a click on a value; `onChanged` the event after a mark; `linkOf` is the address to copy; `onAround` shows
 * what happened at that time.
 * @typedef {{onFilter(field: string, value: string, op: 'is' | 'not'): void, onClose(): void, onChanged(event: Event): void,
 *   onDeleted(event: Event): void, linkOf(event: Event): string, onAround?: (event: Event) => void}} DetailOptions
 */

/** Text beyond this is folded. */
const TEXT_MAX = 2000;
/** Shown in the head or in a box of their own, not among the fields. */
const APART = new Set(['message', 'content', 'payload', 'severity', 'event_type']);
const TIMES = new Set(['created_at', 'updated_at', 'expires_at']);

export class EventDetail {
  /** @param {DetailOptions} options */
  constructor(options) {
    this.options = options;
    this.requests = latest();
    /** @type {Event | null} */
    this.event = null;
    this.text = '';
    this.sequence = '';
    this.element = h('aside', { class: 'detail', 'aria-label': 'Event detail', tabindex: -1, hidden: true });
    this.cover = cover(this.element);
  }

  stop() {
    this.requests.stop();
    this.cover.stop();
  }

  /**
   * Shows an event by its sequence or id, nothing with an empty one. What was shown stays until the answer is there.
   * @param {string} sequence
   * @param {{focus?: boolean, anew?: boolean}} [how]
   */
  async show(sequence, how = {}) {
    if (sequence === this.sequence && !how.anew) return;
    this.sequence = sequence;
    const signal = this.requests.start();
    if (sequence === '') {
      this.element.hidden = true;
      this.event = null;
      fill(this.element);
      this.cover.update();
      return;
    }
    try {
      const text = await getText(`events/${encodeURIComponent(sequence)}`, signal);
      this.text = text;
      this.event = JSON.parse(text);
      this.draw();
    } catch (error) {
      if (isAbort(error)) return;
      this.event = null;
      this.fail(error);
    }
    const opens = this.element.hidden;
    this.element.hidden = false;
    this.cover.update();
    if (how.focus || (opens && covers())) this.element.focus({ preventScroll: true });
  }

  /** @param {unknown} error */
  fail(error) {
    const missing = error instanceof ApiError && error.kind === 'missing';
    fill(
      this.element,
      this.head(h('h2', null, missing ? 'This event is gone' : 'This event cannot be shown'), null),
      h(
        'div',
        { class: 'detail-body' },
        h(
          'p',
          { class: 'quiet' },
          missing
            ? 'It was deleted, or this key does not see it.'
            : error instanceof ApiError
              ? `${headline(error)} ${sentence(error)}`
              : 'Something went wrong.',
        ),
      ),
    );
  }

  draw() {
    const event = this.event;
    if (!event) return;
    const payload = memberText(this.text, 'payload');
    fill(
      this.element,
      this.head(h('h2', { class: 'foreign' }, line(event.event_type, 200)), this.actions(event)),
      h(
        'div',
        { class: 'detail-body' },
        h(
          'p',
          { class: 'detail-when' },
          severityBadge(event.severity),
          h('time', { datetime: event.created_at, class: 'mono' }, formatTime(event.created_at, 'us')),
          h('span', { class: 'quiet' }, `${zoneLabel(new Date(event.created_at))}, ${ago(event.created_at)}`),
          this.around(event),
          event.acknowledged ? h('span', { class: 'badge acknowledged' }, icon('check'), 'acknowledged') : null,
        ),
        longText(event.message, 'Message'),
        longText(event.content, 'Content'),
        this.fields(event),
        payload ? section('Payload', jsonView(payload, 'Payload')) : null,
        this.whole(),
      ),
    );
    this.element.scrollTop = 0;
  }

  /** @param {HTMLElement} title @param {import('../core/h.js').Children} actions */
  head(title, actions) {
    return h(
      'header',
      { class: 'detail-head' },
      title,
      h(
        'button',
        {
          type: 'button',
          class: 'icon-button',
          'aria-label': 'Close detail',
          title: 'Close (Esc)',
          on: { click: () => this.options.onClose() },
        },
        icon('close'),
      ),
      actions,
    );
  }

  /** @param {Event} event */
  actions(event) {
    const button = (
      /** @type {string} */ name,
      /** @type {string} */ image,
      /** @type {() => void} */ run,
      shown = name,
    ) =>
      h(
        'button',
        {
          type: 'button',
          class: 'button button-small',
          'aria-label': name,
          on: { click: run },
        },
        icon(image),
        shown,
      );
    const acknowledged = event.acknowledged === true;
    return h(
      'div',
      { class: 'detail-actions', role: 'group', 'aria-label': 'Actions' },
      can('events:update')
        ? button(acknowledged ? 'Unacknowledge' : 'Acknowledge', 'check', () => void this.mark(!acknowledged))
        : null,
      button(
        'Copy as curl',
        'copy',
        () => void copy(curlLine(apiUrl(`events/${event.sequence}`)), 'The curl line'),
        'curl',
      ),
      button('Copy as NDJSON', 'copy', () => void copy(this.text.trim(), 'The event'), 'NDJSON'),
      button('Copy link', 'link', () => void copy(this.options.linkOf(event), 'The link'), 'Link'),
      can('events:delete')
        ? h(
            'button',
            {
              type: 'button',
              class: 'button button-small button-quiet-danger',
              'aria-label': 'Delete event',
              on: { click: () => void this.remove(event) },
            },
            icon('trash'),
            'Delete',
          )
        : null,
    );
  }

  /** What happened at that time. @param {Event} event */
  around(event) {
    const { onAround } = this.options;
    return onAround
      ? h(
          'button',
          { type: 'button', class: 'link-button', on: { click: () => onAround(event) } },
          'Show events around',
        )
      : null;
  }

  /** @param {Event} event */
  fields(event) {
    const rows = Object.entries(event)
      .filter(([name]) => !APART.has(name))
      .map(([name, value]) => this.fieldRow(name, value));
    return section(
      'Fields',
      h(
        'dl',
        { class: 'detail-fields' },
        this.fieldRow('event_type', event.event_type),
        this.fieldRow('severity', event.severity),
        rows,
      ),
    );
  }

  /** @param {string} name @param {unknown} value */
  fieldRow(name, value) {
    if (value === undefined || value === null) return null;
    const field = fieldOfMember(name);
    const values = Array.isArray(value) ? value : [value];
    return h(
      'div',
      { class: 'detail-field' },
      h('dt', null, labelOf(name)),
      h(
        'dd',
        null,
        values.map((each) => {
          const text = TIMES.has(name) ? formatTime(String(each), 'us') : line(each, TEXT_MAX);
          return h(
            'div',
            { class: 'detail-value' },
            h('bdi', null, text),
            field ? this.filterButtons(field, String(each)) : null,
          );
        }),
      ),
    );
  }

  /** @param {string} field @param {string} value */
  filterButtons(field, value) {
    const says = `${labelOf(field)} ${line(value, 60)}`;
    const button = (/** @type {string} */ name, /** @type {string} */ image, /** @type {'is' | 'not'} */ op) =>
      h(
        'button',
        {
          type: 'button',
          class: 'icon-button',
          'aria-label': `${name}: ${says}`,
          title: name,
          on: { click: () => this.options.onFilter(field, value, op) },
        },
        icon(image),
      );
    return h(
      'span',
      { class: 'detail-tools' },
      button('Filter by this value', 'filter', 'is'),
      button('Exclude this value', 'exclude', 'not'),
    );
  }

  /** The whole event as JSON, laid out when somebody wants it. */
  whole() {
    const box = h(
      'details',
      { class: 'detail-whole' },
      h('summary', null, 'Whole event as JSON ', h('span', { class: 'quiet' }, bytes(new Blob([this.text]).size))),
    );
    box.addEventListener('toggle', () => {
      if (box.open && box.childElementCount === 1) box.append(jsonView(this.text, 'Event as JSON'));
    });
    return box;
  }

  /** Acknowledges the event that is shown, or takes that back. @param {boolean} to */
  mark(to) {
    return this.markEvent(this.event, to);
  }

  /** The same for any event. @param {Event | null | undefined} event @param {boolean} to */
  async markEvent(event, to) {
    if (!event || !can('events:update')) return;
    try {
      const marked = await call('POST', `events/${event.sequence}/${to ? 'acknowledge' : 'unacknowledge'}`);
      toast(to ? 'Acknowledged.' : 'No longer acknowledged.');
      this.options.onChanged(marked);
      const focus = this.element.contains(document.activeElement);
      if (this.event?.sequence === event.sequence) await this.show(this.sequence, { anew: true });
      if (focus) /** @type {HTMLElement | null} */ (this.element.querySelector('.detail-actions button'))?.focus();
    } catch (error) {
      if (!isAbort(error))
        toast(error instanceof ApiError ? `${headline(error)} ${sentence(error)}` : 'Something went wrong.', 'error');
    }
  }

  /** @param {Event} event */
  async remove(event) {
    const yes = await confirmDialog({
      title: 'Delete this event?',
      danger: true,
      confirm: 'Delete',
      body: [
        h(
          'p',
          null,
          h('bdi', null, line(event.event_type, 100)),
          ` of ${formatTime(event.created_at, 's')}, sequence ${event.sequence}.`,
        ),
        h('p', { class: 'quiet' }, 'It cannot be brought back.'),
      ],
    });
    if (!yes) return;
    try {
      await call('DELETE', `events/${event.sequence}`);
      toast('Deleted.');
      this.options.onDeleted(event);
    } catch (error) {
      toast(error instanceof ApiError ? `${headline(error)} ${sentence(error)}` : 'Something went wrong.', 'error');
    }
  }
}

/** @param {string} title @param {import('../core/h.js').Children} body */
function section(title, body) {
  return h('section', { class: 'detail-section' }, h('h3', null, title), body);
}

/** Free text in its own lines, folded when it is long. @param {unknown} value @param {string} title */
function longText(value, title) {
  if (typeof value !== 'string' || value === '') return null;
  const text = h('p', { class: 'detail-text foreign' }, visibleLines(clip(value, TEXT_MAX)));
  if (value.length > TEXT_MAX) {
    const all = h(
      'button',
      { type: 'button', class: 'link-button', on: { click: () => fill(text, chunks(value, visibleLines)) } },
      `Show all (${bytes(new Blob([value]).size)})`,
    );
    text.append(' ', all);
  }
  return section(title, text);
}
