// @ts-check
// The preview of a delete and the delete itself. The preview is the server's own count of what a delete with the same
// parameters takes away, not an estimate.
import { hashOf } from '../../core/address.js';
import { call, get, latest } from '../../core/api.js';
import { fill, h } from '../../core/h.js';
import { clearFailure } from '../../core/notices.js';
import { can } from '../../core/session.js';
import { count, countOf, line } from '../../core/text.js';
import { formatTime } from '../../core/time.js';
import { toast } from '../../core/toast.js';
import { severityBadge } from '../../parts/severity.js';
import { confirmByNumber } from './confirm.js';
import { keepFocus, loading } from './shared.js';

/** `says` are the sentences that tell what is selected. @typedef {{query: string[][], address: string[][], says: string[]}} Asked */

/** So many types are named. */
const TYPES_SHOWN = 8;

/** @param {string[][]} query @returns {Promise<number>} */
async function dryRun(query, /** @type {AbortSignal | undefined} */ signal = undefined) {
  const answer = await call('DELETE', 'events', { query: [...query, ['dry_run', 'true']], signal });
  return answer.deleted;
}

export class DeletePreview {
  /** @param {{nothing: string}} options `nothing` is what is said while nothing is selected */
  constructor(options) {
    this.options = options;
    this.requests = latest();
    /** @type {Asked | null} */
    this.asked = null;
    this.number = 0;
    this.element = h('section', {
      class: 'card preview',
      'aria-label': 'Preview',
      'aria-live': 'polite',
      tabindex: -1,
    });
    this.show(null);
  }

  stop() {
    this.requests.stop();
  }

  /** @param {Asked | null} asked */
  show(asked) {
    this.asked = asked;
    const signal = this.requests.start();
    if (!asked) {
      this.element.removeAttribute('aria-busy');
      fill(this.element, h('p', { class: 'quiet' }, this.options.nothing));
      return;
    }
    if (!this.element.querySelector('.preview-number'))
      fill(this.element, h('p', { class: 'quiet' }, 'Counting\u2026'));
    this.element.setAttribute('aria-busy', 'true');
    if (this.element.contains(document.activeElement)) this.element.focus({ preventScroll: true });
    // What is asked now is not what the number on the screen is about.
    for (const stale of this.element.querySelectorAll('.button-danger')) stale.setAttribute('disabled', '');
    void loading(
      async () => {
        const [number, stats] = await Promise.all([
          dryRun(asked.query, signal),
          can('events:read')
            ? get(
                'stats',
                [...asked.query, ['by', 'event_type'], ['by', 'severity'], ['limit', String(TYPES_SHOWN)]],
                signal,
              )
            : null,
        ]);
        clearFailure();
        this.number = number;
        this.draw(asked, number, stats);
      },
      () => this.show(this.asked),
    );
  }

  /** @param {Asked} asked @param {number} number @param {any} stats */
  draw(asked, number, stats) {
    const kept = stats ? stats.total - number : 0;
    this.element.removeAttribute('aria-busy');
    keepFocus(this.element, () =>
      fill(
        this.element,
        h(
          'div',
          { class: 'preview-head' },
          h(
            'p',
            null,
            h('span', { class: 'preview-number', dataset: { count: number } }, count(number)),
            ` ${number === 1 ? 'event' : 'events'} would be deleted`,
          ),
          h(
            'div',
            { class: 'admin-actions' },
            can('events:read')
              ? h(
                  'a',
                  { class: 'button', href: hashOf('search', new URLSearchParams(asked.address)) },
                  'Show in search',
                )
              : null,
            h(
              'button',
              {
                type: 'button',
                class: 'button button-danger',
                disabled: number === 0,
                on: { click: () => void this.confirm() },
              },
              'Delete\u2026',
            ),
          ),
        ),
        kept > 0
          ? h(
              'p',
              { class: 'preview-kept' },
              `${countOf(kept, 'event')} of these stay: a hold keeps ${kept === 1 ? 'it' : 'them'}, or another tenant has a part in ${kept === 1 ? 'it' : 'them'}.`,
            )
          : null,
        stats && stats.total > 0 ? breakdown(stats) : null,
      ),
    );
  }

  async confirm() {
    const { asked } = this;
    if (!asked) return;
    const done = await confirmByNumber({
      title: 'Delete these events?',
      number: this.number,
      confirm: 'Delete for good',
      body: (number) => [
        h('p', null, h('b', null, countOf(number, 'event')), ' will be deleted for good, for everybody:'),
        h(
          'ul',
          { class: 'confirm-list' },
          asked.says.map((each) => h('li', { class: 'foreign' }, each)),
        ),
      ],
      run: (number) => this.run(asked, number),
    });
    if (done) this.show(asked);
  }

  /** @param {Asked} asked @param {number} number @returns {Promise<number | null>} */
  async run(asked, number) {
    const byNow = await dryRun(asked.query);
    if (byNow !== number) return byNow;
    const answer = await call('DELETE', 'events', { query: asked.query });
    toast(`${countOf(answer.deleted, 'event')} deleted.`);
    return null;
  }
}

/** What the selection consists of. @param {any} stats */
function breakdown(stats) {
  const types = Object.entries(stats.by.event_type ?? {}).sort(([, a], [, b]) => b - a);
  const severities = Object.entries(stats.by.severity ?? {}).sort(([, a], [, b]) => b - a);
  return h(
    'div',
    { class: 'preview-facts' },
    h(
      'dl',
      { class: 'facts' },
      stats.oldest ? h('div', null, h('dt', null, 'Oldest'), h('dd', null, formatTime(stats.oldest, 's'))) : null,
      stats.newest ? h('div', null, h('dt', null, 'Newest'), h('dd', null, formatTime(stats.newest, 's'))) : null,
      h(
        'div',
        null,
        h('dt', null, 'Severity'),
        h(
          'dd',
          { class: 'fact-list' },
          severities.map(([name, many]) => h('span', { class: 'fact-item' }, severityBadge(name), count(many))),
        ),
      ),
    ),
    h(
      'dl',
      { class: 'facts facts-types' },
      types
        .slice(0, TYPES_SHOWN)
        .map(([name, many]) =>
          h('div', null, h('dt', { class: 'foreign' }, line(name, 60)), h('dd', null, count(many))),
        ),
    ),
  );
}
