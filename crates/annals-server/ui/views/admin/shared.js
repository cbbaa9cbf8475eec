// @ts-check
// What the sections of the administration have in common: heads, tables, fields, and how a failure is told.
import { ApiError, isAbort } from '../../core/api.js';
import { fill, h } from '../../core/h.js';
import { icon } from '../../core/icons.js';
import { detail, headline, showFailure } from '../../core/notices.js';

/** @typedef {import('../../core/h.js').Children} Children */

/** @param {string} title @param {Children} says what the section is for @param {Children} [actions] */
export function sectionHead(title, says, actions) {
  return h(
    'header',
    { class: 'admin-head' },
    h('div', { class: 'admin-title' }, h('h2', null, title), h('p', { class: 'quiet' }, says)),
    actions ? h('div', { class: 'admin-actions' }, actions) : null,
  );
}

/**
 * @param {string} name
 * @param {string} image
 * @param {() => unknown} run
 * @param {{kind?: string, label?: string, small?: boolean}} [more]
 */
export function button(name, image, run, more = {}) {
  return h(
    'button',
    {
      type: 'button',
      class: ['button', more.small && 'button-small', more.kind && `button-${more.kind}`],
      'aria-label': more.label ?? null,
      on: { click: () => void run() },
    },
    image ? icon(image) : null,
    name,
  );
}

/**
 * A table; on narrow screens each row is a card whose cells say what they are.
 * @template T
 * @param {{label: string, columns: {title: string, cell(row: T, index: number): Children, number?: boolean, narrow?: 'wide' | 'bare'}[], rows: T[], rowProps?: (row: T) => Record<string, unknown>}} options
 */
export function dataTable(options) {
  return h(
    'div',
    { class: 'data-wrap', tabindex: 0, role: 'group', 'aria-label': options.label },
    h(
      'table',
      { class: 'data' },
      h('caption', { class: 'visually-hidden' }, options.label),
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          options.columns.map((column) =>
            h(
              'th',
              { scope: 'col', class: column.number ? 'number' : column.narrow === 'bare' ? 'bare' : null },
              column.title,
            ),
          ),
        ),
      ),
      h(
        'tbody',
        null,
        options.rows.map((row, index) =>
          h(
            'tr',
            options.rowProps?.(row) ?? null,
            options.columns.map((column) =>
              h(
                'td',
                {
                  class: [column.number && 'number', column.narrow && `narrow-${column.narrow}`],
                  dataset: { title: column.title },
                },
                h('div', { class: 'cell' }, column.cell(row, index)),
              ),
            ),
          ),
        ),
      ),
    ),
  );
}

/** @param {string} title @param {Children} says @param {Children} [actions] */
export function emptyCard(title, says, actions) {
  return h(
    'div',
    { class: 'empty card' },
    h('h3', null, title),
    h('p', null, says),
    actions ? h('div', { class: 'empty-actions' }, actions) : null,
  );
}

let made = 0;

/** A control with its label, and what helps to fill it in. @param {string} label @param {HTMLElement} control @param {Children} [help] */
export function field(label, control, help) {
  made += 1;
  control.id ||= `field-${made}`;
  const helpId = help ? `${control.id}-help` : null;
  if (helpId) control.setAttribute('aria-describedby', helpId);
  return h(
    'div',
    { class: 'field' },
    h('label', { for: control.id }, label),
    control,
    help ? h('p', { class: 'field-help quiet', id: helpId }, help) : null,
  );
}

/** @param {Record<string, unknown>} [props] */
export function textInput(props) {
  return h('input', {
    class: 'input',
    type: 'text',
    autocomplete: 'off',
    spellcheck: 'false',
    autocapitalize: 'off',
    ...props,
  });
}

/** The entries of a field that takes several, one a line or with commas between. @param {string} text */
export function entriesOf(text) {
  return [
    ...new Set(
      text
        .split(/[\n,]/)
        .map((entry) => entry.trim())
        .filter((entry) => entry !== ''),
    ),
  ];
}

/**
 * Draws, and if that took away what had the focus, gives it to `to`: a keyboard has to be somewhere.
 * @param {HTMLElement} to
 * @param {() => void} draw
 */
export function keepFocus(to, draw) {
  const before = document.activeElement;
  draw();
  if (before && before !== document.body && !before.isConnected && document.querySelector('dialog[open]') === null)
    to.focus({ preventScroll: true });
}

/** Why something was not done, in words. @param {unknown} error */
export function failureText(error) {
  return error instanceof ApiError ? `${headline(error)} ${detail(error)}` : 'Something went wrong.';
}

/** A place for the reason why a form was not taken. */
export function problem() {
  const element = h('p', { class: 'error-text problem', role: 'alert' });
  return {
    element,
    /** @param {string} text */
    show: (text) => fill(element, text),
    clear: () => fill(element),
  };
}

/**
 * Runs what loads a section. What stands in the way is shown below the header, with a button that tries again.
 * @param {() => Promise<void>} load
 * @param {() => void} retry
 */
export async function loading(load, retry) {
  try {
    await load();
  } catch (error) {
    if (isAbort(error)) return;
    if (!(error instanceof ApiError)) throw error;
    if (error.kind !== 'unauthorized') showFailure(error, retry);
  }
}
