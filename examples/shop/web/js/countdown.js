/** Counting down to a deadline of the server. */

import { h, setText } from './dom.js';

export const URGENT_MS = 10_000;
const SECOND_MS = 1000;

/** @param {number} value */
const pad = (value) => String(value).padStart(2, '0');

/**
 * Rounds up, so that a fresh minute reads 1:00 and 0:00 is only shown once the time is over.
 * @param {number} ms time to go
 * @returns {string} `m:ss`, `h:mm:ss` or `Nd hh:mm:ss`
 */
export function formatCountdown(ms) {
  const total = Math.max(0, Math.ceil(ms / SECOND_MS));
  const seconds = total % 60;
  const minutes = Math.floor(total / 60) % 60;
  const hours = Math.floor(total / 3600) % 24;
  const days = Math.floor(total / 86_400);
  if (days > 0) return `${days}d ${pad(hours)}:${pad(minutes)}:${pad(seconds)}`;
  if (hours > 0) return `${hours}:${pad(minutes)}:${pad(seconds)}`;
  return `${minutes}:${pad(seconds)}`;
}

/**
 * @param {number} ms time to go
 * @returns {boolean} whether the last ten seconds have begun
 */
export function isUrgent(ms) {
  return ms <= URGENT_MS;
}

/**
 * @param {number} ms time gone by
 * @returns {string} `now`, `40s ago`, `3m ago`, `2h ago`, `5d ago`
 */
export function formatAgo(ms) {
  const seconds = Math.floor(ms / SECOND_MS);
  if (seconds < 5) return 'now';
  if (seconds < 60) return `${seconds}s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ago`;
  return `${Math.floor(seconds / 86_400)}d ago`;
}

/**
 * A clock face for one hold: the digits, a bar that drains, red in the last ten seconds.
 * `role="timer"` keeps screen readers from reading every tick; `onUrgent` lets the page say it once.
 * @param {{onUrgent?: () => void}} [options]
 */
export function createCountdown({ onUrgent } = {}) {
  const digits = h('span', { class: 'countdown-digits', role: 'timer', testid: 'countdown', 'aria-label': 'Time to buy' });
  const bar = h('span', { class: 'countdown-bar', 'aria-hidden': 'true' });
  const element = h('div', { class: 'countdown' }, digits, bar);
  let deadline = 0;
  let span = 1;
  let warned = false;

  return {
    element,
    /** @param {number} nextDeadline epoch ms @param {number} now */
    set(nextDeadline, now) {
      if (nextDeadline === deadline) return;
      deadline = nextDeadline;
      // Drops do not say how long a hold is; what is to go when it is first seen is a full bar.
      span = Math.max(1, deadline - now);
      warned = false;
      this.tick(now);
    },
    /** @param {number} now epoch ms, the server's */
    tick(now) {
      if (deadline === 0) return;
      const toGo = deadline - now;
      const urgent = isUrgent(toGo);
      setText(digits, formatCountdown(toGo));
      digits.dataset.urgent = String(urgent);
      element.dataset.urgent = String(urgent);
      bar.style.setProperty('--share', String(Math.min(1, Math.max(0, toGo / span))));
      if (urgent && !warned && toGo > 0) {
        warned = true;
        onUrgent?.();
      }
    },
    clear() {
      deadline = 0;
    },
  };
}
