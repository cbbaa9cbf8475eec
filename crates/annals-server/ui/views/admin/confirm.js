// @ts-check
// The question before many events are deleted: the number has to be typed, so that nobody confirms what they have not read.
import { isAbort } from '../../core/api.js';
import { openDialog } from '../../core/dialog.js';
import { fill, h } from '../../core/h.js';
import { count } from '../../core/text.js';
import { failureText, field, problem, textInput } from './shared.js';

/**
 * `run` does it and answers null; or another number, if that is what it would be by now: then this one has to be typed.
 * @typedef {{title: string, body: (number: number) => import('../../core/h.js').Children, number: number, confirm: string,
 *   run(number: number): Promise<number | null>}} Question
 */

/** @param {Question} question @returns {Promise<boolean>} whether it was done */
export function confirmByNumber(question) {
  return new Promise((resolve) => {
    new Confirmation(question, resolve).open();
  });
}

class Confirmation {
  /** @param {Question} question @param {(done: boolean) => void} onClose */
  constructor(question, onClose) {
    this.question = question;
    this.onClose = onClose;
    this.number = question.number;
    this.done = false;
    this.running = false;
    this.says = h('div', { class: 'confirm-says' });
    this.asked = h('b', { class: 'confirm-number' });
    this.message = problem();
    const name = 'Number of events to confirm';
    const onInput = { input: () => this.update() };
    this.input = textInput({ inputmode: 'numeric', maxlength: 20, 'aria-label': name, on: onInput });
    this.confirm = h('button', { type: 'submit', class: 'button button-danger', disabled: true }, question.confirm);
  }

  open() {
    const typed = field('', this.input);
    const label = /** @type {HTMLElement} */ (typed.querySelector('label'));
    fill(label, 'Type ', this.asked, ' to confirm');
    const close = () => dialog.close();
    const cancel = h('button', { type: 'button', class: 'button', on: { click: close } }, 'Cancel');
    const submit = (/** @type {any} */ event) => {
      event.preventDefault();
      void this.act(close);
    };
    const foot = h('div', { class: 'form-foot' }, cancel, this.confirm);
    const body = h('form', { class: 'confirm-form', on: { submit } }, this.says, typed, this.message.element, foot);
    const onClose = () => this.onClose(this.done);
    const dialog = openDialog({ title: this.question.title, kind: 'alertdialog', body, onClose });
    this.draw();
    this.input.focus();
  }

  matches() {
    return this.input.value.replaceAll(/[\s,.']/g, '') === String(this.number);
  }

  update() {
    this.confirm.disabled = this.running || !this.matches();
  }

  draw() {
    fill(this.says, this.question.body(this.number));
    this.asked.textContent = count(this.number);
    this.update();
  }

  /** @param {() => void} close */
  async act(close) {
    if (this.running || !this.matches()) return;
    this.running = true;
    this.message.clear();
    this.update();
    try {
      const other = await this.question.run(this.number);
      this.done = other === null;
      if (other !== null) this.ask(other);
    } catch (error) {
      if (!isAbort(error)) this.message.show(failureText(error));
    } finally {
      this.running = false;
      this.draw();
    }
    if (this.done) close();
  }

  /** @param {number} other what it is by now */
  ask(other) {
    this.number = other;
    this.input.value = '';
    this.message.show(`The number has changed: by now it is ${count(other)}.`);
  }
}
