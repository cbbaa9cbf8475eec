// @ts-check
// Users: people who ask for tokens with a name and a password.
import { call, get, latest } from '../../core/api.js';
import { confirmDialog, openDialog } from '../../core/dialog.js';
import { fill, h } from '../../core/h.js';
import { clearFailure } from '../../core/notices.js';
import { line } from '../../core/text.js';
import { onZone } from '../../core/time.js';
import { toast } from '../../core/toast.js';
import { grantColumns, grantFields } from './grant.js';
import { button, dataTable, emptyCard, failureText, field, keepFocus, loading, problem, sectionHead, textInput } from './shared.js';

/** @typedef {import('./grant.js').Grant & {username: string}} User */

const NAME_MAX = 200;
const PASSWORD_MIN = 8;
const PASSWORD_MAX = 1024;

/** @returns {import('../../core/views.js').View} */
export function mount() {
  const requests = latest();
  /** @type {User[] | null} */
  let users = null;
  const list = h('div');
  const add = button('Add user', 'plus', () => addUser(load), { kind: 'primary' });
  const load = () => void loading(async () => {
    const answer = await get('users', undefined, requests.start());
    clearFailure();
    users = answer.users;
    draw();
  }, load);
  const draw = () => {
    const shown = users;
    if (!shown) return;
    keepFocus(add, () => fill(list, shown.length === 0 ? emptyCard('No users', 'A user asks for a token with a name and a password, where a client cannot hold a key.') : table(shown, remove)));
  };
  const remove = async (/** @type {User} */ user) => {
    const yes = await confirmDialog({
      title: 'Remove this user?', danger: true, confirm: 'Remove',
      body: h('p', null, h('b', { class: 'foreign' }, line(user.username, 100)), ' and all tokens of this name are refused from the next request on.'),
    });
    if (!yes) return;
    try {
      await call('DELETE', `users/${encodeURIComponent(user.username)}`);
      toast('Removed.');
    } catch (error) {
      toast(failureText(error), 'error');
    }
    load();
  };
  const stopZone = onZone(draw);
  return {
    element: h('section', { class: 'admin-section', 'aria-label': 'Users' },
      sectionHead('Users', 'Users ask for tokens with a name and a password. A password is changed by removing the user and adding it again.', add), list),
    show: () => { if (!users) load(); },
    leave() {
      requests.stop();
      stopZone();
    },
  };
}

/** @param {User[]} users @param {(user: User) => void} remove */
function table(users, remove) {
  /** @type {Parameters<typeof dataTable<User>>[0]['columns']} */
  const columns = [
    { title: 'Name', cell: (user) => [h('b', { class: 'foreign' }, line(user.username, 100)), user.user_id && user.user_id !== user.username ? h('div', { class: 'quiet foreign' }, `user id ${line(user.user_id, 60)}`) : null], narrow: 'wide' },
    ...grantColumns(),
    { title: 'Actions', cell: (user) => button('Remove', '', () => remove(user), { small: true, label: `Remove user: ${line(user.username, 80)}` }), narrow: 'bare' },
  ];
  return dataTable({ label: 'Users', rows: users, columns });
}

/** @param {() => void} onMade */
function addUser(onMade) {
  const name = textInput({ maxlength: NAME_MAX });
  const password = h('input', { class: 'input', type: 'password', autocomplete: 'new-password', minlength: PASSWORD_MIN, maxlength: PASSWORD_MAX });
  const again = h('input', { class: 'input', type: 'password', autocomplete: 'new-password', maxlength: PASSWORD_MAX });
  const grant = grantFields();
  const message = problem();
  const make = async () => {
    const { problem: wrong, body } = grant.read();
    const text = name.value === '' ? 'A user needs a name.'
      : password.value.length < PASSWORD_MIN ? `A password has at least ${PASSWORD_MIN} characters.`
        : password.value !== again.value ? 'The two passwords differ.' : wrong;
    if (text) {
      message.show(text);
      return;
    }
    try {
      await call('POST', 'users', { body: { username: name.value, password: password.value, ...body } });
      dialog.close();
      toast('User added.');
      onMade();
    } catch (error) {
      message.show(failureText(error));
    }
  };
  const dialog = openDialog({
    title: 'Add user', wide: true,
    body: h('form', { class: 'dialog-form', id: 'user-form', on: { submit: (/** @type {any} */ event) => { event.preventDefault(); void make(); } } },
      field('User name', name), h('div', { class: 'form-two' }, field('Password', password), field('Password again', again)), ...grant.elements, message.element),
    actions: [button('Cancel', '', () => dialog.close()), h('button', { type: 'submit', form: 'user-form', class: 'button button-primary' }, 'Add')],
  });
  name.focus();
}
