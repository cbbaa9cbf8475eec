// @ts-check
// What the live view says about itself: whether it is connected, how much came, and what a person has to know about the list.
import { fill, h } from '../../core/h.js';
import { icon } from '../../core/icons.js';
import { detail, headline } from '../../core/notices.js';
import { count } from '../../core/text.js';

/** @typedef {import('./tail.js').TailState} TailState */

/** The rate is an average over so many seconds. */
const RATE_S = 5;
/** The latest notes; what a person has not dismissed by then is old news. */
const NOTES_MAX = 4;

/** @param {{onRetry(): void}} options */
export function statusLine(options) {
  const dot = h('span', { class: 'live-dot', 'aria-hidden': 'true' });
  const word = h('span', { class: 'live-word', role: 'status', 'aria-label': 'Connection' });
  const why = h('span', { class: 'live-why quiet' });
  const figures = h('span', { class: 'live-figures quiet' });
  const retry = h(
    'button',
    { type: 'button', class: 'button button-small', hidden: true, on: { click: () => options.onRetry() } },
    'Connect now',
  );
  /** @type {number[]} */
  const perSecond = [];
  let inSecond = 0;
  let received = 0;
  /** @type {TailState} */
  let state = { name: 'connecting', error: null, retryAt: 0 };
  let paused = false;
  let holding = '';
  const draw = () => {
    const [name, says] = wordOf(state, paused);
    if (word.textContent !== says) word.textContent = says;
    dot.dataset.state = name;
    why.textContent = whyOf(state, paused ? '' : holding);
    retry.hidden = state.name !== 'waiting' && state.name !== 'refused';
    const rate = perSecond.reduce((sum, each) => sum + each, 0) / Math.max(1, perSecond.length);
    figures.textContent =
      received === 0
        ? ''
        : `${count(received)} received${rate >= 0.1 ? `, ${rate >= 10 ? count(Math.round(rate)) : rate.toFixed(1)} a second` : ''}`;
  };
  const timer = setInterval(() => {
    perSecond.push(inSecond);
    inSecond = 0;
    if (perSecond.length > RATE_S) perSecond.shift();
    draw();
  }, 1000);
  return {
    element: h('div', { class: 'live-status' }, dot, word, why, retry, figures),
    stop: () => clearInterval(timer),
    received() {
      received += 1;
      inSecond += 1;
    },
    restart() {
      received = 0;
      inSecond = 0;
      perSecond.length = 0;
      draw();
    },
    /** @param {TailState} now */
    showState(now) {
      state = now;
      draw();
    },
    /** @param {boolean} isPaused @param {string} because why the list stands still although it is not paused */
    showHold(isPaused, because) {
      paused = isPaused;
      holding = because;
      draw();
    },
  };
}

/** @param {TailState} state @param {boolean} paused @returns {[string, string]} */
function wordOf(state, paused) {
  switch (state.name) {
    case 'connecting':
      return ['connecting', 'Connecting\u2026'];
    case 'waiting':
      return ['lost', 'Not connected'];
    case 'refused':
      return ['lost', 'Refused'];
    case 'away':
      return ['connecting', 'Resting in the background'];
    case 'stopped':
      return ['lost', 'Stopped'];
    default:
      return paused ? ['paused', 'Paused'] : ['live', 'Live'];
  }
}

/** @param {TailState} state @param {string} holding */
function whyOf(state, holding) {
  if (state.name === 'live') return holding;
  if (!state.error) return '';
  const left = Math.max(0, Math.ceil((state.retryAt - Date.now()) / 1000));
  const when = state.name === 'waiting' ? ` Again ${left > 0 ? `in ${left} s` : 'now'}, without a gap.` : '';
  return `${headline(state.error)} ${detail(state.error)}${when}`;
}

/** The notes above the list, each of which can be dismissed. */
export function notes() {
  const element = h('div', { class: 'live-notes', role: 'log', 'aria-label': 'Notes on the list' });
  /** @param {string} kind of which only the latest is shown @param {string} text @param {{says: string, run(): void}} [action] */
  const add = (kind, text, action) => {
    remove(kind);
    const note = h(
      'div',
      { class: 'live-note', dataset: { kind } },
      icon('info'),
      h('span', { class: 'live-note-text' }, text),
      action
        ? h(
            'button',
            {
              type: 'button',
              class: 'button button-small',
              on: {
                click: () => {
                  note.remove();
                  action.run();
                },
              },
            },
            action.says,
          )
        : null,
      h(
        'button',
        { type: 'button', class: 'icon-button', 'aria-label': 'Dismiss note', on: { click: () => note.remove() } },
        icon('close'),
      ),
    );
    element.append(note);
    while (element.childElementCount > NOTES_MAX) element.firstElementChild?.remove();
  };
  /** @param {string} kind */
  const remove = (kind) => element.querySelector(`[data-kind="${kind}"]`)?.remove();
  return { element, add, remove, clear: () => fill(element) };
}
