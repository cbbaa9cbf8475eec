// @ts-check
// Keys: made with what they may do, their secret shown once, revoked.
import { call, get, latest } from '../../core/api.js';
import { copy } from '../../core/clipboard.js';
import { confirmDialog, openDialog } from '../../core/dialog.js';
import { fill, h } from '../../core/h.js';
import { clearFailure } from '../../core/notices.js';
import { line } from '../../core/text.js';
import { onZone } from '../../core/time.js';
import { toast } from '../../core/toast.js';
import { grantColumns, grantFields } from './grant.js';
import { button, dataTable, emptyCard, failureText, field, keepFocus, loading, problem, sectionHead, textInput } from './shared.js';

/** @typedef {import('./grant.js').Grant & {id: string, name: string, user_id?: string}} Key */

const NAME_MAX = 200;

/** @returns {import('../../core/views.js').View} */
export function mount() {
  const requests = latest();
  /** @type {Key[] | null} */
  let keys = null;
  const list = h('div');
  const add = button('Create key', 'plus', () => createKey(load), { kind: 'primary' });
  const load = () => void loading(async () => {
    const answer = await get('keys', undefined, requests.start());
    clearFailure();
    keys = answer.keys;
    draw();
  }, load);
  const draw = () => {
    const shown = keys;
    if (!shown) return;
    keepFocus(add, () => fill(list, shown.length === 0 ? emptyCard('No keys', 'Programs and people call the server with keys. Each should have its own, with no more rights than it needs.') : table(shown, revoke)));
  };
  const revoke = async (/** @type {Key} */ key) => {
    const yes = await confirmDialog({
      title: 'Revoke this key?', danger: true, confirm: 'Revoke',
      body: h('p', null, h('b', { class: 'foreign' }, line(key.name, 100)), ' is refused from its next request on. To change a key without a gap, make the new one first.'),
    });
    if (!yes) return;
    try {
      await call('DELETE', `keys/${encodeURIComponent(key.id)}`);
      toast('Revoked.');
    } catch (error) {
      toast(failureText(error), 'error');
    }
    load();
  };
  const stopZone = onZone(draw);
  return {
    element: h('section', { class: 'admin-section', 'aria-label': 'Keys' },
      sectionHead('Keys', 'Programs and people call the server with keys. The key of the settings is not listed.', add), list),
    show: () => { if (!keys) load(); },
    leave() {
      requests.stop();
      stopZone();
    },
  };
}

/** @param {Key[]} keys @param {(key: Key) => void} revoke */
function table(keys, revoke) {
  /** @type {Parameters<typeof dataTable<Key>>[0]['columns']} */
  const columns = [
    { title: 'Name', cell: (key) => [h('b', { class: 'foreign' }, line(key.name, 100)), h('div', { class: 'quiet mono' }, line(key.id, 60)), key.user_id ? h('div', { class: 'quiet foreign' }, `user ${line(key.user_id, 60)}`) : null], narrow: 'wide' },
    ...grantColumns(),
    { title: 'Actions', cell: (key) => button('Revoke', '', () => revoke(key), { small: true, label: `Revoke key: ${line(key.name, 80)}` }), narrow: 'bare' },
  ];
  return dataTable({ label: 'Keys', rows: keys, columns });
}

/** @param {() => void} onMade */
function createKey(onMade) {
  const name = textInput({ maxlength: NAME_MAX });
  const grant = grantFields();
  const message = problem();
  const make = async () => {
    const { problem: wrong, body } = grant.read();
    const text = name.value.trim() === '' ? 'A key needs a name: who or what uses it.' : wrong;
    if (text) {
      message.show(text);
      return;
    }
    try {
      const made = await call('POST', 'keys', { body: { name: name.value.trim(), ...body } });
      dialog.close();
      onMade();
      showSecret(made);
    } catch (error) {
      message.show(failureText(error));
    }
  };
  const dialog = openDialog({
    title: 'Create key', wide: true,
    body: h('form', { class: 'dialog-form', id: 'key-form', on: { submit: (/** @type {any} */ event) => { event.preventDefault(); void make(); } } }, field('Name', name, 'Who or what uses it.'), ...grant.elements, message.element),
    actions: [button('Cancel', '', () => dialog.close()), h('button', { type: 'submit', form: 'key-form', class: 'button button-primary' }, 'Create')],
  });
  name.focus();
}

/** The only time that the secret is there: the dialog goes by its button alone, not by a slip of the mouse. @param {Key & {key: string}} made */
function showSecret(made) {
  const secret = textInput({ class: 'input mono', readonly: true, value: made.key, 'aria-label': 'Secret of the key' });
  const dialog = openDialog({
    title: 'The key is made', kind: 'alertdialog',
    body: [
      h('p', null, 'This is the secret of ', h('b', { class: 'foreign' }, line(made.name, 100)), '. It is shown ', h('b', null, 'only now'), ': the server keeps no more than a hash of it.'),
      h('div', { class: 'secret-row' }, secret, button('Copy', 'copy', () => copy(made.key, 'The secret'), { label: 'Copy secret' })),
    ],
    actions: h('button', { type: 'button', class: 'button button-primary', on: { click: () => dialog.close() } }, 'I have stored it'),
  });
  dialog.element.addEventListener('cancel', (event) => event.preventDefault());
  dialog.element.addEventListener('keydown', (event) => { if (event.key === 'Escape') event.preventDefault(); });
  dialog.element.addEventListener('mousedown', (event) => { if (event.target === dialog.element) event.stopImmediatePropagation(); }, { capture: true });
  secret.focus();
  secret.select();
}
