// @ts-check
// The table of events. Only the rows in sight exist, so that 10,000 scroll like 100: each is placed by its index, and what
// scrolls past is taken away. The focus stays on the grid, which names its current row (aria-activedescendant), since a row
// that scrolls away could not keep it.
import { fill, h } from '../../core/h.js';
import { icon } from '../../core/icons.js';
import { labelOf } from '../../parts/filter-model.js';
import { cellContent, isWide, minWidth, template } from './columns.js';

/** @typedef {import('./data.js').Event} Event */
/** @typedef {import('./state.js').Sort} Sort */
/** @typedef {{onOpen(index: number): void, onActive(index: number): void, onSort(sort: Sort): void}} TableOptions */

/** Rows drawn above and below what is in sight, so that a turn of the wheel shows no gap. */
const OVERSCAN = 8;
const NARROW = matchMedia('(max-width: 720px)');

export class EventTable {
  /** @param {TableOptions} options */
  constructor(options) {
    this.options = options;
    /** @type {Event[]} */
    this.events = [];
    /** @type {string[]} */
    this.columns = [];
    this.active = -1;
    this.opened = '';
    /** Index of the first row among all events. */
    this.offset = 0;
    /** @type {Map<number, HTMLElement>} */
    this.rows = new Map();
    this.rowHeight = 30;
    this.drawing = 0;
    /** What the head and the sizes were made for: they stay while that stays. */
    this.headFor = '';
    this.sizedFor = '';
    this.head = h('div', { class: 'table-head', role: 'rowgroup' });
    this.body = h('div', { class: 'table-body', role: 'rowgroup' });
    this.element = h(
      'div',
      { class: 'table', role: 'grid', tabindex: 0, 'aria-label': 'Events', 'aria-readonly': 'true' },
      this.head,
      this.body,
    );
    this.body.addEventListener('click', (event) => this.onClick(event));
    // Which element scrolls depends on the width; scroll events do not bubble, but they can be caught on their way down.
    this.schedule = () => {
      this.drawing ||= requestAnimationFrame(() => {
        this.drawing = 0;
        this.draw();
      });
    };
    document.addEventListener('scroll', this.schedule, { capture: true, passive: true });
    this.sizes = new ResizeObserver(this.schedule);
    this.sizes.observe(this.element);
    this.onNarrow = () => this.layout();
    NARROW.addEventListener('change', this.onNarrow);
  }

  stop() {
    document.removeEventListener('scroll', this.schedule, { capture: true });
    NARROW.removeEventListener('change', this.onNarrow);
    this.sizes.disconnect();
    cancelAnimationFrame(this.drawing);
  }

  /**
   * @param {{events: Event[], columns: string[], sort: Sort, offset: number, total: number | null, keepPlace: boolean}} page
   */
  show(page) {
    // Read first and write then: what is read after a change makes the browser lay out the page at once.
    const sight = this.sight();
    this.events = page.events;
    this.columns = page.columns;
    this.offset = page.offset;
    this.drawHead(page.sort);
    this.setTotal(page.total);
    if (!page.keepPlace) {
      this.setActiveIndex(-1);
      if (sight.scrollTop > 0) this.element.scrollTop = 0;
      sight.top += sight.scrollTop;
    } else if (this.active >= page.events.length) this.setActiveIndex(-1);
    this.size();
    this.rows.clear();
    fill(this.body);
    this.draw(sight);
  }

  /** @param {number | null} total */
  setTotal(total) {
    // One row is the head; -1 says that the number is not known yet.
    this.element.setAttribute('aria-rowcount', String(total === null ? -1 : total + 1));
    this.element.setAttribute('aria-colcount', String(this.columns.length));
  }

  /** Sizes and rows anew, as after a change of the width. */
  layout() {
    this.size();
    this.redraw();
  }

