// @ts-check
// The list of the live view: when what waits becomes rows, and when the list stands still.
import { count, countOf } from '../../core/text.js';
import { icon } from '../../core/icons.js';
import { Held, ROWS_MAX } from './held.js';

/** @typedef {import('./held.js').Event} Event */
/**
 * @typedef {{table: import('./table.js').LiveTable, notes: ReturnType<typeof import('./status.js').notes>,
 *   status: ReturnType<typeof import('./status.js').statusLine>, controls: import('./parts.js').Controls, results: HTMLElement,
 *   columns(): string[], opened(): string}} ListOptions
 */

/** New rows come together at most so often: what comes faster than that nobody can read. */
const ROWS_EVERY_MS = 100;
/** How often a screen reader is told how many wait. */
const SAY_EVERY_MS = 10_000;

export class LiveList {
  /** @param {ListOptions} options */
  constructor(options) {
    this.options = options;
    this.table = options.table;
    this.held = new Held();
    this.paused = false;
    this.pointerOver = false;
    this.saidAt = 0;
    this.shownAt = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.schedule = () => this.soon();
    document.addEventListener('scroll', this.schedule, { capture: true, passive: true });
    this.table.element.addEventListener('blur', this.schedule);
    this.watchPointer();
  }

  stop() {
    clearTimeout(this.timer);
    document.removeEventListener('scroll', this.schedule, { capture: true });
  }

  watchPointer() {
    const { results } = this.options;
    const over = (/** @type {boolean} */ is) => (/** @type {PointerEvent} */ event) => {
      // A finger leaves nothing over the list.
      if (event.pointerType === 'touch' || this.pointerOver === is) return;
      this.pointerOver = is;
      this.soon();
    };
    results.addEventListener('pointerenter', over(true));
    results.addEventListener('pointermove', over(true));
    results.addEventListener('pointerleave', over(false));
  }

  clear() {
    this.held.clear();
    this.options.notes.clear();
    this.table.setActiveIndex(-1);
    this.drawAll();
  }

  /** @param {Event} event @returns {boolean} whether it is new */
  take(event) {
    const fresh = this.held.push(event);
    if (fresh) this.soon();
    return fresh;
  }

  /** @param {Event[]} events from before */
  takeEarlier(events) {
    this.held.appendEarlier(events);
    this.drawAll();
  }

  /** @param {Partial<Event> & {sequence: number}} change */
  change(change) {
    const event = this.held.change(change.sequence, change);
    if (event) this.table.update(event);
  }

  /** A row under the pointer is struck out, and goes when the list may move. @param {number} sequence */
  remove(sequence) {
    const event = this.held.remove(sequence);
    if (!event) return;
    this.table.update(event);
    this.soon();
  }

  /** Why the list stands still, or nothing. */
  holdReason() {
    if (this.paused) return 'paused';
    if (this.table.isScrolledDown()) return 'The list waits while it is scrolled down.';
    if (this.pointerOver) return 'The list waits while the pointer is over it.';
    const chosen = this.table.active >= 0 && document.activeElement === this.table.element;
    return chosen ? 'The list waits while a row is chosen; Esc leaves it.' : '';
  }

  /** Rows soon, if they may come, and what is said about them. */
  soon() {
    if (this.timer !== undefined) return;
    const wait = Math.max(0, this.shownAt + ROWS_EVERY_MS - performance.now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.flush();
    }, wait);
  }

  flush() {
    this.shownAt = performance.now();
    const reason = this.holdReason();
    this.options.status.showHold(this.paused, reason);
    if (reason === '') this.move();
    this.drawWaiting();
  }

  /** What moves rows: what is gone goes, what waits comes. */
  move() {
    if (this.held.purge()) {
      this.table.replaceAll(this.held.rows);
      this.showNone();
    }
    if (this.held.waitingCount() > 0) this.release();
  }

  release() {
    const { added, passed } = this.held.release();
    if (passed > 0) this.tellPassed(passed);
    this.table.prepend(this.held.rows, added);
    this.table.setOpened(this.options.opened());
    this.showNone();
  }

  /** @param {number} passed */
  tellPassed(passed) {
    const are = passed === 1 ? 'is' : 'are';
    this.options.notes.add(
      'passed',
      `${countOf(passed, 'event')} came while the list waited and ${are} left out here: it has ${count(ROWS_MAX)} rows at most.`,
      { says: 'Open in search', run: () => this.options.controls.inSearch.click() },
    );
  }

  showNone() {
    const none = this.held.rows.length === 0;
    // Not before it is known that there is nothing.
    this.options.controls.none.hidden = !none || !this.options.controls.progress.hidden;
    this.table.element.hidden = none;
  }

  drawAll() {
    this.showNone();
    this.table.showAll(this.held.rows, this.options.columns());
    this.table.setOpened(this.options.opened());
    this.drawWaiting();
  }

  drawWaiting() {
    const { controls } = this.options;
    const waiting = this.held.waitingCount();
    controls.catchUp.hidden = waiting === 0;
    controls.waiting.textContent = count(waiting);
    const now = performance.now();
    if (waiting > 0 && now - this.saidAt < SAY_EVERY_MS) return;
    this.saidAt = now;
    controls.said.textContent = waiting > 0 ? `${countOf(waiting, 'new event')}` : '';
  }

  /** @param {boolean} paused */
  setPaused(paused) {
    const { pause } = this.options.controls;
    this.paused = paused;
    pause.setAttribute('aria-pressed', String(paused));
    pause.firstChild?.replaceWith(icon(paused ? 'play' : 'pause'));
    this.flush();
  }

  /** Shows what waits; the list goes on from there. */
  catchUp() {
    if (this.paused) this.setPaused(false);
    this.table.setActiveIndex(-1);
    this.move();
    this.table.toTop();
    this.flush();
    this.table.element.focus({ preventScroll: true });
  }
}
