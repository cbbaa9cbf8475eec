// @ts-check
// The question before many events are deleted: the number has to be typed, so that nobody confirms what they have not read.
import { isAbort } from '../../core/api.js';
import { openDialog } from '../../core/dialog.js';
import { fill, h } from '../../core/h.js';
import { count } from '../../core/text.js';
import { failureText, field, problem, textInput } from './shared.js';

/**
 * `run` does it and answers null; or another number, if that is what it would be by now: then this one has to be typed.
 * @param {{title: string, body: (number: number) => import('../../core/h.js').Children, number: number, confirm: string, run(number: number): Promise<number | null>}} options
 * @returns {Promise<boolean>} whether it was done
 */
export function confirmByNumber(options) {
  return new Promise((resolve) => {
    let { number } = options;
    let done = false;
    let running = false;
    const says = h('div', { class: 'confirm-says' });
    const asked = h('b', { class: 'confirm-number' });
    const message = problem();
    const input = textInput({ inputmode: 'numeric', maxlength: 20, 'aria-label': 'Number of events to confirm', on: { input: () => update() } });
    const confirm = h('button', { type: 'submit', class: 'button button-danger', disabled: true }, options.confirm);
    const form = h('form', { class: 'confirm-form', on: { submit: (/** @type {any} */ event) => { event.preventDefault(); void act(); } } },
      says, field('', input), message.element,
      h('div', { class: 'form-foot' }, h('button', { type: 'button', class: 'button', on: { click: () => dialog.close() } }, 'Cancel'), confirm));
    const label = /** @type {HTMLElement} */ (form.querySelector('label'));
    fill(label, 'Type ', asked, ' to confirm');
    const matches = () => input.value.replaceAll(/[\s,.']/g, '') === String(number);
    const update = () => { confirm.disabled = running || !matches(); };
    const draw = () => {
      fill(says, options.body(number));
      asked.textContent = count(number);
      update();
    };
    const act = async () => {
      if (running || !matches()) return;
      running = true;
      message.clear();
      update();
      try {
        const other = await options.run(number);
        if (other === null) {
          done = true;
          dialog.close();
          return;
        }
        number = other;
        input.value = '';
        message.show(`The number has changed: by now it is ${count(other)}.`);
      } catch (error) {
        if (!isAbort(error)) message.show(failureText(error));
      } finally {
        running = false;
        draw();
      }
    };
    const dialog = openDialog({ title: options.title, kind: 'alertdialog', body: form, onClose: () => resolve(done) });
    draw();
    input.focus();
  });
}
