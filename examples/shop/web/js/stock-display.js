/** StockDisplay: the number that moves, the bar of sold, held and available, and the dot that says whether it is live. */

import { h, setText } from './dom.js';

const DOT_LABELS = { live: 'Live', connecting: 'Connecting', offline: 'Offline' };

/**
 * @typedef {{availableStock: number, heldStock: number, soldCount: number, totalStock: number}} Counts
 */

/**
 * @param {Counts} counts
 * @returns {string} for those who hear the page
 */
export function describeStock({ availableStock, heldStock, soldCount, totalStock }) {
  return `${availableStock} available, ${heldStock} on hold, ${soldCount} sold, of ${totalStock}`;
}

/** A bar of three shares. Each share also differs by pattern, for those who do not see the colours apart. */
export function createStockBar() {
  const parts = { sold: h('span', { class: 'bar-sold' }), held: h('span', { class: 'bar-held' }), available: h('span', { class: 'bar-available' }) };
  const element = h('div', { class: 'stock-bar', role: 'img' }, parts.sold, parts.held, parts.available);
  return {
    element,
    /** @param {Counts} counts */
    update(counts) {
      parts.sold.style.setProperty('flex-grow', String(counts.soldCount));
      parts.held.style.setProperty('flex-grow', String(counts.heldStock));
      parts.available.style.setProperty('flex-grow', String(counts.availableStock));
      element.setAttribute('aria-label', describeStock(counts));
    },
  };
}

export function createStockDisplay() {
  const number = h('span', { class: 'stock-number', testid: 'stock' });
  const total = h('span', { class: 'stock-total' });
  const dotText = h('span', { class: 'dot-text' });
  const dot = h('span', { class: 'live-dot', testid: 'live-dot', 'data-state': 'connecting' }, h('span', { class: 'dot', 'aria-hidden': 'true' }), dotText);
  const bar = createStockBar();
  const held = h('span', { class: 'key key-held' });
  const sold = h('span', { class: 'key key-sold' });
  const element = h('div', { class: 'stock' },
    h('div', { class: 'stock-line' }, number, total, dot),
    bar.element,
    h('p', { class: 'stock-keys', 'aria-hidden': 'true' }, held, sold));
  /** @type {number|null} */
  let shown = null;

  /** @param {number} next */
  function move(next) {
    if (shown === next) return;
    if (shown !== null) {
      // The old number leaves as generated content, so that the element's text is never anything but the present number.
      number.dataset.previous = String(shown);
      number.dataset.direction = next < shown ? 'down' : 'up';
      number.classList.remove('moving');
      void number.offsetWidth; // restarts the animation when two changes follow closely
      number.classList.add('moving');
    }
    shown = next;
    setText(number, next);
  }
  number.addEventListener('animationend', () => number.classList.remove('moving'));

  return {
    element,
    /** @param {Counts} counts */
    update(counts) {
      move(counts.availableStock);
      setText(total, `of ${counts.totalStock} available`);
      setText(held, `${counts.heldStock} on hold`);
      setText(sold, `${counts.soldCount} sold`);
      bar.update(counts);
    },
    /** @param {import('./socket.js').ConnectionState} state */
    connection(state) {
      dot.dataset.state = state;
      setText(dotText, DOT_LABELS[state]);
    },
  };
}
