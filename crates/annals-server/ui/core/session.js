// @ts-check
// Who is signed in. The key lives in this module, and in sessionStorage if the person wants the tab to remember it:
// never in the address, never in a cookie, never in localStorage.

/**
 * What GET /annals/v1/me says.
 * @typedef {{name: string, kind: 'administrator' | 'key' | 'user' | 'proxy', scopes: string[], realms: string[], orgs: string[],
 *   unlimited: boolean, user_id: string | null, expires_at?: string | null}} Me
 */

const SLOT = 'annals.key';

/** @type {string | null} */
let held = null;
/** @type {Me | null} */
let who = null;
/** @type {Set<(reason: string) => void>} */
const listeners = new Set();

/** The key, or null. */
export function key() {
  return held;
}

/** Who the server says this is, or null while nobody is signed in. */
export function me() {
  return who;
}

/** The key that this tab remembers, if any. */
export function rememberedKey() {
  try {
    return sessionStorage.getItem(SLOT);
  } catch {
    return null;
  }
}

/**
 * @param {string} withKey
 * @param {Me} asWho
 * @param {boolean} remember for this tab, over a reload
 */
export function startSession(withKey, asWho, remember) {
  held = withKey;
  who = asWho;
  try {
    if (remember) sessionStorage.setItem(SLOT, withKey);
    else sessionStorage.removeItem(SLOT);
  } catch {
    // Without storage the key is gone with the page.
  }
  tell('');
}

/**
 * Forgets the key. `reason` is what the sign-in view shows; empty when the person signed out.
 * @param {string} [reason]
 */
export function endSession(reason = '') {
  const was = held !== null;
  held = null;
  who = null;
  try {
    sessionStorage.removeItem(SLOT);
  } catch {
    // Nothing was kept.
  }
  if (was) tell(reason);
}

/**
 * Whether the key has a scope; `admin` has each. What it may not do is not offered.
 * @param {string} scope
 */
export function can(scope) {
  return who !== null && (who.scopes.includes('admin') || who.scopes.includes(scope));
}

/** Whether the key sees every tenant: some routes ask for that whatever the scopes. */
export function unlimited() {
  return who?.unlimited === true;
}

/** @param {(reason: string) => void} listener after signing in and out */
export function onSession(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** @param {string} reason */
function tell(reason) {
  for (const listener of listeners) listener(reason);
}
