// @ts-check
// The health of the store: its figures, its segments by partition, and a verification of every byte.
import { call, get, latest } from '../../core/api.js';
import { fill, h } from '../../core/h.js';
import { clearFailure } from '../../core/notices.js';
import { count, countOf, line } from '../../core/text.js';
import { onZone } from '../../core/time.js';
import { toast } from '../../core/toast.js';
import { partitionTable } from './partitions.js';
import { button, failureText, loading, sectionHead } from './shared.js';
import { callouts, figureCards } from './store-cards.js';

/** How often the figures are asked again while somebody looks at them. */
const EVERY_MS = 5000;
/** Segments of a page; a store of terabytes has some thousands. */
const PAGE = 1000;

/** @returns {import('../../core/views.js').View} */
export function mount() {
  const section = new StoreSection();
  return { element: section.element, show: () => section.load(), leave: () => section.leave() };
}

class StoreSection {
  constructor() {
    this.requests = latest();
    this.wanted = PAGE;
    /** @type {any} */
    this.store = null;
    /** @type {any} */
    this.segments = null;
    this.callouts = h('div', { class: 'admin-stack', role: 'status', 'aria-label': 'State of the store' });
    this.cards = h('div', { class: 'figure-cards' });
    this.partitions = partitionTable({
      onMore: () => {
        this.wanted += PAGE;
        this.ask();
      },
    });
    this.verify = button('Verify the store', 'check', () => this.onVerify());
    this.report = h('div', { class: 'admin-stack', role: 'status', 'aria-label': 'Verification' });
    this.element = h(
      'section',
      { class: 'admin-section', 'aria-label': 'Store' },
      sectionHead('Store', 'What the store consists of and how it is. The figures renew themselves.', this.verify),
      this.callouts,
      this.cards,
      this.report,
      this.partitions.element,
    );
    this.timer = setInterval(() => {
      if (!document.hidden && this.store) this.ask();
    }, EVERY_MS);
    this.stopZone = onZone(() => this.draw(true));
  }

  load() {
    if (!this.store) this.ask();
  }

  leave() {
    clearInterval(this.timer);
    this.stopZone();
    this.requests.stop();
  }

  ask() {
    const signal = this.requests.start();
    void loading(
      async () => {
        [this.store, this.segments] = await Promise.all([
          get('store', undefined, signal),
          get('segments', { limit: String(this.wanted) }, signal),
        ]);
        clearFailure();
        this.draw(false);
      },
      () => this.ask(),
    );
  }

  /** @param {boolean} anew although nothing has changed */
  draw(anew) {
    const { store, segments } = this;
    if (!store || !segments) return;
    fill(this.callouts, callouts(store, segments));
    fill(this.cards, figureCards(store, segments));
    this.partitions.show(segments, anew);
  }

  /** Reads every byte; that may take minutes. */
  async onVerify() {
    this.verify.disabled = true;
    const began = performance.now();
    fill(
      this.report,
      h(
        'div',
        { class: 'card callout', dataset: { kind: 'info' } },
        h('span', { class: 'spinner', 'aria-hidden': 'true' }),
        h(
          'div',
          { class: 'callout-text' },
          h('b', null, 'Verifying. '),
          'Every file is read and every checksum checked. It goes on if you leave this page.',
        ),
      ),
    );
    try {
      const report = await call('POST', 'verify');
      const seconds = Math.max(1, Math.round((performance.now() - began) / 1000));
      fill(this.report, verified(report, seconds));
      if (this.element.isConnected) this.ask();
      else
        toast(
          report.damages.length === 0
            ? 'The store was verified: it is sound.'
            : `The store was verified: ${countOf(report.damages.length, 'damage')}.`,
          report.damages.length === 0 ? 'done' : 'error',
        );
    } catch (error) {
      fill(
        this.report,
        h(
          'div',
          { class: 'card callout', dataset: { kind: 'error' } },
          h('div', { class: 'callout-text' }, failureText(error)),
        ),
      );
    } finally {
      this.verify.disabled = false;
    }
  }
}

/** @param {any} report @param {number} seconds */
function verified(report, seconds) {
  const sound = report.damages.length === 0;
  return h(
    'div',
    { class: 'card callout', dataset: { kind: sound ? 'success' : 'error' } },
    h(
      'div',
      { class: 'callout-text' },
      h('b', null, sound ? 'The store is sound. ' : `${countOf(report.damages.length, 'damage')} found. `),
      `${countOf(report.files, 'file')} and ${countOf(report.events, 'event')} (${count(report.bytes)} bytes) were read in ${seconds} s.`,
      report.damages.length > 0
        ? h(
            'ul',
            { class: 'plain-list report-list' },
            report.damages.map((/** @type {unknown} */ damage) => h('li', { class: 'foreign' }, line(damage, 500))),
          )
        : null,
      report.notes.length > 0
        ? h(
            'ul',
            { class: 'plain-list report-list quiet' },
            report.notes.map((/** @type {unknown} */ note) => h('li', { class: 'foreign' }, line(note, 500))),
          )
        : null,
    ),
  );
}
