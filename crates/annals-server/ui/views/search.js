// @ts-check
// The search: filters, histogram, table, detail, statistics. The address is the only state: every control changes it, and
// `show` compares it with what is on the screen and asks for the difference. The list and the overview (total, histogram)
// are asked at once, and each is drawn as soon as it is there.
import { go, linkTo } from '../core/address.js';
import { ApiError, isAbort, latest } from '../core/api.js';
import { fill } from '../core/h.js';
import { registerKeys } from '../core/keys.js';
import { clearFailure, showFailure } from '../core/notices.js';
import { setPref } from '../core/prefs.js';
import { onZone } from '../core/time.js';
import { boundsOf, emptySelection, onlyValue, withValue } from '../parts/filter-model.js';
import { closePopover } from '../parts/popover.js';
import { openColumns } from './search/columns.js';
import { coversExtent, forgetExtent, loadOverview, loadPage, loadTop } from './search/data.js';
import { emptyState } from './search/empty.js';
import { searchKeys } from './search/keys.js';
import { makeParts } from './search/parts.js';
import { pageKey, readState, rowsKey, selectionKey, writeState } from './search/state.js';

/** @typedef {import('./search/state.js').State} State */
/** @typedef {import('../parts/filter-model.js').Selection} Selection */

/** @returns {import('../core/views.js').View} */
export function mount() {
  const view = new Search();
  return { element: view.element, show: (params) => view.show(params), leave: () => view.leave() };
}

/** The progress line comes only when an answer takes longer than people notice. */
const SLOW_MS = 150;
/** What "around" an event is. */
const AROUND_MS = 5 * 60_000;

export class Search {
  constructor() {
    /** @type {State | null} */
    this.state = null;
    /** The bounds that a preset meant when it was asked; pages of one list share them. */
    this.bounds = { from: '', to: '' };
    /** How many events there are; of the selection before while the new number is on its way. @type {number | null} */
    this.total = null;
    /** What the histogram spans. */
    this.drawn = { fromMs: 0, toMs: 0 };
    this.totalIsOld = false;
    this.rowsAreOld = true;
    this.shownPage = '';
    this.shownRows = '';
    this.shownSelection = '';
    this.listRequests = latest();
    this.overviewRequests = latest();
    this.topRequests = latest();
    this.busy = 0;
    const parts = makeParts(this);
    this.range = parts.range;
    this.tools = parts.tools;
    this.bar = parts.bar;
    this.summary = parts.summary;
    this.histogram = parts.histogram;
    this.table = parts.table;
    this.pager = parts.pager;
    this.detail = parts.detail;
    this.statistics = parts.statistics;
    this.places = parts.places;
    this.element = parts.element;
    /** Whether the detail takes the focus: after Enter it does, while rows are walked through it does not. */
    this.focusDetail = false;
    this.stopKeys = registerKeys('Search', searchKeys(this));
    this.stopZone = onZone(() => this.redraw());
    forgetExtent();
  }

  leave() {
    closePopover();
    this.stopKeys();
    this.stopZone();
    for (const requests of [this.listRequests, this.overviewRequests, this.topRequests]) requests.stop();
    for (const part of [this.table, this.histogram, this.detail, this.summary]) part.stop();
  }

  /** @param {URLSearchParams} params */
  show(params) {
    const state = readState(params);
    const before = this.state;
    this.state = state;
    this.bar.show(state.selection);
    this.range.show(state.selection);
    this.tools.show(state);
    const selectionChanged = selectionKey(state) !== this.shownSelection;
    const pageChanged = pageKey(state) !== this.shownPage;
    if (selectionChanged) this.bounds = boundsOf(state.selection);
    this.showTab(state);
    if (pageChanged) void this.loadPage();
    if (selectionChanged) void this.loadOverview();
    if (state.tab === 'statistics' && (selectionChanged || before?.tab !== 'statistics')) void this.loadTop();
    const opens = before !== null && before.event === '' && state.event !== '';
    void this.detail.show(state.event, { focus: opens && this.focusDetail });
    this.table.setOpened(state.event);
  }

