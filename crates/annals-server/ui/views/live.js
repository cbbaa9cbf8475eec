// @ts-check
// The live tail: events as they are stored, with the filters of the search. What comes waits first, and becomes rows when
// that moves nothing a person looks at: not while it is paused, scrolled down, under the pointer, or walked through by keys.
import { go, linkTo, hashOf } from '../core/address.js';
import { ApiError, get, isAbort, latest } from '../core/api.js';
import { icon } from '../core/icons.js';
import { registerKeys } from '../core/keys.js';
import { clearFailure, showFailure } from '../core/notices.js';
import { setPref } from '../core/prefs.js';
import { count, countOf } from '../core/text.js';
import { onZone } from '../core/time.js';
import { emptySelection, onlyValue, withValue } from '../parts/filter-model.js';
import { closePopover } from '../parts/popover.js';
import { Held, ROWS_MAX } from './live/held.js';
import { liveKeys } from './live/keys.js';
import { makeParts } from './live/parts.js';
import { loadMarks, loadRecent, rowOf, tailParams } from './live/recent.js';
import { Tail } from './live/tail.js';
import { watchLag } from './live/lag.js';
import { openColumns } from './search/columns.js';
import { readState, writeState } from './search/state.js';

/** @typedef {import('./search/state.js').State} State */
/** @typedef {import('../parts/filter-model.js').Selection} Selection */
/** @typedef {import('./live/held.js').Event} Event */

/** New rows come together at most so often: what comes faster than that nobody can read. */
const ROWS_EVERY_MS = 100;
/** A tab in the background keeps its connection so long. */
const AWAY_AFTER_MS = 60_000;
/** What "around" an event is. */
const AROUND_MS = 5 * 60_000;
/** How often a screen reader is told how many wait. */
const SAY_EVERY_MS = 10_000;

/** @returns {import('../core/views.js').View} */
export function mount() {
  const view = new Live();
  return { element: view.element, show: (params) => view.show(params), leave: () => view.leave() };
}

export class Live {
  constructor() {
    /** @type {State | null} */
    this.state = null;
    this.held = new Held();
    this.paused = false;
    this.pointerOver = false;
    this.focusDetail = false;
    this.following = '';
    this.saidAt = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.shownAt = 0;
    this.requests = latest();
    this.markRequests = latest();
    const parts = makeParts(this);
    this.bar = parts.bar;
    this.status = parts.status;
    this.table = parts.table;
    this.detail = parts.detail;
    this.notes = parts.notes;
    this.controls = parts.controls;
    this.element = parts.element;
    this.tail = new Tail({
      awayAfterMs: AWAY_AFTER_MS,
      query: () => (this.state ? tailParams(this.state) : []),
      onEvent: (_sequence, data) => this.take(rowOf(JSON.parse(data))),
      onMessage: (name, data) => this.onMessage(name, data),
      onOpen: (resumed) => { if (!resumed) void this.loadRecent(); },
      onState: (state) => this.status.showState(state),
    });
    this.lag = watchLag({
      state: () => (this.tail.state.name === 'live' ? this.state : null),
      position: () => Number(this.tail.position),
      onBehind: (by) => this.behind(by),
      onCaughtUp: () => this.notes.remove('behind'),
    });
    this.onScroll = () => this.schedule();
    this.watchPointer(parts.results);
    this.stopKeys = registerKeys('Live', liveKeys(this));
    this.stopZone = onZone(() => { this.table.redraw(); this.detail.draw(); });
  }

  leave() {
    closePopover();
    this.stopKeys();
    this.stopZone();
    clearTimeout(this.timer);
    document.removeEventListener('scroll', this.onScroll, { capture: true });
    this.requests.stop();
    this.markRequests.stop();
    for (const part of [this.tail, this.lag, this.status, this.table, this.detail]) part.stop();
  }

  /** @param {HTMLElement} results */
  watchPointer(results) {
    const over = (/** @type {boolean} */ is) => (/** @type {PointerEvent} */ event) => {
      // A finger leaves nothing over the list.
      if (event.pointerType === 'touch') return;
      this.pointerOver = is;
      this.schedule();
    };
    results.addEventListener('pointerenter', over(true));
    results.addEventListener('pointermove', (event) => { if (!this.pointerOver) over(true)(event); });
    results.addEventListener('pointerleave', over(false));
    this.table.element.addEventListener('blur', () => this.schedule());
    document.addEventListener('scroll', this.onScroll, { capture: true, passive: true });
  }

