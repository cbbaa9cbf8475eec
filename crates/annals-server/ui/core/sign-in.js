// @ts-check
// Signing in, with a key or as a user of the store. Who that is is asked before anything else is shown.
import { ApiError, call, tokenFor } from './api.js';
import { fill, h } from './h.js';
import { detail, headline } from './notices.js';
import { startSession } from './session.js';

/** What a header can carry: anything else is no key, and the browser would refuse to send it. */
const KEY = /^[\x20-\x7e]+$/;

/**
 * @param {string} key
 * @returns {Promise<import('./session.js').Me>}
 */
export function askWho(key) {
  return call('GET', 'me', { withKey: key });
}

/** @param {string} reason why the session ended, or nothing */
export function signInView(reason) {
  let asUser = false;
  const key = field('Key', 'password', 'current-password');
  const user = field('User name', 'text', 'username');
  const password = field('Password', 'password', 'current-password');
  const remember = h('input', { type: 'checkbox', checked: true });
  const message = h(
    'p',
    { class: 'sign-in-message', role: 'alert' },
    reason && `You were signed out: ${reason.replace(/[.]$/, '')}.`,
  );
  const button = h('button', { type: 'submit', class: 'button button-primary' }, 'Sign in');
  const inputs = h('div', { class: 'sign-in-fields' });
  const other = h('button', {
    type: 'button',
    class: 'link-button',
    on: {
      click: () => {
        asUser = !asUser;
        draw();
      },
    },
  });
  const draw = () => {
    const shown = asUser ? [user, password] : [key];
    fill(
      inputs,
      shown.map((each) => each.element),
    );
    other.textContent = asUser ? 'Sign in with a key' : 'Sign in with user name and password';
    shown[0]?.input.focus();
  };
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    button.disabled = true;
    fill(message);
    try {
      if (!asUser && !KEY.test(key.input.value.trim())) throw new ApiError('unauthorized', '');
      const used = asUser ? await tokenFor(user.input.value, password.input.value) : key.input.value.trim();
      startSession(used, await askWho(used), remember.checked);
    } catch (error) {
      message.textContent =
        error instanceof ApiError ? sentence(error, asUser) : 'Something went wrong. Reload the page.';
      button.disabled = false;
      (asUser ? password : key).input.select();
    }
  };
  draw();
  queueMicrotask(draw);
  const kept = h('label', { class: 'check' }, remember, 'Stay signed in until this tab is closed');
  const form = h('form', { class: 'sign-in', 'aria-label': 'Sign in', on: { submit } }, brand(), inputs, kept);
  form.append(message, button, other);
  return h('main', { class: 'sign-in-page' }, form);
}

function brand() {
  const mark = h('span', { class: 'brand-mark', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'));
  return [
    h('div', { class: 'sign-in-brand' }, mark, h('h1', null, 'Annals')),
    h('p', { class: 'quiet' }, 'What you enter stays in this tab and is sent to this server only.'),
  ];
}

/** @param {string} label @param {string} type @param {string} autocomplete */
function field(label, type, autocomplete) {
  const input = h('input', {
    class: 'input',
    type,
    required: true,
    autocomplete,
    spellcheck: 'false',
    autocapitalize: 'off',
  });
  return { input, element: h('label', { class: 'field' }, h('span', { class: 'label' }, label), input) };
}

/** @param {ApiError} error @param {boolean} asUser */
function sentence(error, asUser) {
  const wait = error.retryAfterS ? ` Try again in ${error.retryAfterS} s.` : '';
  if (error.kind !== 'unauthorized') return `${headline(error)} ${detail(error)}${wait}`;
  return asUser ? 'User name or password is wrong.' : 'This key is not known here, or it was revoked or has expired.';
}
