// @ts-check
// Pages: any of them, also the ten-thousandth, by its number.
import { h, setProps } from '../../core/h.js';
import { icon } from '../../core/icons.js';
import { count } from '../../core/text.js';
import { SIZES } from './state.js';

/** @typedef {{onPage(page: number): void, onSize(size: number): void}} PagerOptions */

export class Pager {
  /** @param {PagerOptions} options */
  constructor(options) {
    this.options = options;
    this.page = 1;
    this.pages = 1;
    this.first = this.button('First page', 'first', () => 1);
    this.previous = this.button('Previous page', 'left', () => this.page - 1);
    this.next = this.button('Next page', 'right', () => this.page + 1);
    this.last = this.button('Last page', 'last', () => this.pages);
    this.input = this.pageInput();
    this.of = h('span', { class: 'page-of' });
    this.shown = h('span', { class: 'page-shown quiet' });
    const change = () => options.onSize(Number(this.size.value));
    const sizes = SIZES.map((rows) => h('option', { value: rows }, `${count(rows)} rows`));
    this.size = h('select', { class: 'select', 'aria-label': 'Rows per page', on: { change } }, sizes);
    const word = h('span', { class: 'quiet' }, 'Page');
    const pages = [this.first, this.previous, word, this.input, this.of, this.next, this.last];
    this.element = h(
      'nav',
      { class: 'pager', 'aria-label': 'Pages' },
      this.shown,
      h('div', { class: 'pager-pages' }, pages),
      this.size,
    );
  }

  /** @param {string} name @param {string} image @param {() => number} to */
  button(name, image, to) {
    const click = () => this.goTo(to());
    const props = { type: 'button', class: 'icon-button', 'aria-label': name, title: name };
    return h('button', { ...props, on: { click } }, icon(image));
  }

  pageInput() {
    const change = () => this.goTo(Number.parseInt(this.input.value.replace(/\D/g, ''), 10) || this.page);
    const focus = () => this.input.select();
    const props = { type: 'text', inputmode: 'numeric', 'aria-label': 'Page', autocomplete: 'off' };
    /** @type {HTMLInputElement} */
    const input = h('input', { class: 'input page-input', ...props, on: { change, focus } });
    return input;
  }

  /** @param {number} to */
  goTo(to) {
    const bounded = Math.max(1, Math.min(this.pages, to));
    if (bounded !== this.page) this.options.onPage(bounded);
    else this.input.value = String(this.page);
  }

  /** @param {number} by */
  step(by) {
    this.goTo(this.page + by);
  }

  /** @param {{page: number, size: number, total: number | null, rows: number}} now */
  show(now) {
    // A number that somebody is typing stays.
    const typed = document.activeElement === this.input && this.input.value !== String(this.page);
    this.page = now.page;
    this.pages = now.total === null ? Math.max(now.page, this.pages) : Math.max(1, Math.ceil(now.total / now.size));
    if (!typed) this.input.value = String(this.page);
    this.input.style.width = `${Math.max(3, String(this.pages).length) + 2.5}ch`;
    this.of.textContent = `of ${now.total === null ? '\u2026' : count(this.pages)}`;
    this.size.value = String(now.size);
    const start = (this.page - 1) * now.size;
    this.shown.textContent = now.rows === 0 ? '' : `${count(start + 1)}\u2013${count(start + now.rows)}`;
    for (const control of [this.first, this.previous]) setProps(control, { disabled: this.page <= 1 });
    for (const control of [this.next, this.last]) setProps(control, { disabled: this.page >= this.pages });
  }
}
