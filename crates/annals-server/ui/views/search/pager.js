// @ts-check
// Pages: any of them, also the ten-thousandth, by its number.
import { h, setProps } from '../../core/h.js';
import { icon } from '../../core/icons.js';
import { count } from '../../core/text.js';
import { SIZES } from './state.js';

/** @param {{onPage(page: number): void, onSize(size: number): void}} options */
export function pager(options) {
  let page = 1;
  let pages = 1;
  const goTo = (/** @type {number} */ to) => {
    const bounded = Math.max(1, Math.min(pages, to));
    if (bounded !== page) options.onPage(bounded);
    else input.value = String(page);
  };
  const button = (/** @type {string} */ name, /** @type {string} */ image, /** @type {() => number} */ to) =>
    h(
      'button',
      {
        type: 'button',
        class: 'icon-button',
        'aria-label': name,
        title: name,
        on: { click: () => goTo(to()) },
      },
      icon(image),
    );
  const first = button('First page', 'first', () => 1);
  const previous = button('Previous page', 'left', () => page - 1);
  const next = button('Next page', 'right', () => page + 1);
  const last = button('Last page', 'last', () => pages);
  const input = h('input', {
    class: 'input page-input',
    type: 'text',
    inputmode: 'numeric',
    'aria-label': 'Page',
    autocomplete: 'off',
    on: {
      change: () => goTo(Number.parseInt(input.value.replace(/\D/g, ''), 10) || page),
      focus: () => input.select(),
    },
  });
  const of = h('span', { class: 'page-of' });
  const shown = h('span', { class: 'page-shown quiet' });
  const size = h(
    'select',
    { class: 'select', 'aria-label': 'Rows per page', on: { change: () => options.onSize(Number(size.value)) } },
    SIZES.map((rows) => h('option', { value: rows }, `${count(rows)} rows`)),
  );
  const element = h(
    'nav',
    { class: 'pager', 'aria-label': 'Pages' },
    shown,
    h('div', { class: 'pager-pages' }, first, previous, h('span', { class: 'quiet' }, 'Page'), input, of, next, last),
    size,
  );
  return {
    element,
    input,
    /** @param {number} by */
    step(by) {
      goTo(page + by);
    },
    /** @param {{page: number, size: number, total: number | null, rows: number}} now */
    show(now) {
      // A number that somebody is typing stays.
      const typed = document.activeElement === input && input.value !== String(page);
      page = now.page;
      pages = now.total === null ? Math.max(now.page, pages) : Math.max(1, Math.ceil(now.total / now.size));
      if (!typed) input.value = String(page);
      input.style.width = `${Math.max(3, String(pages).length) + 2.5}ch`;
      of.textContent = `of ${now.total === null ? '\u2026' : count(pages)}`;
      size.value = String(now.size);
      const start = (page - 1) * now.size;
      shown.textContent = now.rows === 0 ? '' : `${count(start + 1)}\u2013${count(start + now.rows)}`;
      for (const control of [first, previous]) setProps(control, { disabled: page <= 1 });
      for (const control of [next, last]) setProps(control, { disabled: page >= pages });
    },
  };
}
