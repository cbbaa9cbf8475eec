// @ts-check
// Dialogs: the browser's own <dialog>, which keeps the focus inside, closes with Esc and gives the focus back.
import { h } from './h.js';
import { icon } from './icons.js';

/** @typedef {import('./h.js').Children} Children */
/** @typedef {{close(): void, element: HTMLDialogElement}} Dialog */

let made = 0;

/**
 * Opens a dialog. `actions` are its buttons, `onClose` runs however it is closed.
 * @param {{title: string, body: Children, actions?: Children, wide?: boolean, onClose?: () => void, kind?: 'dialog' | 'alertdialog'}} options
 * @returns {Dialog}
 */
export function openDialog(options) {
  made += 1;
  const titleId = `dialog-title-${made}`;
  const body = h('div', { class: 'dialog-body' }, options.body);
  const element = h(
    'dialog',
    {
      class: ['dialog', options.wide && 'dialog-wide'],
      role: options.kind ?? 'dialog',
      'aria-labelledby': titleId,
    },
    h(
      'header',
      { class: 'dialog-head' },
      h('h2', { id: titleId }, options.title),
      h(
        'button',
        { type: 'button', class: 'icon-button', 'aria-label': 'Close', on: { click: () => element.close() } },
        icon('close'),
      ),
    ),
    body,
    options.actions ? h('footer', { class: 'dialog-foot' }, options.actions) : null,
  );
  element.addEventListener('close', () => {
    element.remove();
    options.onClose?.();
  });
  // A click on the backdrop is a click on the dialog itself, outside its box.
  element.addEventListener('mousedown', (event) => {
    if (event.target === element && !inside(element, event)) element.close();
  });
  document.body.append(element);
  element.showModal();
  // What scrolls can be scrolled with the keyboard.
  if (body.scrollHeight > body.clientHeight) body.tabIndex = 0;
  return { close: () => element.close(), element };
}

/** @param {HTMLElement} element @param {MouseEvent} event */
function inside(element, event) {
  const box = element.getBoundingClientRect();
  return (
    event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom
  );
}

/**
 * Asks before something that cannot be undone; the focus begins on the button that does nothing.
 * @param {{title: string, body: Children, confirm: string, cancel?: string, danger?: boolean}} options
 * @returns {Promise<boolean>}
 */
export function confirmDialog(options) {
  return new Promise((resolve) => {
    let answer = false;
    const cancel = h(
      'button',
      { type: 'button', class: 'button', on: { click: () => dialog.close() } },
      options.cancel ?? 'Cancel',
    );
    const confirm = h(
      'button',
      {
        type: 'button',
        class: ['button', options.danger ? 'button-danger' : 'button-primary'],
        on: {
          click: () => {
            answer = true;
            dialog.close();
          },
        },
      },
      options.confirm,
    );
    const dialog = openDialog({
      title: options.title,
      body: options.body,
      kind: 'alertdialog',
      actions: [cancel, confirm],
      onClose: () => resolve(answer),
    });
    cancel.focus();
  });
}