  /** @param {URLSearchParams} params */
  show(params) {
    const state = withoutRange(readState(params));
    const before = this.state;
    this.state = state;
    this.bar.show(state.selection);
    this.controls.inSearch.setAttribute('href', hashOf('search', writeState({ ...state, event: '' })));
    const following = JSON.stringify([state.selection, state.columns]);
    if (following !== this.following) {
      this.following = following;
      this.restart();
    }
    void this.detail.show(state.event, { focus: before !== null && before.event === '' && state.event !== '' && this.focusDetail });
    this.element.dataset.detail = String(state.event !== '');
    this.table.setOpened(state.event);
  }

  /** Begins anew: other filters, or other members of the events. */
  restart() {
    this.held.clear();
    this.notes.clear();
    this.status.restart();
    this.table.setActiveIndex(-1);
    this.drawAll();
    this.controls.progress.hidden = false;
    this.tail.start();
  }

  /** Events from before the tail began. The tail is there first, so that none falls in between. */
  async loadRecent() {
    const state = /** @type {State} */ (this.state);
    try {
      const events = await loadRecent(state, this.requests.start());
      clearFailure();
      this.held.appendEarlier(events);
      this.drawAll();
    } catch (error) {
      this.fail(error, () => void this.loadRecent());
    } finally {
      this.controls.progress.hidden = true;
    }
  }

  /** @param {unknown} error @param {() => void} retry */
  fail(error, retry) {
    if (isAbort(error)) return;
    if (!(error instanceof ApiError)) throw error;
    if (error.kind !== 'unauthorized') showFailure(error, retry);
  }

  /** @param {Event} event */
  take(event) {
    if (!this.held.push(event)) return;
    this.status.received();
    this.schedule();
  }

  /** @param {string} name @param {any} data */
  onMessage(name, data) {
    if (name === 'mark') this.marked(data);
    else if (name === 'delete') this.deleted(Number(data.sequence));
    else if (name === 'reset') void this.loadMarks();
    else if (name === 'gap') {
      const many = Math.max(0, Number(data.first) - Number(data.from));
      this.notes.add('gap', `Gap: ${countOf(many, 'event')} with the sequences ${count(Number(data.from))} to ${count(Number(data.first) - 1)} were deleted before they could be shown. Whether they match the filters nobody can tell.`);
    }
  }

  /** @param {{sequence: number, acknowledged?: boolean, amended?: boolean}} mark */
  marked(mark) {
    const sequence = Number(mark.sequence);
    if (typeof mark.acknowledged === 'boolean') this.changed({ sequence, acknowledged: mark.acknowledged });
    else if (this.held.bySequence.has(sequence)) void this.reload(sequence);
    if (String(sequence) === this.state?.event && this.detail.event?.acknowledged !== mark.acknowledged) void this.detail.show(this.state.event, { anew: true });
  }

  /** An event that was changed in more than its mark. @param {number} sequence */
  async reload(sequence) {
    try {
      this.changed(rowOf(await get(`events/${sequence}`)));
    } catch {
      // It is gone by now: the tail says so next.
    }
  }

  /** @param {Partial<Event> & {sequence: number}} change */
  changed(change) {
    const event = this.held.change(change.sequence, change);
    if (event) this.table.update(event);
  }

  /** @param {number} sequence */
  deleted(sequence) {
    const event = this.held.remove(sequence);
    // A row under the pointer is struck out, and goes when the list may move.
    if (event) this.table.update(event);
    if (String(sequence) === this.state?.event) void this.detail.show(this.state.event, { anew: true });
    this.schedule();
  }

  /** After a time without the tail: what was acknowledged or deleted in between. */
  async loadMarks() {
    const state = /** @type {State} */ (this.state);
    const position = Number(this.tail.position);
    try {
      const { marks, since } = await loadMarks(state, this.held.bySequence.size, this.markRequests.start());
      for (const [sequence, event] of this.held.bySequence) {
        const mark = marks.get(sequence);
        if (mark) event.acknowledged = mark.acknowledged;
        else if (sequence <= position && event.created_at > since) this.held.remove(sequence);
      }
      this.table.redraw();
      this.schedule();
    } catch (error) {
      this.fail(error, () => void this.loadMarks());
    }
  }

  /** Why the list stands still, or nothing. */
  holdReason() {
    if (this.paused) return 'paused';
    if (this.table.isScrolledDown()) return 'The list waits while it is scrolled down.';
    if (this.pointerOver) return 'The list waits while the pointer is over it.';
    if (this.table.active >= 0 && document.activeElement === this.table.element) return 'The list waits while a row is chosen; Esc leaves it.';
    return '';
  }

  /** Rows soon, if they may come, and what is said about them. */
  schedule() {
    if (this.timer !== undefined) return;
    const wait = Math.max(0, this.shownAt + ROWS_EVERY_MS - performance.now());
    this.timer = setTimeout(() => { this.timer = undefined; this.flush(); }, wait);
  }

