/** The shopper's name in the top bar: typed once, remembered, changed at will. */

import { byId, setText } from './dom.js';
import { checkUsername, recallUsername, rememberUsername } from './username.js';

/**
 * @param {{onChange: (username: string) => void}} options
 */
export function createNameForm({ onChange }) {
  const form = byId('name-form');
  const input = byId('username');
  const error = byId('name-error');
  const button = form.querySelector('button');
  let username = recallUsername();

  function show() {
    const changed = input.value.trim() !== username;
    form.dataset.saved = String(username !== '' && !changed);
    setText(button, username !== '' && !changed ? 'Saved' : 'Save');
  }

  /** @param {string} message */
  function complain(message) {
    setText(error, message);
    input.setAttribute('aria-invalid', String(message !== ''));
  }

  /** @returns {string} the name, or '' where the text is none; the form then says why */
  function save() {
    const check = checkUsername(input.value);
    complain(check.ok ? '' : check.message);
    if (!check.ok) {
      input.focus();
      return '';
    }
    input.value = check.username;
    const changed = check.username !== username;
    username = check.username;
    rememberUsername(username);
    show();
    if (changed) onChange(username);
    return username;
  }

  input.value = username;
  input.addEventListener('input', () => {
    complain('');
    show();
  });
  form.addEventListener('submit', (/** @type {Event} */ event) => {
    event.preventDefault();
    save();
  });
  show();

  return {
    /** @returns {string} '' while nobody has said a name */
    get username() {
      return username;
    },
    /** A name that is typed but not saved counts when its owner asks for a pair. */
    require: save,
  };
}
