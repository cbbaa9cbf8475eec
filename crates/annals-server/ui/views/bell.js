// @ts-check
// The bell in the header: how many notifications are unread, and the list to read and to acknowledge them.
import { ApiError, isAbort } from '../core/api.js';
import { fill, h } from '../core/h.js';
import { icon } from '../core/icons.js';
import { registerKeys } from '../core/keys.js';
import { detail, headline } from '../core/notices.js';
import { count, countOf, line } from '../core/text.js';
import { onZone } from '../core/time.js';
import { toast } from '../core/toast.js';
import { openPopover } from '../parts/popover.js';
import { itemView, titleOf } from './bell/list.js';
import { BellModel } from './bell/model.js';

/** @typedef {import('./bell/model.js').Notification} Notification */

/** The badge has room for two digits. */
const BADGE_MAX = 99;
/** "3 min ago" is true for so long. */
const AGO_EVERY_MS = 30_000;

/** @param {HTMLElement} slot @returns {() => void} */
export function mount(slot) {
  const bell = new Bell();
  slot.append(bell.element);
  return () => bell.stop();
}

class Bell {
  constructor() {
    this.badge = h('span', { class: 'bell-badge', 'aria-hidden': 'true', hidden: true });
    this.says = h('span', { class: 'visually-hidden', id: 'bell-says' });
    this.button = h(
      'button',
      {
        type: 'button',
        class: 'icon-button bell-button',
        'aria-label': 'Notifications',
        'aria-describedby': 'bell-says',
        title: 'Notifications (b)',
        'aria-haspopup': 'dialog',
        'aria-expanded': 'false',
        on: { click: () => this.toggle() },
      },
      icon('bell'),
    );
    this.element = h('div', { class: 'bell' }, this.button, this.badge, this.says);
    /** @type {import('../parts/popover.js').Popover | null} */
    this.popover = null;
    this.list = h('ul', { class: 'bell-list', 'aria-label': 'Notifications' });
    this.state = h('p', { class: 'bell-state quiet', role: 'status' });
    this.readAll = h(
      'button',
      { type: 'button', class: 'button button-small', on: { click: () => void this.onReadAll() } },
      'Mark all read',
    );
    this.more = h(
      'button',
      { type: 'button', class: 'button button-small bell-more', on: { click: () => void this.model.more() } },
      'Show earlier ones',
    );
    this.again = h(
      'button',
      { type: 'button', class: 'button button-small', on: { click: () => void this.model.load() } },
      'Try again',
    );
    this.model = new BellModel({
      onChange: () => this.draw(),
      onNew: (fresh) => {
        if (!this.popover) tell(fresh);
      },
    });
    this.stopKeys = registerKeys('Everywhere', [{ key: 'b', says: 'Notifications', run: () => this.toggle() }]);
    this.stopZone = onZone(() => this.draw());
    this.timer = setInterval(() => {
      if (this.popover) this.draw();
    }, AGO_EVERY_MS);
    this.draw();
  }

  stop() {
    this.popover?.close();
    this.model.stop();
    this.stopKeys();
    this.stopZone();
    clearInterval(this.timer);
  }

  toggle() {
    if (this.popover) {
      this.popover.close();
      return;
    }
    this.popover = openPopover(this.button, {
      label: 'Notifications',
      className: 'bell-panel',
      onClose: () => {
        this.popover = null;
      },
      body: [
        h(
          'div',
          { class: 'bell-head' },
          h('h2', null, 'Notifications'),
          this.state,
          this.readAll,
          h(
            'button',
            {
              type: 'button',
              class: 'icon-button',
              'aria-label': 'Close notifications',
              on: { click: () => this.popover?.close() },
            },
            icon('close'),
          ),
        ),
        this.list,
        h('div', { class: 'bell-end' }, this.more, this.again),
      ],
    });
    void this.model.load();
    this.draw();
  }

  draw() {
    const { unread, total, items, failure, loaded } = this.model;
    this.badge.hidden = unread === 0;
    // Drawn by the style: a text within the button would have to be part of its name, which does not change.
    this.badge.dataset.count = unread > BADGE_MAX ? `${BADGE_MAX}+` : String(unread);
    this.says.textContent = loaded ? `${count(unread)} unread` : '';
    if (!this.popover) return;
    const state = failure
      ? `${headline(failure)} ${detail(failure)}`
      : loaded
        ? `${count(unread)} unread of ${count(total)}`
        : 'Loading\u2026';
    if (this.state.textContent !== state) this.state.textContent = state;
    if (unread === 0 && document.activeElement === this.readAll) this.popover.element.focus();
    this.readAll.disabled = unread === 0;
    this.more.hidden = items.length >= total;
    this.again.hidden = failure === null;
    const focus = this.focused();
    fill(
      this.list,
      items.map((item) =>
        itemView(item, {
          onOpen: (opened) => this.onOpen(opened),
          onRead: (read) => void this.act(() => this.model.read(read)),
          onAcknowledge: (changed, to) => void this.act(() => this.model.acknowledge(changed, to)),
        }),
      ),
      loaded && items.length === 0 && !failure
        ? h('li', { class: 'bell-none' }, 'Nothing to tell. Events that are marked as notifications appear here.')
        : null,
    );
    this.focusAgain(focus);
  }

  /** Which control of which notification has the focus: drawing anew takes it away. */
  focused() {
    const at = document.activeElement;
    if (!(at instanceof HTMLElement) || !this.list.contains(at)) return null;
    const item = /** @type {HTMLElement | null} */ (at.closest('.bell-item'));
    return { sequence: item?.dataset.sequence ?? '', action: at.dataset.action ?? '' };
  }

  /** @param {{sequence: string, action: string} | null} was */
  focusAgain(was) {
    if (!was) return;
    const item = this.list.querySelector(`[data-sequence="${Number(was.sequence)}"]`);
    // A control that has done its work is gone; what is left of its notification comes first.
    const to =
      item?.querySelector(`[data-action="${was.action}"]`) ??
      item?.querySelector('[data-action="acknowledge"]') ??
      item?.querySelector('a') ??
      this.popover?.element;
    /** @type {HTMLElement | undefined} */ (to)?.focus({ preventScroll: true });
  }

  /** @param {Notification} item */
  onOpen(item) {
    void this.act(() => this.model.read(item));
    this.popover?.close();
  }

  async onReadAll() {
    await this.act(async () => {
      const many = await this.model.readAll();
      toast(many === 0 ? 'All were read before.' : `${countOf(many, 'notification')} marked read.`);
    });
  }

  /** @param {() => Promise<unknown>} run */
  async act(run) {
    try {
      await run();
    } catch (error) {
      if (isAbort(error)) return;
      if (!(error instanceof ApiError)) throw error;
      if (error.kind === 'unauthorized') return;
      toast(error.kind === 'missing' ? 'This notification is gone.' : `${headline(error)} ${detail(error)}`, 'error');
      void this.model.load();
    }
  }
}

/** @param {Notification[]} fresh */
function tell(fresh) {
  const [first] = fresh;
  if (!first) return;
  toast(
    fresh.length === 1 ? `Notification: ${line(titleOf(first), 80)}` : `${count(fresh.length)} new notifications.`,
    first.severity === 'error' ? 'error' : 'info',
  );
}
