/** The shopper's own purchases. */

import { byId, h } from './dom.js';
import { newestFirst } from './sales-book.js';
import { createSneakerArt } from './sneaker-art.js';
import { formatMoment } from './upcoming.js';
import { formatMoney } from './money.js';

/**
 * @param {import('./state.js').DropStore} store names the drops
 */
export function createMyPairs(store) {
  const section = byId('pairs');
  const list = byId('pairs-list');
  const bought = new Set();

  return {
    /** @param {number} reservationId */
    includes: (reservationId) => bought.has(reservationId),
    /** @param {any[]} purchases */
    update(purchases) {
      bought.clear();
      for (const { reservationId } of purchases) bought.add(reservationId);
      section.hidden = purchases.length === 0;
      list.replaceChildren(...[...purchases].sort(newestFirst).map(({ dropId, amountPaid, quantity, variant, createdAt }) => {
        const name = store.get(dropId)?.name ?? `Drop ${dropId}`;
        const details = [quantity > 1 ? `${quantity} pairs` : '', variant ? `size ${variant}` : '', formatMoney(amountPaid)].filter(Boolean).join(' · ');
        return h('li', { class: 'pair' },
          h('div', { class: 'pair-art' }, createSneakerArt({ id: dropId, name }).element),
          h('div', {}, h('p', { class: 'pair-name' }, name), h('p', {}, details), h('time', { datetime: createdAt }, formatMoment(createdAt))));
      }));
    },
  };
}