  flush() {
    this.shownAt = performance.now();
    const reason = this.holdReason();
    this.status.showHold(this.paused, reason);
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
    if (passed > 0) {
      this.notes.add('passed', `${countOf(passed, 'event')} came while the list waited and ${passed === 1 ? 'is' : 'are'} left out here: it has ${count(ROWS_MAX)} rows at most.`,
        { says: 'Open in search', run: () => this.controls.inSearch.click() });
    }
    this.table.prepend(this.held.rows, added);
    this.table.setOpened(this.state?.event ?? '');
    this.showNone();
  }

  showNone() {
    const none = this.held.rows.length === 0;
    this.controls.none.hidden = !none;
    this.table.element.hidden = none;
  }

  drawAll() {
    this.showNone();
    this.table.showAll(this.held.rows, this.state?.columns ?? []);
    this.table.setOpened(this.state?.event ?? '');
    this.drawWaiting();
  }

  drawWaiting() {
    const waiting = this.held.waitingCount();
    this.controls.catchUp.hidden = waiting === 0;
    this.controls.waiting.textContent = count(waiting);
    const now = performance.now();
    if (waiting > 0 && now - this.saidAt < SAY_EVERY_MS) return;
    this.saidAt = now;
    this.controls.said.textContent = waiting > 0 ? `${countOf(waiting, 'new event')}` : '';
  }

  /** @param {boolean} paused */
  setPaused(paused) {
    this.paused = paused;
    this.controls.pause.setAttribute('aria-pressed', String(paused));
    this.controls.pause.firstChild?.replaceWith(icon(paused ? 'play' : 'pause'));
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

  clearList() {
    this.held.clear();
    this.notes.clear();
    this.table.setActiveIndex(-1);
    this.drawAll();
  }

  /** @param {number} by */
  behind(by) {
    this.notes.add('behind', `The list has fallen behind what is stored, by ${countOf(by, 'event')} of all kinds or more. It goes on in order; more filters make it faster.`,
      { says: 'Skip to now', run: () => this.skip() });
  }

  /** Leaves out what was not read yet. */
  skip() {
    const from = Number(this.tail.position) + 1;
    this.restart();
    this.notes.add('skipped', `Skipped: events from sequence ${count(from)} on, up to the earliest one below.`, { says: 'Open in search', run: () => this.controls.inSearch.click() });
  }

  escape() {
    if (this.state?.event) this.closeDetail();
    else if (this.table.active >= 0) {
      this.table.setActiveIndex(-1);
      this.flush();
    } else return false;
    return true;
  }

  /** @param {Partial<State>} change @param {{replace?: boolean}} [how] */
  change(change, how) {
    if (this.state) go('live', writeState({ ...this.state, ...change }), how);
  }

  /** @param {Partial<Selection>} change @param {{replace?: boolean}} [how] */
  select(change, how) {
    this.change({ selection: { ...emptySelection(), ...this.state?.selection, ...change } }, how);
  }

  /** @param {string} field @param {string} value @param {'is' | 'not'} op */
  filterBy(field, value, op) {
    const filters = this.state?.selection.filters ?? [];
    this.select({ filters: op === 'is' ? onlyValue(filters, field, value) : withValue(filters, field, op, value) });
  }

  /** @param {number} index @param {boolean} replace */
  openRow(index, replace) {
    const event = this.table.events[index];
    if (event) this.change({ event: String(event.sequence) }, { replace });
  }

  closeDetail() {
    if (!this.state?.event) return;
    this.change({ event: '' });
    this.table.element.focus({ preventScroll: true });
  }

  /** Everything of the minutes around an event, in the search. @param {Event} event */
  showAround(event) {
    const at = (/** @type {number} */ by) => new Date(Math.max(0, Date.parse(event.created_at) + by)).toISOString();
    go('search', new URLSearchParams({ from: at(-AROUND_MS), to: at(AROUND_MS), event: String(event.sequence) }));
  }

  /** @param {string} event */
  linkTo(event) {
    return linkTo('live', writeState({ .../** @type {State} */ (this.state), event }, { whole: true }));
  }

  /** @param {HTMLElement} anchor */
  chooseColumns(anchor) {
    openColumns(anchor, this.state?.columns ?? [], (columns) => {
      setPref('columns', columns);
      const next = { .../** @type {State} */ (this.state), columns };
      go('live', writeState(next), { replace: true });
      if (this.state?.columns.join() !== columns.join()) this.show(writeState(next, { whole: true }));
    });
  }
}

/** A tail has no time range, and its list no pages and no order. @param {State} state @returns {State} */
function withoutRange(state) {
  return { ...state, selection: { ...state.selection, range: '', from: '', to: '' }, page: 1, sort: '-created_at', tab: 'events' };
}