  /** @param {State} state */
  showTab(state) {
    const statistics = state.tab === 'statistics';
    this.places.events.hidden = statistics;
    this.statistics.element.hidden = !statistics;
  }

  /** The page of rows. */
  async loadPage() {
    const state = /** @type {State} */ (this.state);
    const key = pageKey(state);
    const rows = rowsKey(state);
    const keepPlace = this.shownRows === rows;
    const done = this.working();
    const signal = this.listRequests.start();
    this.shownPage = key;
    this.shownRows = rows;
    this.rowsAreOld = true;
    try {
      const { events, cut } = await loadPage(state, this.bounds, signal);
      clearFailure('list');
      this.rowsAreOld = false;
      this.table.show({
        events,
        columns: state.columns,
        sort: state.sort,
        offset: (state.page - 1) * state.size,
        total: this.total,
        keepPlace,
      });
      this.table.setOpened(this.state?.event ?? '');
      this.places.note.hidden = !cut;
      this.places.note.textContent = cut
        ? `These events are long: the page ends after ${events.length} rows. Choose fewer columns or rows to see all of it.`
        : '';
      this.showPager();
    } catch (error) {
      if (this.shownPage === key)
        this.fail(error, 'list', () => {
          this.shownPage = '';
        });
    } finally {
      done();
    }
  }

  /** Total, counts by severity, histogram. */
  async loadOverview() {
    const state = /** @type {State} */ (this.state);
    const key = selectionKey(state);
    const done = this.working();
    const signal = this.overviewRequests.start();
    const asked = performance.now();
    this.shownSelection = key;
    this.totalIsOld = true;
    try {
      const { stats, fromMs, toMs, stepMs } = await loadOverview(
        state,
        this.bounds,
        this.histogram.bucketsMax(),
        signal,
      );
      clearFailure('overview');
      this.total = stats.total;
      this.totalIsOld = false;
      this.summary.show({ total: stats.total, ms: Math.round(performance.now() - asked), by: stats.by.severity ?? {} });
      this.drawn = { fromMs, toMs };
      this.histogram.show({ buckets: stats.histogram ?? [], fromMs, toMs, stepMs });
      this.table.setTotal(stats.total);
      this.showPager();
    } catch (error) {
      if (this.shownSelection === key)
        this.fail(error, 'overview', () => {
          this.shownSelection = '';
        });
    } finally {
      done();
    }
  }

  async loadTop() {
    const state = /** @type {State} */ (this.state);
    const done = this.working();
    try {
      const stats = await loadTop(
        state,
        this.bounds,
        this.statistics.fields(),
        this.statistics.limit(),
        this.topRequests.start(),
      );
      clearFailure('top');
      this.statistics.show(stats);
    } catch (error) {
      this.fail(error, 'top', () => {});
    } finally {
      done();
    }
  }

  /** @param {unknown} error @param {string} source @param {() => void} forget makes the next `show` ask again */
  fail(error, source, forget) {
    if (isAbort(error)) return;
    forget();
    if (error instanceof ApiError) {
      if (error.kind !== 'unauthorized') showFailure(error, () => this.refresh(), source);
    } else throw error;
  }

  /** Shows the progress line if it takes long; the answer ends that. */
  working() {
    this.busy += 1;
    const timer = setTimeout(() => {
      this.places.progress.hidden = false;
    }, SLOW_MS);
    return () => {
      clearTimeout(timer);
      this.busy -= 1;
      if (this.busy === 0) this.places.progress.hidden = true;
    };
  }

  showPager() {
    const state = /** @type {State} */ (this.state);
    const rows = this.table.events.length;
    // No row on the first page: there is none, whatever the statistics are still counting.
    const nothing = rows === 0 && !this.rowsAreOld;
    const total = nothing && state.page === 1 ? 0 : this.total;
    this.pager.show({ page: state.page, size: state.size, total, rows });
    if (this.rowsAreOld) return;
    const none = nothing && total !== null && (state.page === 1 || !this.totalIsOld);
    this.places.none.hidden = !none;
    this.table.element.hidden = none;
    if (none) {
      fill(
        this.places.none,
        emptyState(state, total, {
          onClear: () => this.select({ filters: [], q: '', acknowledged: '' }),
          onAllTime: () => this.select({ range: '', from: '', to: '' }),
          onFirstPage: () => this.change({ page: 1 }),
        }),
      );
    }
  }

