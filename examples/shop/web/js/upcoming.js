/** A drop that is not out yet: its shoe in the dark, what is known of it, and the time to go. */

import { h, setText } from './dom.js';
import { formatCountdown, isUrgent } from './countdown.js';
import { formatMoney } from './money.js';
import { createSneakerArt } from './sneaker-art.js';
import { sizesOf } from './state.js';

/** @param {string} at RFC 3339 @returns {string} in the shopper's own words and time zone */
export function formatMoment(at) {
  return new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' }).format(new Date(at));
}

/**
 * @param {import('./state.js').DropFacts} facts as first known
 */
export function createUpcomingCard(facts) {
  let startsAt = 0;
  const title = h('h3', { class: 'drop-name', id: `drop-${facts.id}-name` });
  const details = h('p', { class: 'upcoming-details' });
  const when = h('time', { class: 'upcoming-when' });
  const clock = h('p', { class: 'upcoming-clock', role: 'timer', testid: 'opens-in', 'aria-label': 'Time to go' });
  const element = h('article', { class: 'card upcoming-card', 'data-drop-id': facts.id, 'data-phase': 'upcoming', 'aria-labelledby': title.id, id: `drop-${facts.id}` },
    h('div', { class: 'card-art' }, createSneakerArt(facts, { teaser: true }).element, h('p', { class: 'status', testid: 'status' }, 'Upcoming')),
    h('div', { class: 'card-body' }, title, details, h('p', { class: 'upcoming-label' }, 'Opens ', when), clock));

  return {
    element,
    dropId: facts.id,
    /** @param {import('./state.js').DropFacts} next @param {number} now */
    update(next, now) {
      setText(title, next.name);
      const sizes = sizesOf(next).length;
      setText(details, [
        formatMoney(next.price),
        `${next.totalStock} ${next.totalStock === 1 ? 'pair' : 'pairs'}`,
        sizes > 1 ? `${sizes} sizes` : '',
        next.maxPerCustomer ? `max ${next.maxPerCustomer} each` : '',
      ].filter(Boolean).join(' · '));
      startsAt = Date.parse(next.startsAt ?? '');
      when.dateTime = next.startsAt ?? '';
      setText(when, next.startsAt ? formatMoment(next.startsAt) : '');
      this.tick(now);
    },
    /** @param {number} now */
    tick(now) {
      setText(clock, formatCountdown(startsAt - now));
      clock.dataset.urgent = String(isUrgent(startsAt - now));
    },
    connection() {},
  };
}
