/** The admin corner: asks for the key once, then opens the desk. */

import { h, setText } from './dom.js';
import { ApiError } from './api.js';
import { createAdminDesk } from './admin-desk.js';

const STORAGE_KEY = 'dropshop.adminKey';
let fallbackKey = '';

/** @returns {string} the key of this tab's session, '' while none was given */
export function recallAdminKey() {
  try {
    return sessionStorage.getItem(STORAGE_KEY) ?? '';
  } catch {
    return fallbackKey; // without storage the key lasts as long as the page
  }
}

/** @param {string} key */
function rememberAdminKey(key) {
  fallbackKey = key;
  try {
    if (key === '') sessionStorage.removeItem(STORAGE_KEY);
    else sessionStorage.setItem(STORAGE_KEY, key);
  } catch {
    // see recallAdminKey
  }
}

/**
 * @param {object} options
 * @param {HTMLElement} options.root
 * @param {ReturnType<typeof import('./api.js').createApi>} options.api
 * @param {import('./state.js').DropStore} options.store
 * @param {import('./clock.js').ServerClock} options.clock
 * @param {ReturnType<typeof import('./toasts.js').createToasts>} options.toasts
 * @param {(dropId: number) => Promise<void>} options.refresh
 */
export function createAdmin({ root, api, store, clock, toasts, refresh }) {
  /** @type {ReturnType<typeof createAdminDesk>|null} */
  let desk = null;

  const input = h('input', { id: 'admin-key', type: 'password', testid: 'admin-key', autocomplete: 'off', required: true, 'aria-describedby': 'admin-key-error' });
  const error = h('p', { class: 'field-error', id: 'admin-key-error', testid: 'admin-key-error', 'aria-live': 'polite' });
  const keyForm = h('form', { class: 'panel key-form', novalidate: true, onsubmit: enter },
    h('h2', {}, 'Staff only'),
    h('p', {}, 'The key is kept for this tab and forgotten when it closes.'),
    h('label', { for: 'admin-key' }, 'Admin key'),
    h('div', { class: 'inline-fields' }, input, h('button', { class: 'button primary', type: 'submit', testid: 'admin-key-save' }, 'Open')),
    error);

  /** @param {Event} event */
  async function enter(event) {
    event.preventDefault();
    const key = input.value.trim();
    if (key === '') {
      setText(error, 'The key is shown where the server was started.');
      input.focus();
      return;
    }
    rememberAdminKey(key);
    try {
      await api.admin.check();
      openDesk();
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      if (failure.status === 401 || failure.status === 403) refuse();
      else setText(error, failure.message);
    }
  }

  function refuse() {
    rememberAdminKey('');
    desk?.close();
    desk = null;
    root.replaceChildren(keyForm);
    setText(error, 'That key does not fit. Try again.');
    input.select();
    input.focus();
  }

  function openDesk() {
    input.value = '';
    setText(error, '');
    desk = createAdminDesk({ api, store, clock, toasts, refresh, onRefused: refuse, onLeave: leave });
    root.replaceChildren(desk.element);
  }

  function leave() {
    rememberAdminKey('');
    desk?.close();
    desk = null;
    root.replaceChildren(keyForm);
    input.focus();
  }

  return {
    open() {
      if (desk) return;
      if (recallAdminKey() === '') root.replaceChildren(keyForm);
      else openDesk();
    },
    /** @param {number} now */
    tick: (now) => desk?.tick(now),
  };
}