  /** Asks everything again, and what a preset means now. */
  refresh() {
    const state = this.state;
    if (!state) return;
    this.bounds = boundsOf(state.selection);
    forgetExtent();
    void this.loadPage();
    void this.loadOverview();
    if (state.tab === 'statistics') void this.loadTop();
  }

  /** Times are shown in another zone. */
  redraw() {
    if (!this.state) return;
    this.range.show(this.state.selection);
    this.table.redraw();
    this.histogram.draw(true);
    this.detail.draw();
    if (this.state.tab === 'statistics') void this.loadTop();
  }

  /** Goes to a changed state. @param {Partial<State>} change @param {{replace?: boolean}} [how] */
  change(change, how) {
    if (this.state) go('search', writeState({ ...this.state, ...change }), how);
  }

  /** Another selection begins on its first page. @param {Partial<Selection>} change @param {{replace?: boolean}} [how] */
  select(change, how) {
    this.change({ selection: { ...emptySelection(), ...this.state?.selection, ...change }, page: 1 }, how);
  }

  /** @param {string} field @param {string} value @param {'is' | 'not'} op */
  filterBy(field, value, op) {
    const filters = this.state?.selection.filters ?? [];
    this.select({ filters: op === 'is' ? onlyValue(filters, field, value) : withValue(filters, field, op, value) });
  }

  /** Everything of the minutes around a time; the event that led here stays open. @param {number} ms */
  showAround(ms) {
    const at = (/** @type {number} */ by) => new Date(Math.max(0, ms + by)).toISOString();
    this.change({ selection: { ...emptySelection(), from: at(-AROUND_MS), to: at(AROUND_MS) }, page: 1 });
  }

  /** Twice the time around the same middle; all time once that is as much. */
  zoomOut() {
    const { fromMs, toMs } = this.drawn;
    const half = (toMs - fromMs) / 2;
    const at = (/** @type {number} */ ms) => new Date(Math.max(0, ms)).toISOString();
    this.select(
      coversExtent(fromMs - half, toMs + half)
        ? { range: '', from: '', to: '' }
        : { range: '', from: at(fromMs - half), to: at(toMs + half) },
    );
  }

  /** @param {number} index @param {boolean} replace while rows are walked through, the detail follows without steps for the back button */
  openRow(index, replace) {
    const event = this.table.events[index];
    if (event) this.change({ event: String(event.sequence) }, { replace });
  }

  closeDetail() {
    if (!this.state?.event) return;
    this.change({ event: '' });
    this.table.element.focus({ preventScroll: true });
  }

  /** @param {number} size */
  resize(size) {
    const state = /** @type {State} */ (this.state);
    // The first row stays on the page.
    const page = Math.floor(((state.page - 1) * state.size) / size) + 1;
    setPref('size', size);
    this.change({ size, page });
    if (this.state?.size !== size) this.show(writeState({ ...state, size, page }));
  }

  /** @param {HTMLElement} anchor */
  chooseColumns(anchor) {
    openColumns(anchor, this.state?.columns ?? [], (columns) => {
      setPref('columns', columns);
      const next = { .../** @type {State} */ (this.state), columns };
      go('search', writeState(next), { replace: true });
      // Columns that were kept leave the address as it is.
      if (this.state?.columns.join() !== columns.join()) this.show(writeState(next, { whole: true }));
    });
  }

  /** A link that shows others the same, whatever columns they like. @param {Partial<State>} [change] */
  linkTo(change = {}) {
    return linkTo('search', writeState({ .../** @type {State} */ (this.state), ...change }, { whole: true }));
  }
}
