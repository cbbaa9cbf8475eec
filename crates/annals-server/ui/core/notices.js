// @ts-check
// The bar below the header: what stands between the person and the answer (429, 503, connection lost, a damaged store),
// when it is tried again, and a button to try now.
import { fill, h } from './h.js';
import { icon } from './icons.js';

/** @typedef {import('./api.js').ApiError} ApiError */

const bar = h('div', { class: 'notices', role: 'alert' });
const gapBar = h('div', { class: 'notices', role: 'status' });
/** @type {ReturnType<typeof setInterval> | undefined} */
let timer;
let shownGap = '';
/** Without a Retry-After a lost server is asked again after so many seconds, twice as many each time up to the last. */
const RETRY_S = [2, 4, 8, 15, 30];
let failures = 0;
/** Which of several requests at once failed: the answer to another one does not take its message away. */
let failed = '';

/** The elements the shell puts into the page. */
export function noticeBars() {
  return [bar, gapBar];
}

/**
 * Shows why a view has no answer. Failures that pass by themselves are tried again after a countdown.
 * @param {ApiError} error
 * @param {() => void} retry asks again
 * @param {string} [source] which request of the view failed, if it has several
 */
export function showFailure(error, retry, source = '') {
  clearInterval(timer);
  failed = source;
  const passes =
    ['limited', 'unavailable', 'lost'].includes(error.kind) &&
    error.code !== 'segment_damaged' &&
    error.code !== 'query_too_expensive';
  const again = () => {
    clearInterval(timer);
    wait.textContent = 'Trying again\u2026';
    failures += 1;
    retry();
  };
  const wait = h('span', { class: 'notice-wait' });
  const button = h('button', { type: 'button', class: 'button button-small', on: { click: again } }, 'Try again');
  fill(
    bar,
    h(
      'div',
      { class: 'notice', dataset: { kind: error.kind } },
      icon('alert'),
      h('div', { class: 'notice-text' }, h('strong', null, headline(error)), ' ', detail(error)),
      wait,
      error.kind === 'forbidden' ? null : button,
    ),
  );
  if (!passes) return;
  let left = error.retryAfterS ?? RETRY_S[Math.min(failures, RETRY_S.length - 1)] ?? 30;
  const tick = () => {
    wait.textContent = left > 0 ? `Again in ${left} s` : '';
    if (left <= 0) again();
    left -= 1;
  };
  tick();
  timer = setInterval(tick, 1000);
}

/** Takes the message away: there was an answer. With a source, only what that one had failed with. @param {string} [source] */
export function clearFailure(source) {
  if (source !== undefined && source !== failed) return;
  clearInterval(timer);
  failures = 0;
  if (bar.firstChild) fill(bar);
}

/** @param {ApiError} error */
export function headline(error) {
  switch (error.kind) {
    case 'unauthorized':
      return 'The key is not valid.';
    case 'forbidden':
      return 'The key may not do this.';
    case 'limited':
      return 'Too many requests.';
    case 'unavailable':
      return error.code === 'query_too_expensive' ? 'The query takes too long.' : 'The server cannot answer now.';
    case 'lost':
      return 'Connection lost.';
    case 'invalid':
      return 'The server does not accept this.';
    case 'missing':
      return 'Not found.';
    case 'conflict':
      return 'This is in conflict with what is there.';
    default:
      return 'Something went wrong.';
  }
}

/** The server's sentence, with the request's id where that helps its operator. @param {ApiError} error */
export function detail(error) {
  const message = error.message.charAt(0).toUpperCase() + error.message.slice(1);
  const end = /[.!?]$/.test(message) ? '' : '.';
  const id =
    error.status >= 500 && error.requestId && error.code !== 'query_too_expensive'
      ? ` (request ${error.requestId})`
      : '';
  return `${message}${end}${id}`;
}

/**
 * A damaged store that is served with gaps says so with every answer, and so does the page.
 * @param {string | null} ranges the header `Annals-Gap`
 */
export function reportGap(ranges) {
  const text = ranges ?? '';
  if (text === shownGap) return;
  shownGap = text;
  fill(
    gapBar,
    text &&
      h(
        'div',
        { class: 'notice', dataset: { kind: 'gap' } },
        icon('alert'),
        h(
          'div',
          { class: 'notice-text' },
          h('strong', null, 'The store is damaged.'),
          ` Events may be missing here: those with the sequences ${text.replace(/-$/, ' and above')}.`,
        ),
      ),
  );
}
