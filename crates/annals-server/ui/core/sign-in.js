// @ts-check
// Signing in with a key. Who it belongs to is asked before anything else is shown.
import { ApiError, call } from './api.js';
import { fill, h } from './h.js';
import { detail, headline } from './notices.js';
import { startSession } from './session.js';

/**
 * @param {string} key
 * @returns {Promise<import('./session.js').Me>}
 */
export function askWho(key) {
  return call('GET', 'me', { withKey: key });
}

/** @param {string} reason why the session ended, or nothing */
export function signInView(reason) {
  const message = h('p', { class: 'sign-in-message', role: 'alert' }, reason && `You were signed out: ${reason}.`);
  const input = h('input', { id: 'key', class: 'input', type: 'password', name: 'key', required: true, autocomplete: 'current-password', spellcheck: 'false', autocapitalize: 'off' });
  const remember = h('input', { id: 'remember', type: 'checkbox', checked: true });
  const button = h('button', { type: 'submit', class: 'button button-primary' }, 'Sign in');
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    button.disabled = true;
    fill(message);
    try {
      const key = input.value.trim();
      startSession(key, await askWho(key), remember.checked);
    } catch (error) {
      message.textContent = error instanceof ApiError ? sentence(error) : 'Something went wrong. Reload the page.';
      button.disabled = false;
      input.select();
    }
  };
  const form = h('form', { class: 'sign-in', on: { submit } },
    h('div', { class: 'sign-in-brand' }, h('span', { class: 'brand-mark', 'aria-hidden': 'true' }, h('i'), h('i'), h('i')), h('h1', null, 'Annals')),
    h('p', { class: 'quiet' }, 'Sign in with a key of this store. It stays in this tab and is sent to this server only.'),
    h('label', { for: 'key' }, 'Key'), input,
    h('div', { class: 'check' }, remember, h('label', { for: 'remember' }, 'Stay signed in until this tab is closed')),
    message, button);
  queueMicrotask(() => input.focus());
  return h('main', { class: 'sign-in-page' }, form);
}

/** @param {ApiError} error */
function sentence(error) {
  const wait = error.retryAfterS ? ` Try again in ${error.retryAfterS} s.` : '';
  return error.kind === 'unauthorized' ? 'This key is not known here, or it was revoked or has expired.' : `${headline(error)} ${detail(error)}${wait}`;
}
