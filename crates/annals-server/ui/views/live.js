// @ts-check
// The live tail: events as they are stored, with the filters of the search. The address has the filters; the tail brings the
// events; the list says when they become rows.
import { go, linkTo, hashOf } from '../core/address.js';
import { ApiError, get, isAbort, latest } from '../core/api.js';
import { registerKeys } from '../core/keys.js';
import { clearFailure, showFailure } from '../core/notices.js';
import { setPref } from '../core/prefs.js';
import { count, countOf } from '../core/text.js';
import { onZone } from '../core/time.js';
import { emptySelection, onlyValue, withValue } from '../parts/filter-model.js';
import { closePopover } from '../parts/popover.js';
import { liveKeys } from './live/keys.js';
import { LiveList } from './live/list.js';
import { makeParts } from './live/parts.js';
import { loadMarks, loadRecent, rowOf, tailParams } from './live/recent.js';
import { Tail } from './live/tail.js';
import { watchLag } from './live/lag.js';
import { openColumns } from './search/columns.js';
import { readState, writeState } from './search/state.js';

/** @typedef {import('./search/state.js').State} State */
/** @typedef {import('../parts/filter-model.js').Selection} Selection */
/** @typedef {import('./live/held.js').Event} Event */

/** A tab in the background keeps its connection so long. */
const AWAY_AFTER_MS = 60_000;
/** What "around" an event is. */
const AROUND_MS = 5 * 60_000;

/** @returns {import('../core/views.js').View} */
export function mount() {
  const view = new Live();
  return { element: view.element, show: (params) => view.show(params), leave: () => view.leave() };
}

export class Live {
  constructor() {
    /** @type {State | null} */
    this.state = null;
    this.focusDetail = false;
    this.following = '';
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
    this.list = new LiveList({
      ...parts,
      columns: () => this.state?.columns ?? [],
      opened: () => this.state?.event ?? '',
    });
    this.tail = new Tail({
      awayAfterMs: AWAY_AFTER_MS,
      query: () => (this.state ? tailParams(this.state) : []),
      onEvent: (_sequence, data) => this.take(rowOf(JSON.parse(data))),
      onMessage: (name, data) => this.onMessage(name, data),
      onOpen: (resumed) => {
        if (!resumed) void this.loadRecent();
      },
      onState: (state) => this.onState(state),
    });
    this.lag = watchLag({
      state: () => (this.tail.state.name === 'live' ? this.state : null),
      position: () => Number(this.tail.position),
      onBehind: (by) => this.behind(by),
      onCaughtUp: () => this.notes.remove('behind'),
    });
    this.stopKeys = registerKeys('Live', liveKeys(this));
    this.stopZone = onZone(() => {
      this.table.redraw();
      this.detail.draw();
    });
  }

  leave() {
    closePopover();
    this.stopKeys();
    this.stopZone();
    this.requests.stop();
    this.markRequests.stop();
    for (const part of [this.tail, this.lag, this.list, this.status, this.table, this.detail]) part.stop();
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
    void this.detail.show(state.event, {
      focus: before !== null && before.event === '' && state.event !== '' && this.focusDetail,
    });
    this.element.dataset.detail = String(state.event !== '');
    this.table.setOpened(state.event);
  }

  /** Begins anew: other filters, or other members of the events. */
  restart() {
    this.controls.progress.hidden = false;
    this.list.clear();
    this.status.restart();
    this.tail.start();
  }

  /** Events from before the tail began. The tail is there first, so that none falls in between. */
  async loadRecent() {
    const state = /** @type {State} */ (this.state);
    try {
      const events = await loadRecent(state, this.requests.start());
      clearFailure();
      this.list.takeEarlier(events);
    } catch (error) {
      this.fail(error, () => void this.loadRecent());
    } finally {
      this.controls.progress.hidden = true;
      this.list.showNone();
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
    if (this.list.take(event)) this.status.received();
  }

  /** @param {import('./live/tail.js').TailState} state */
  onState(state) {
    this.status.showState(state);
    if (state.error) this.controls.progress.hidden = true;
  }

  /** @param {string} name @param {any} data */
  onMessage(name, data) {
    if (name === 'mark') this.marked(data);
    else if (name === 'delete') this.deleted(Number(data.sequence));
    else if (name === 'reset') void this.loadMarks();
    else if (name === 'gap') {
      const many = Math.max(0, Number(data.first) - Number(data.from));
      this.notes.add(
        'gap',
        `Gap: ${countOf(many, 'event')} with the sequences ${count(Number(data.from))} to ${count(Number(data.first) - 1)} were deleted before they could be shown. Whether they match the filters nobody can tell.`,
      );
    }
  }

  /** @param {{sequence: number, acknowledged?: boolean, amended?: boolean}} mark */
  marked(mark) {
    const sequence = Number(mark.sequence);
    if (typeof mark.acknowledged === 'boolean') this.list.change({ sequence, acknowledged: mark.acknowledged });
    else if (this.list.held.bySequence.has(sequence)) void this.reload(sequence);
    if (String(sequence) === this.state?.event && this.detail.event?.acknowledged !== mark.acknowledged)
      void this.detail.show(this.state.event, { anew: true });
  }

  /** An event that was changed in more than its mark. @param {number} sequence */
  async reload(sequence) {
    try {
      this.list.change(rowOf(await get(`events/${sequence}`)));
    } catch {
      // It is gone by now: the tail says so next.
    }
  }

  /** @param {number} sequence */
  deleted(sequence) {
    this.list.remove(sequence);
    if (String(sequence) === this.state?.event) void this.detail.show(this.state.event, { anew: true });
  }

  /** After a time without the tail: what was acknowledged or deleted in between. */
  async loadMarks() {
    const state = /** @type {State} */ (this.state);
    const position = Number(this.tail.position);
    const { held } = this.list;
    try {
      const { marks, since } = await loadMarks(state, held.bySequence.size, this.markRequests.start());
      for (const [sequence, event] of held.bySequence) {
        const mark = marks.get(sequence);
        if (mark) event.acknowledged = mark.acknowledged;
        else if (sequence <= position && event.created_at > since) held.remove(sequence);
      }
      this.table.redraw();
      this.list.soon();
    } catch (error) {
      this.fail(error, () => void this.loadMarks());
    }
  }

  /** @param {number} by */
  behind(by) {
    this.notes.add(
      'behind',
      `The list has fallen behind what is stored, by ${countOf(by, 'event')} of all kinds or more. It goes on in order; more filters make it faster.`,
      { says: 'Skip to now', run: () => this.skip() },
    );
  }

  /** Leaves out what was not read yet. */
  skip() {
    const from = Number(this.tail.position) + 1;
    this.restart();
    this.notes.add('skipped', `Skipped: events from sequence ${count(from)} on, up to the earliest one below.`, {
      says: 'Open in search',
      run: () => this.controls.inSearch.click(),
    });
  }

  escape() {
    if (this.state?.event) this.closeDetail();
    else if (this.table.active >= 0) {
      this.table.setActiveIndex(-1);
      this.list.flush();
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
  return {
    ...state,
    selection: { ...state.selection, range: '', from: '', to: '' },
    page: 1,
    sort: '-created_at',
    tab: 'events',
  };
}
