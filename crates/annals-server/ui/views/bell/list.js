// @ts-check
// One notification, and how the list of them looks.
import { hashOf } from '../../core/address.js';
import { h } from '../../core/h.js';
import { icon } from '../../core/icons.js';
import { can } from '../../core/session.js';
import { clip, line, visibleLines } from '../../core/text.js';
import { ago, formatTime } from '../../core/time.js';
import { severityBadge } from '../../parts/severity.js';

/** @typedef {import('./model.js').Notification} Notification */
/** @typedef {{onOpen(item: Notification): void, onRead(item: Notification): void, onAcknowledge(item: Notification, to: boolean): void}} ItemOptions */

/** More of a text is in the detail. */
const TITLE_MAX = 200;
const TEXT_MAX = 400;
/** What a control is called by. */
const NAME_MAX = 80;

/** @param {Notification} item */
export function titleOf(item) {
  return String(item.message ?? item.event_type ?? '');
}

/** The event of a notification, among all notifications. @param {Notification} item */
function addressOf(item) {
  return hashOf(
    'search',
    new URLSearchParams([
      ['notification', 'true'],
      ['event', String(item.sequence)],
    ]),
  );
}

/** @param {Notification} item @param {ItemOptions} options */
export function itemView(item, options) {
  const name = line(titleOf(item), NAME_MAX);
  const acknowledged = item.acknowledged === true;
  const button = (/** @type {string} */ action, /** @type {string} */ says, /** @type {() => void} */ run) =>
    h(
      'button',
      {
        type: 'button',
        class: 'button button-small',
        'aria-label': `${says}: ${name}`,
        dataset: { action },
        on: { click: run },
      },
      says,
    );
  return h(
    'li',
    {
      class: 'bell-item',
      dataset: { severity: line(item.severity, 24), read: String(item.read), sequence: String(item.sequence) },
    },
    h(
      'div',
      { class: 'bell-line' },
      can('events:read')
        ? h(
            'a',
            {
              class: 'bell-title foreign',
              href: addressOf(item),
              dataset: { action: 'open' },
              on: { click: () => options.onOpen(item) },
            },
            line(titleOf(item), TITLE_MAX),
          )
        : h('span', { class: 'bell-title foreign' }, line(titleOf(item), TITLE_MAX)),
      item.read ? null : h('span', { class: 'bell-unread' }, h('span', { class: 'visually-hidden' }, 'unread')),
    ),
    item.content ? h('p', { class: 'bell-text foreign' }, visibleLines(clip(String(item.content), TEXT_MAX))) : null,
    h(
      'div',
      { class: 'bell-line bell-foot' },
      severityBadge(item.severity ?? 'info'),
      h(
        'time',
        { class: 'quiet', datetime: item.created_at, title: formatTime(item.created_at, 's') },
        ago(item.created_at),
      ),
      item.notification_type ? h('span', { class: 'quiet foreign' }, kindOf(item.notification_type)) : null,
      acknowledged ? h('span', { class: 'badge acknowledged' }, icon('check'), 'acknowledged') : null,
      h(
        'span',
        { class: 'bell-actions' },
        item.read ? null : button('read', 'Mark read', () => options.onRead(item)),
        can('events:update')
          ? button('acknowledge', acknowledged ? 'Unacknowledge' : 'Acknowledge', () =>
              options.onAcknowledge(item, !acknowledged),
            )
          : null,
      ),
    ),
  );
}

/** "Status update" for STATUS_UPDATE. @param {unknown} type */
function kindOf(type) {
  const words = line(type, 40).replaceAll('_', ' ').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
