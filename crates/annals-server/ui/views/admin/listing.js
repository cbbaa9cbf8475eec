// @ts-check
// A section that is a list with a button that adds to it: holds, keys, users.
import { call, latest } from '../../core/api.js';
import { confirmDialog } from '../../core/dialog.js';
import { fill, h } from '../../core/h.js';
import { clearFailure } from '../../core/notices.js';
import { onZone } from '../../core/time.js';
import { toast } from '../../core/toast.js';
import { emptyCard, failureText, keepFocus, loading, sectionHead } from './shared.js';

/** @typedef {import('../../core/h.js').Children} Children */

/**
 * `empty` is the heading and the sentence of a list without rows; `form` is a place between head and list.
 * @template T
 * @typedef {{title: string, says: string, add: HTMLElement, empty: [string, string], form?: HTMLElement,
 *   load(signal: AbortSignal): Promise<T[]>, table(rows: T[]): HTMLElement, leave?: () => void}} ListingOptions
 */

/**
 * @template T
 * @param {ListingOptions<T>} options
 * @returns {import('../../core/views.js').View & {reload(): void}}
 */
export function listing(options) {
  const requests = latest();
  /** @type {T[] | null} */
  let rows = null;
  const list = h('div');
  const draw = () => {
    const shown = rows;
    if (!shown) return;
    keepFocus(options.add, () => fill(list, shown.length === 0 ? emptyCard(...options.empty) : options.table(shown)));
  };
  const reload = () =>
    void loading(async () => {
      rows = await options.load(requests.start());
      clearFailure();
      draw();
    }, reload);
  const stopZone = onZone(draw);
  const head = sectionHead(options.title, options.says, options.add);
  return {
    element: h('section', { class: 'admin-section', 'aria-label': options.title }, head, options.form, list),
    show() {
      if (!rows) reload();
    },
    leave() {
      requests.stop();
      stopZone();
      options.leave?.();
    },
    reload,
  };
}

/**
 * Takes one away, after asking; whether or not it worked, the list is asked again.
 * @param {{title: string, body: Children, confirm: string, path: string, done: string}} question
 * @param {() => void} reload
 */
export async function takeAway(question, reload) {
  const yes = await confirmDialog({ ...question, danger: true });
  if (!yes) return;
  try {
    await call('DELETE', question.path);
    toast(question.done);
  } catch (error) {
    toast(failureText(error), 'error');
  }
  reload();
}