  /** Sizes that the columns, the width and the number of rows decide. */
  size() {
    const narrow = NARROW.matches;
    const sizedFor = `${narrow} ${this.columns.join()}`;
    if (sizedFor !== this.sizedFor) {
      this.sizedFor = sizedFor;
      const wide = this.columns.filter(isWide).length;
      const lines = Math.ceil((this.columns.length - wide) / 2) + wide;
      const single = Number.parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--row')) || 30;
      this.rowHeight = narrow ? 14 + lines * 21 : single;
      this.element.dataset.narrow = String(narrow);
      this.element.style.setProperty('--columns', narrow ? 'minmax(0, 1fr) minmax(0, 1fr)' : template(this.columns));
      this.element.style.setProperty('--min-width', narrow ? '0px' : minWidth(this.columns));
      this.element.style.setProperty('--row-height', `${this.rowHeight}px`);
    }
    this.body.style.height = `${this.events.length * this.rowHeight}px`;
  }

  /** Draws all rows anew, as after a change of the zone. */
  redraw() {
    this.rows.clear();
    fill(this.body);
    this.draw();
  }

  /** @param {Sort} sort */
  drawHead(sort) {
    const headFor = `${sort} ${this.columns.join()}`;
    if (headFor === this.headFor) return;
    this.headFor = headFor;
    fill(
      this.head,
      h(
        'div',
        { class: 'table-row', role: 'row', 'aria-rowindex': 1 },
        this.columns.map((column, index) => this.headCell(column, index, sort)),
      ),
    );
  }

  /** @param {string} column @param {number} index @param {Sort} sort */
  headCell(column, index, sort) {
    const props = { class: 'table-cell', role: 'columnheader', 'aria-colindex': index + 1 };
    if (column !== 'created_at' && column !== 'event_type') return h('div', props, labelOf(column));
    const direction = sort === column ? 'ascending' : sort === `-${column}` ? 'descending' : 'none';
    // The first click sorts as people expect it: latest first, names from A.
    const next = /** @type {Sort} */ (
      direction === 'none'
        ? column === 'created_at'
          ? '-created_at'
          : column
        : direction === 'descending'
          ? column
          : `-${column}`
    );
    return h(
      'div',
      { ...props, 'aria-sort': direction },
      h(
        'button',
        {
          type: 'button',
          class: 'sort-button',
          'aria-label': `Sort by ${labelOf(column)}`,
          on: { click: () => this.options.onSort(next) },
        },
        labelOf(column),
        direction === 'none' ? null : icon(direction === 'ascending' ? 'up' : 'down'),
      ),
    );
  }

  /** Where the rows begin, what of them the window shows, and how far the table itself is scrolled. */
  sight() {
    const box = this.element.getBoundingClientRect();
    return {
      top: this.body.getBoundingClientRect().top,
      sightTop: Math.max(0, box.top),
      sightBottom: Math.min(innerHeight, box.bottom),
      scrollTop: this.element.scrollTop,
    };
  }

  /** Brings the rows in sight into being and lets the others go. @param {ReturnType<EventTable['sight']>} [sight] */
  draw(sight = this.sight()) {
    if (!this.element.isConnected) return;
    const { top, sightTop, sightBottom } = sight;
    const first = Math.max(0, Math.floor((sightTop - top) / this.rowHeight) - OVERSCAN);
    const end = Math.min(this.events.length, Math.ceil((sightBottom - top) / this.rowHeight) + OVERSCAN);
    for (const [index, row] of this.rows) {
      // The current row stays: the grid names it, also while it is out of sight.
      if ((index >= first && index < end) || index === this.active) continue;
      row.remove();
      this.rows.delete(index);
    }
    const fragment = document.createDocumentFragment();
    for (let index = first; index < end; index += 1) {
      if (!this.rows.has(index)) fragment.append(this.makeRow(index));
    }
    if (this.active >= 0 && this.active < this.events.length && !this.rows.has(this.active))
      fragment.append(this.makeRow(this.active));
    if (fragment.firstChild) this.body.append(fragment);
  }

