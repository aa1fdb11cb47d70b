/** The shopper's name: one rule, and where it is remembered. */

const STORAGE_KEY = 'dropshop.username';
const RULE = /^[A-Za-z0-9_]{3,50}$/;

/**
 * @param {string} text as typed
 * @returns {{ok: true, username: string} | {ok: false, message: string}}
 */
export function checkUsername(text) {
  const username = text.trim();
  if (RULE.test(username)) return { ok: true, username };
  if (username === '') return { ok: false, message: 'Pick a name first, so the pair can be held for you.' };
  if (username.length < 3) return { ok: false, message: 'A little longer: at least 3 characters.' };
  if (username.length > 50) return { ok: false, message: 'A little shorter: at most 50 characters.' };
  return { ok: false, message: 'Only letters, digits and underscores, please.' };
}

/**
 * @param {Pick<Storage, 'getItem'>} [storage]
 * @returns {string} the remembered name, or '' where there is none or it no longer fits the rule
 */
export function recallUsername(storage = localStorage) {
  try {
    const check = checkUsername(storage.getItem(STORAGE_KEY) ?? '');
    return check.ok ? check.username : '';
  } catch {
    return ''; // storage can be switched off; the name then lasts as long as the page
  }
}

/**
 * @param {string} username
 * @param {Pick<Storage, 'setItem'>} [storage]
 */
export function rememberUsername(username, storage = localStorage) {
  try {
    storage.setItem(STORAGE_KEY, username);
  } catch {
    // see recallUsername
  }
}
