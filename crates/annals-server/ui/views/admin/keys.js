// @ts-check
// Keys: made with what they may do, their secret shown once, revoked.
import { call, get } from '../../core/api.js';
import { copy } from '../../core/clipboard.js';
import { openDialog } from '../../core/dialog.js';
import { h } from '../../core/h.js';
import { line } from '../../core/text.js';
import { GrantFields } from './grant-fields.js';
import { grantColumns } from './grant.js';
import { listing, takeAway } from './listing.js';
import { button, dataTable, failureText, field, problem, textInput } from './shared.js';

/** @typedef {import('./grant.js').Grant & {id: string, name: string, user_id?: string}} Key */

const NAME_MAX = 200;

/** @returns {import('../../core/views.js').View} */
export function mount() {
  /** @type {ReturnType<typeof listing<Key>>} */
  const section = listing({
    title: 'Keys',
    says: 'Programs and people call the server with keys. The key of the settings is not listed.',
    add: button('Create key', 'plus', () => createKey(section.reload), { kind: 'primary' }),
    empty: ['No keys', 'Each program and each person should have a key of its own, with no more rights than it needs.'],
    load: async (signal) => (await get('keys', undefined, signal)).keys,
    table: (keys) => table(keys, (key) => revoke(key, section.reload)),
  });
  return section;
}

/** @param {Key} key @param {() => void} reload */
function revoke(key, reload) {
  const name = h('b', { class: 'foreign' }, line(key.name, 100));
  const body = [
    h('p', null, name, ' is refused from its next request on.'),
    h('p', null, 'To change a key without a gap, make the new one first.'),
  ];
  const path = `keys/${encodeURIComponent(key.id)}`;
  void takeAway({ title: 'Revoke this key?', body, confirm: 'Revoke', path, done: 'Revoked.' }, reload);
}

/** @param {Key[]} keys @param {(key: Key) => void} revoke */
function table(keys, revoke) {
  /** @type {Parameters<typeof dataTable<Key>>[0]['columns']} */
  const columns = [
    {
      title: 'Name',
      cell: (key) => [
        h('b', { class: 'foreign' }, line(key.name, 100)),
        h('div', { class: 'quiet mono' }, line(key.id, 60)),
        key.user_id ? h('div', { class: 'quiet foreign' }, `user ${line(key.user_id, 60)}`) : null,
      ],
      narrow: 'wide',
    },
    ...grantColumns(),
    {
      title: 'Actions',
      cell: (key) =>
        button('Revoke', '', () => revoke(key), { small: true, label: `Revoke key: ${line(key.name, 80)}` }),
      narrow: 'bare',
    },
  ];
  return dataTable({ label: 'Keys', rows: keys, columns });
}

/** @param {() => void} onMade */
function createKey(onMade) {
  const name = textInput({ maxlength: NAME_MAX });
  const grant = new GrantFields();
  const message = problem();
  const make = async () => {
    const text = name.value.trim() === '' ? 'A key needs a name: who or what uses it.' : grant.problem();
    if (text) {
      message.show(text);
      return;
    }
    try {
      const made = await call('POST', 'keys', { body: { name: name.value.trim(), ...grant.body() } });
      dialog.close();
      onMade();
      showSecret(made);
    } catch (error) {
      message.show(failureText(error));
    }
  };
  const dialog = openDialog({
    title: 'Create key',
    wide: true,
    body: h(
      'form',
      {
        class: 'dialog-form',
        id: 'key-form',
        on: {
          submit: (/** @type {any} */ event) => {
            event.preventDefault();
            void make();
          },
        },
      },
      field('Name', name, 'Who or what uses it.'),
      ...grant.elements(),
      message.element,
    ),
    actions: [
      button('Cancel', '', () => dialog.close()),
      h('button', { type: 'submit', form: 'key-form', class: 'button button-primary' }, 'Create'),
    ],
  });
  name.focus();
}

/** The only time that the secret is there: the dialog goes by its button alone, not by a slip of the mouse. @param {Key & {key: string}} made */
function showSecret(made) {
  const secret = textInput({ class: 'input mono', readonly: true, value: made.key, 'aria-label': 'Secret of the key' });
  const dialog = openDialog({
    title: 'The key is made',
    kind: 'alertdialog',
    body: [
      h(
        'p',
        null,
        'This is the secret of ',
        h('b', { class: 'foreign' }, line(made.name, 100)),
        '. It is shown ',
        h('b', null, 'only now'),
        ': the server keeps no more than a hash of it.',
      ),
      h(
        'div',
        { class: 'secret-row' },
        secret,
        button('Copy', 'copy', () => copy(made.key, 'The secret'), { label: 'Copy secret' }),
      ),
    ],
    actions: h(
      'button',
      { type: 'button', class: 'button button-primary', on: { click: () => dialog.close() } },
      'I have stored it',
    ),
  });
  dialog.element.addEventListener('cancel', (event) => event.preventDefault());
  dialog.element.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') event.preventDefault();
  });
  dialog.element.addEventListener(
    'mousedown',
    (event) => {
      if (event.target === dialog.element) event.stopImmediatePropagation();
    },
    { capture: true },
  );
  secret.focus();
  secret.select();
}
