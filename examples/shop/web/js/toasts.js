/** Toasts: short notes in a polite live region, which go by themselves unless somebody is at their button. */

import { h, setText } from './dom.js';

const SHOWN_FOR_MS = 6000;
const MOST_AT_ONCE = 3;
const SPOKEN_EVERY_MS = 4000;

/**
 * @param {HTMLElement} region
 */
export function createToasts(region) {
  /** @type {Map<unknown, () => void>} */
  const latest = new Map();

  /** @param {'success'|'error'|'info'} kind @param {string} message @param {unknown} [subject] its newest note takes the place of the one before */
  function show(kind, message, subject) {
    const text = h('p', { class: 'toast-text' }, message);
    const close = h('button', { class: 'toast-close', type: 'button', 'aria-label': 'Dismiss' }, '×');
    const toast = h('div', { class: 'toast', testid: 'toast', 'data-kind': kind }, text, close);
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    let timer;
    const dismiss = () => toast.remove();
    if (subject !== undefined) {
      latest.get(subject)?.();
      latest.set(subject, dismiss);
    }
    const arm = () => {
      clearTimeout(timer);
      timer = setTimeout(dismiss, SHOWN_FOR_MS);
    };
    const disarm = () => clearTimeout(timer);
    close.addEventListener('click', dismiss);
    toast.addEventListener('pointerenter', disarm);
    toast.addEventListener('pointerleave', arm);
    toast.addEventListener('focusin', disarm);
    toast.addEventListener('focusout', arm);
    region.append(toast);
    while (region.childElementCount > MOST_AT_ONCE) region.firstElementChild?.remove();
    arm();
  }

  return {
    /** @param {string} message @param {unknown} [subject] */
    success: (message, subject) => show('success', message, subject),
    /** @param {string} message @param {unknown} [subject] */
    error: (message, subject) => show('error', message, subject),
    /** @param {string} message @param {unknown} [subject] */
    info: (message, subject) => show('info', message, subject),
  };
}

/**
 * Speaks to screen readers about things that move. In a busy drop stock changes many times a second; of what arrives for one
 * subject between two announcements only the newest is said.
 * @param {HTMLElement} region a polite live region nobody sees
 */
export function createAnnouncer(region) {
  /** @type {Map<string, string>} */
  const waiting = new Map();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;

  function speak() {
    timer = undefined;
    if (waiting.size === 0) return;
    setText(region, [...waiting.values()].join(' '));
    waiting.clear();
    timer = setTimeout(speak, SPOKEN_EVERY_MS);
  }

  return {
    /** @param {string} subject @param {string} sentence */
    say(subject, sentence) {
      waiting.set(subject, sentence);
      timer ??= setTimeout(speak, 150);
    },
  };
}
