// @ts-check
// Users: people who ask for tokens with a name and a password.
import { call, get } from '../../core/api.js';
import { openDialog } from '../../core/dialog.js';
import { h } from '../../core/h.js';
import { line } from '../../core/text.js';
import { toast } from '../../core/toast.js';
import { GrantFields } from './grant-fields.js';
import { grantColumns } from './grant.js';
import { listing, takeAway } from './listing.js';
import { button, dataTable, failureText, field, problem, textInput } from './shared.js';

/** @typedef {import('./grant.js').Grant & {username: string}} User */

const NAME_MAX = 200;
const PASSWORD_MIN = 8;
const PASSWORD_MAX = 1024;

/** @returns {import('../../core/views.js').View} */
export function mount() {
  /** @type {ReturnType<typeof listing<User>>} */
  const section = listing({
    title: 'Users',
    says: 'Users ask for tokens with a name and a password. A password is changed by removing the user and adding it again.',
    add: button('Add user', 'plus', () => addUser(section.reload), { kind: 'primary' }),
    empty: ['No users', 'A user asks for a token with a name and a password, where a client cannot hold a key.'],
    load: async (signal) => (await get('users', undefined, signal)).users,
    table: (users) => table(users, (user) => remove(user, section.reload)),
  });
  return section;
}

/** @param {User} user @param {() => void} reload */
function remove(user, reload) {
  const name = h('b', { class: 'foreign' }, line(user.username, 100));
  const body = h('p', null, name, ' and all tokens of this name are refused from the next request on.');
  const path = `users/${encodeURIComponent(user.username)}`;
  void takeAway({ title: 'Remove this user?', body, confirm: 'Remove', path, done: 'Removed.' }, reload);
}

/** @param {User[]} users @param {(user: User) => void} remove */
function table(users, remove) {
  /** @type {Parameters<typeof dataTable<User>>[0]['columns']} */
  const columns = [
    {
      title: 'Name',
      cell: (user) => [
        h('b', { class: 'foreign' }, line(user.username, 100)),
        user.user_id && user.user_id !== user.username
          ? h('div', { class: 'quiet foreign' }, `user id ${line(user.user_id, 60)}`)
          : null,
      ],
      narrow: 'wide',
    },
    ...grantColumns(),
    {
      title: 'Actions',
      cell: (user) =>
        button('Remove', '', () => remove(user), { small: true, label: `Remove user: ${line(user.username, 80)}` }),
      narrow: 'bare',
    },
  ];
  return dataTable({ label: 'Users', rows: users, columns });
}

/** @param {() => void} onMade */
function addUser(onMade) {
  const name = textInput({ maxlength: NAME_MAX });
  const password = h('input', {
    class: 'input',
    type: 'password',
    autocomplete: 'new-password',
    minlength: PASSWORD_MIN,
    maxlength: PASSWORD_MAX,
  });
  const again = h('input', { class: 'input', type: 'password', autocomplete: 'new-password', maxlength: PASSWORD_MAX });
  const grant = new GrantFields();
  const message = problem();
  const make = async () => {
    const text =
      name.value === ''
        ? 'A user needs a name.'
        : password.value.length < PASSWORD_MIN
          ? `A password has at least ${PASSWORD_MIN} characters.`
          : password.value !== again.value
            ? 'The two passwords differ.'
            : grant.problem();
    if (text) {
      message.show(text);
      return;
    }
    try {
      await call('POST', 'users', { body: { username: name.value, password: password.value, ...grant.body() } });
      dialog.close();
      toast('User added.');
      onMade();
    } catch (error) {
      message.show(failureText(error));
    }
  };
  const dialog = openDialog({
    title: 'Add user',
    wide: true,
    body: h(
      'form',
      {
        class: 'dialog-form',
        id: 'user-form',
        on: {
          submit: (/** @type {any} */ event) => {
            event.preventDefault();
            void make();
          },
        },
      },
      field('User name', name),
      h('div', { class: 'form-two' }, field('Password', password), field('Password again', again)),
      ...grant.elements(),
      message.element,
    ),
    actions: [
      button('Cancel', '', () => dialog.close()),
      h('button', { type: 'submit', form: 'user-form', class: 'button button-primary' }, 'Add'),
    ],
  });
  name.focus();
}