  /** @param {number} index */
  makeRow(index) {
    const event = /** @type {Event} */ (this.events[index]);
    const row = h(
      'div',
      {
        class: 'table-row',
        role: 'row',
        id: `row-${index}`,
        'aria-rowindex': this.offset + index + 2,
        'aria-selected': String(index === this.active),
        dataset: {
          index,
          severity: String(event.severity ?? ''),
          acknowledged: String(event.acknowledged === true),
          opened: String(String(event.sequence) === this.opened),
        },
      },
      this.columns.map((column, at) =>
        h(
          'div',
          {
            class: ['table-cell', 'foreign', isWide(column) && 'table-cell-wide'],
            role: 'gridcell',
            'aria-colindex': at + 1,
            dataset: { column },
          },
          cellContent(event, column),
        ),
      ),
    );
    row.style.transform = `translateY(${index * this.rowHeight}px)`;
    this.rows.set(index, row);
    return row;
  }

  /** Draws one row anew, as after acknowledging. @param {Event} event */
  update(event) {
    const index = this.events.findIndex((shown) => shown.sequence === event.sequence);
    if (index < 0) return;
    this.events[index] = { ...this.events[index], ...event };
    const old = this.rows.get(index);
    if (old) old.replaceWith(this.makeRow(index));
  }

  /** The event of the current row. */
  activeEvent() {
    return this.events[this.active];
  }

  /** @param {string} sequence of the event whose detail is open, or empty */
  setOpened(sequence) {
    this.opened = sequence;
    const index = sequence === '' ? -1 : this.events.findIndex((event) => String(event.sequence) === sequence);
    if (index >= 0) this.setActiveIndex(index);
    for (const [at, row] of this.rows) row.dataset.opened = String(at === index);
  }

  /** @param {number} index */
  setActiveIndex(index) {
    this.rows.get(this.active)?.setAttribute('aria-selected', 'false');
    this.active = index;
    if (index >= 0 && index < this.events.length && !this.rows.has(index)) this.body.append(this.makeRow(index));
    this.rows.get(index)?.setAttribute('aria-selected', 'true');
    if (index < 0) this.element.removeAttribute('aria-activedescendant');
    else this.element.setAttribute('aria-activedescendant', `row-${index}`);
  }

  /** Makes a row the current one and brings it into sight. @param {number} index */
  moveTo(index) {
    if (this.events.length === 0) return;
    const to = Math.max(0, Math.min(this.events.length - 1, index));
    this.setActiveIndex(to);
    this.reveal(to);
    this.element.focus({ preventScroll: true });
    this.options.onActive(to);
  }

  /** @param {number} by */
  moveBy(by) {
    this.moveTo(this.active < 0 ? (by > 0 ? 0 : this.events.length - 1) : this.active + by);
  }

  /** How many rows one screen has. */
  screenful() {
    const box = this.element.getBoundingClientRect();
    return Math.max(1, Math.floor((Math.min(innerHeight, box.bottom) - Math.max(0, box.top)) / this.rowHeight) - 2);
  }

  /** @param {number} index */
  reveal(index) {
    const scroller = scrollerOf(this.element);
    const sight = scroller.getBoundingClientRect();
    const top = this.body.getBoundingClientRect().top + index * this.rowHeight;
    const headHeight = this.head.getBoundingClientRect().height;
    if (top < sight.top + headHeight) scroller.scrollTop -= sight.top + headHeight - top;
    else if (top + this.rowHeight > sight.bottom) scroller.scrollTop += top + this.rowHeight - sight.bottom;
    this.draw();
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const row = /** @type {HTMLElement} */ (event.target).closest('[data-index]');
    if (!(row instanceof HTMLElement) || String(getSelection() ?? '') !== '') return;
    const index = Number(row.dataset.index);
    this.setActiveIndex(index);
    this.options.onOpen(index);
  }
}

/** The element that scrolls the rows: the table itself, or what is around it where the page scrolls as one. @param {HTMLElement} element */
function scrollerOf(element) {
  /** @type {HTMLElement | null} */
  let at = element;
  while (at && !(/(auto|scroll)/.test(getComputedStyle(at).overflowY) && at.scrollHeight > at.clientHeight + 1))
    at = at.parentElement;
  return at ?? document.documentElement;
}
