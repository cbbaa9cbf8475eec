// @ts-check
// The list of the live view: the search's table, which can take new rows above the others without moving what is looked at.
import { h } from '../../core/h.js';
import { labelOf } from '../../parts/filter-model.js';
import { EventTable } from '../search/table.js';

/** @typedef {import('./held.js').Event} Event */

export class LiveTable extends EventTable {
  /**
   * The head names the columns; the order is the one in which events come.
   * @override
   * @param {string} column
   * @param {number} index
   */
  headCell(column, index) {
    return h('div', { class: 'table-cell', role: 'columnheader', 'aria-colindex': index + 1 }, labelOf(column));
  }

  /** All rows at once. @param {Event[]} events @param {string[]} columns */
  showAll(events, columns) {
    this.show({ events, columns, sort: '-created_at', offset: 0, total: events.length, keepPlace: true });
  }

  /** Rows as they are now, of which the first `added` are new. The rows that stay keep their elements. @param {Event[]} events @param {number} added */
  prepend(events, added) {
    this.events = events;
    this.setTotal(events.length);
    const rows = [...this.rows];
    this.rows.clear();
    for (const [index, row] of rows) {
      const at = index + added;
      if (at >= events.length) {
        row.remove();
        continue;
      }
      this.place(row, at);
      this.rows.set(at, row);
    }
    if (this.active >= 0) this.setActiveIndex(this.active + added < events.length ? this.active + added : -1);
    this.body.style.height = `${events.length * this.rowHeight}px`;
    this.draw();
    for (const [index, row] of this.rows) row.classList.toggle('row-new', index < added);
  }

  /** @param {HTMLElement} row @param {number} index */
  place(row, index) {
    row.id = `row-${index}`;
    row.dataset.index = String(index);
    row.setAttribute('aria-rowindex', String(this.offset + index + 2));
    row.style.transform = `translateY(${index * this.rowHeight}px)`;
  }

  /** Rows of which some are gone. @param {Event[]} events */
  replaceAll(events) {
    const active = this.activeEvent()?.sequence;
    this.events = events;
    this.setTotal(events.length);
    this.setActiveIndex(active === undefined ? -1 : events.findIndex((event) => event.sequence === active));
    this.body.style.height = `${events.length * this.rowHeight}px`;
    this.redraw();
  }

  /**
   * Draws one row anew. The event is the one of the list, which has changed: no copy, or the two would part.
   * @override
   * @param {import('../search/data.js').Event} event
   */
  update(event) {
    const index = this.events.findIndex((shown) => shown.sequence === event.sequence);
    const old = this.rows.get(index);
    if (old) old.replaceWith(this.makeRow(index));
  }

  /** @override @param {number} index */
  makeRow(index) {
    const row = super.makeRow(index);
    if (this.events[index]?.gone) {
      row.dataset.gone = 'true';
      row.append(h('span', { class: 'visually-hidden' }, 'deleted'));
    }
    return row;
  }

  /** Whether the first row is out of sight. */
  isScrolledDown() {
    if (this.events.length === 0 || !this.element.isConnected) return false;
    const main = document.getElementById('main')?.getBoundingClientRect().top ?? 0;
    const head = this.element.dataset.narrow === 'true' ? 0 : this.head.getBoundingClientRect().height;
    const top = Math.max(main, this.element.getBoundingClientRect().top + head);
    return this.body.getBoundingClientRect().top < top - 2;
  }

  /** Brings the first row into sight. */
  toTop() {
    if (this.events.length > 0) this.reveal(0);
  }
}
