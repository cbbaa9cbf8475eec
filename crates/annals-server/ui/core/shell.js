// @ts-check
// The frame: header, navigation, notices, <main> with the view of the address. Sign-in takes its place without a session.
import { go, hashOf, onAddress, readAddress } from './address.js';
import { openHelp } from './help.js';
import { fill, h } from './h.js';
import { icon } from './icons.js';
import { registerKeys } from './keys.js';
import { clearFailure, noticeBars } from './notices.js';
import { endSession, me, onSession } from './session.js';
import { signInView } from './sign-in.js';
import { themeSwitch, zoneSwitch } from './switches.js';
import { line } from './text.js';
import { toast, toastRegion } from './toast.js';
import { HEADER_PARTS, VIEWS } from './views.js';

/** @typedef {import('./views.js').View} View */
/** @typedef {import('./views.js').ViewEntry} ViewEntry */

const main = h('main', { id: 'main', class: 'main', tabindex: -1 });
const nav = h('nav', { class: 'nav', 'aria-label': 'Views' });
const bellSlot = h('div', { class: 'header-slot' });
/** @type {{entry: ViewEntry, view: View} | null} */
let current = null;
/** Counts the views asked for: of two that load at once the later one is shown. */
let asked = 0;
/** @type {(() => void)[]} */
let takeAway = [];
/** Where each view was left: going back to it shows the same. @type {Map<string, URLSearchParams>} */
const left = new Map();

/** Puts the shell into the page; it follows the session and the address from then on. @param {HTMLElement} root */
export function startShell(root) {
  registerKeys('Everywhere', [
    { key: '?', says: 'This help', run: () => openHelp() },
    { key: 'Escape', says: 'Leave a field, close what is open', run: () => false },
    ...VIEWS.map((entry) => ({
      key: `g ${entry.key}`,
      says: `Go to ${entry.title}`,
      run: () => (entry.shown() ? go(entry.name) : false),
    })),
  ]);
  const draw = (/** @type {string} */ reason) => {
    closeAll();
    if (me()) openFrame(root);
    else fill(root, signInView(reason), toastRegion());
  };
  onSession(draw);
  onAddress(() => {
    if (me()) showAddress();
  });
  draw('');
}

/** Drops the view and the header's parts. */
function closeAll() {
  asked += 1;
  current?.view.leave();
  current = null;
  if (!me()) left.clear();
  for (const take of takeAway) take();
  takeAway = [];
  for (const open of document.querySelectorAll('dialog[open]')) /** @type {HTMLDialogElement} */ (open).close();
  clearFailure();
  fill(main);
}

/** @param {HTMLElement} root */
function openFrame(root) {
  fill(
    root,
    h('a', { class: 'skip-link', href: '#main', on: { click: skip } }, 'Skip to content'),
    h(
      'header',
      { class: 'header' },
      h(
        'a',
        { class: 'brand', href: hashOf(''), 'aria-label': 'Annals, start' },
        brandMark(),
        h('span', null, 'Annals'),
      ),
      nav,
      h('div', { class: 'header-tools' }, bellSlot, zoneSwitch(), themeSwitch(), helpButton(), account()),
    ),
    noticeBars(),
    main,
    toastRegion(),
  );
  for (const part of HEADER_PARTS) if (part.shown()) void mountPart(part);
  showAddress();
}

/** @param {Event} event the link's own target would end up in the address */
function skip(event) {
  event.preventDefault();
  main.focus();
}

function brandMark() {
  return h('span', { class: 'brand-mark', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'));
}

function helpButton() {
  return h(
    'button',
    {
      type: 'button',
      class: 'icon-button',
      'aria-label': 'Keyboard shortcuts',
      title: 'Keyboard shortcuts (?)',
      on: { click: () => openHelp() },
    },
    icon('keyboard'),
  );
}

function account() {
  const name = line(me()?.name ?? '', 40);
  return h(
    'div',
    { class: 'account' },
    h('span', { class: 'account-name', title: `Signed in as ${name}` }, h('bdi', null, name)),
    h(
      'button',
      {
        type: 'button',
        class: 'icon-button',
        'aria-label': 'Sign out',
        title: 'Sign out',
        on: { click: () => endSession('') },
      },
      icon('exit'),
    ),
  );
}

/** How long after the first failure to load a part it is tried again; twice as long after each, up to the second. */
const AGAIN_MS = 500;
const AGAIN_MS_MAX = 30_000;

/**
 * The module of a part; tried again while it is wanted, since the server may be away just then.
 * @param {import('./views.js').HeaderPart} part @param {() => boolean} isWanted
 */
async function loadedWhile(part, isWanted) {
  for (let wait = AGAIN_MS; ; wait = Math.min(2 * wait, AGAIN_MS_MAX)) {
    const loaded = await part.load().catch(() => undefined);
    if (!isWanted()) return undefined;
    if (loaded) return loaded;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

/** @param {import('./views.js').HeaderPart} part */
async function mountPart(part) {
  const slot = h('div');
  bellSlot.append(slot);
  const session = me();
  const loaded = await loadedWhile(part, () => me() === session);
  if (!loaded) return;
  const take = loaded.mount(slot);
  takeAway.push(() => {
    take();
    slot.remove();
  });
}

/** Shows the view that the address names, or the first one. */
function showAddress() {
  const { view: name, params } = readAddress();
  const open = VIEWS.filter((entry) => entry.shown());
  const entry = open.find((candidate) => candidate.name === name) ?? open[0];
  if (entry) left.set(entry.name, params);
  fill(
    nav,
    open.map((candidate) =>
      h(
        'a',
        {
          class: 'nav-link',
          href: hashOf(candidate.name, candidate === entry ? undefined : left.get(candidate.name)),
          'aria-current': candidate === entry ? 'page' : null,
        },
        candidate.title,
      ),
    ),
  );
  if (!entry) {
    document.title = 'Annals';
    fill(
      main,
      h(
        'div',
        { class: 'empty' },
        h('h1', null, 'Nothing to see with this key'),
        h(
          'p',
          null,
          'It has none of the scopes that this page shows: events:read for the search, admin for administration.',
        ),
      ),
    );
    return;
  }
  document.title = `${entry.title} \u00b7 Annals`;
  if (current?.entry === entry) current.view.show(params);
  else void openView(entry);
}

/** @param {ViewEntry} entry */
async function openView(entry) {
  asked += 1;
  const mine = asked;
  try {
    const { mount } = await entry.load();
    if (mine !== asked) return;
    current?.view.leave();
    clearFailure();
    const first = current === null;
    const view = mount();
    current = { entry, view };
    fill(main, view.element);
    view.show(readAddress().params);
    if (!first) main.focus({ preventScroll: true });
  } catch (error) {
    console.error(error);
    if (mine === asked) toast(`${entry.title} could not be loaded. Reload the page.`, 'error');
  }
}
