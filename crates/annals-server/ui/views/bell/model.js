// @ts-check
// The notifications of whoever is signed in, kept up to date: a tail says that something changed, the list says what it is
// now, since who sees which notification and until when only the server knows.
import { ApiError, call, get, isAbort, latest } from '../../core/api.js';
import { can } from '../../core/session.js';
import { Tail } from '../live/tail.js';

/** @typedef {Record<string, any> & {id: string, sequence: number, created_at: string, read: boolean, acknowledged?: boolean}} Notification */

/** A page of the list. */
const PAGE = 30;
/** Several that come at once are one look at the list. */
const GATHER_MS = 150;
/** What no tail tells: that some have expired, and that they were read elsewhere. */
const EVERY_MS = 60_000;
/** Without the right to follow events nothing tells anything. */
const EVERY_UNTOLD_MS = 15_000;
/** In the background nobody looks at the bell. */
const AWAY_AFTER_MS = 10_000;

export class BellModel {
  /** @param {{onChange(): void, onNew(fresh: Notification[]): void}} options */
  constructor(options) {
    this.options = options;
    /** @type {Notification[]} */
    this.items = [];
    this.total = 0;
    this.unread = 0;
    this.wanted = PAGE;
    this.loaded = false;
    /** @type {ApiError | null} */
    this.failure = null;
    /** Those up to this sequence are not news. */
    this.seen = 0;
    this.requests = latest();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.every = setInterval(
      () => {
        if (!document.hidden) this.soon();
      },
      can('events:read') ? EVERY_MS : EVERY_UNTOLD_MS,
    );
    /** @type {Tail | null} */
    this.tail = can('events:read') ? this.makeTail() : null;
    this.tail?.start();
    void this.load();
  }

  makeTail() {
    return new Tail({
      awayAfterMs: AWAY_AFTER_MS,
      query: () => [
        ['notification', 'true'],
        ['fields', 'id,sequence'],
      ],
      onEvent: () => this.soon(),
      onMessage: (name, data) => this.onMessage(name, data),
      onOpen: () => this.soon(),
      onState: () => {},
    });
  }

  stop() {
    this.tail?.stop();
    this.requests.stop();
    clearTimeout(this.timer);
    clearInterval(this.every);
  }

  /** @param {string} name @param {any} data */
  onMessage(name, data) {
    if (name === 'reset' || name === 'end') this.soon();
    else if (name === 'mark' && data.amended === true) this.soon();
    else if (name === 'mark') this.change(Number(data.sequence), { acknowledged: data.acknowledged === true });
    else if (name === 'delete' && this.find(Number(data.sequence))) this.soon();
  }

  soon() {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.load();
    }, GATHER_MS);
  }

  /** @param {number} sequence */
  find(sequence) {
    return this.items.find((item) => item.sequence === sequence);
  }

  /** The list as it is now. */
  async load() {
    try {
      const answer = await get('notifications', { limit: String(this.wanted), offset: '0' }, this.requests.start());
      const first = !this.loaded;
      this.loaded = true;
      this.failure = null;
      this.items = answer.notifications;
      this.total = answer.total;
      this.unread = answer.unread;
      const fresh = this.items.filter((item) => item.sequence > this.seen && !item.read);
      this.seen = Math.max(this.seen, ...this.items.map((item) => item.sequence));
      if (!first && fresh.length > 0) this.options.onNew(fresh);
    } catch (error) {
      if (isAbort(error)) return;
      if (!(error instanceof ApiError)) throw error;
      this.failure = error;
    }
    this.options.onChange();
  }

  more() {
    this.wanted += PAGE;
    return this.load();
  }

  /** @param {number} sequence @param {Partial<Notification>} change */
  change(sequence, change) {
    const item = this.find(sequence);
    if (!item) return;
    if (change.read === true && !item.read) this.unread = Math.max(0, this.unread - 1);
    Object.assign(item, change);
    this.options.onChange();
  }

  /** @param {Notification} item */
  async read(item) {
    if (item.read) return;
    await call('POST', `notifications/${item.sequence}/read`);
    this.change(item.sequence, { read: true });
  }

  /** @returns {Promise<number>} how many were not read before */
  async readAll() {
    const answer = await call('POST', 'notifications/read-all');
    await this.load();
    return answer.count;
  }

  /** @param {Notification} item @param {boolean} to */
  async acknowledge(item, to) {
    await call('POST', `events/${item.sequence}/${to ? 'acknowledge' : 'unacknowledge'}`);
    this.change(item.sequence, { acknowledged: to });
  }
}
