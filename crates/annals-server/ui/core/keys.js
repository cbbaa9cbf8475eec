// @ts-check
// The keyboard. A part registers a group of shortcuts while it is on the screen; `?` shows all of them.

/**
 * `key` is KeyboardEvent.key, or two of them for a sequence such as `g s`. `run` answers false to let the key through.
 * @typedef {{key: string, says: string, run: (event: KeyboardEvent) => void | boolean, typing?: boolean}} Shortcut
 */

/** @type {Map<symbol, {group: string, shortcuts: Shortcut[]}>} */
const registered = new Map();
let first = '';
let firstAt = 0;
/** How long the second key of a sequence may take. */
const SEQUENCE_MS = 900;

/**
 * Registers shortcuts; the answer takes them away. The group registered last comes first.
 * @param {string} group heading of the help
 * @param {Shortcut[]} shortcuts
 * @returns {() => void}
 */
export function registerKeys(group, shortcuts) {
  const id = Symbol(group);
  registered.set(id, { group, shortcuts });
  return () => registered.delete(id);
}

/** What there is, for the help. */
export function shortcutGroups() {
  return [...registered.values()];
}

/** Whether typing there is text and not a command. @param {EventTarget | null} target */
export function isTyping(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement)
    return true;
  return target instanceof HTMLInputElement && !['checkbox', 'radio', 'button', 'range'].includes(target.type);
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.querySelector('dialog[open]')) return;
  const typing = isTyping(event.target);
  const sequence = first !== '' && event.timeStamp - firstAt < SEQUENCE_MS ? `${first} ${event.key}` : '';
  const shortcut = (sequence && find(sequence, typing)) || find(event.key, typing);
  first = '';
  if (shortcut) {
    if (shortcut.run(event) !== false) event.preventDefault();
  } else if (typing && event.key === 'Escape') {
    // Out of the field: letters are commands again.
    /** @type {HTMLElement} */ (event.target).blur();
  } else if (!typing && event.key.length === 1) {
    first = event.key;
    firstAt = event.timeStamp;
  }
}

/** @param {string} key @param {boolean} typing */
function find(key, typing) {
  for (const { shortcuts } of [...registered.values()].reverse()) {
    const found = shortcuts.find((shortcut) => shortcut.key === key && (!typing || shortcut.typing === true));
    if (found) return found;
  }
  return undefined;
}

document.addEventListener('keydown', onKey);
