/** The shopper's own hold on a card: the clock, Buy, More time, and Let it go. */

import { h, setText } from './dom.js';
import { createCountdown } from './countdown.js';
import { formatMoney, times } from './money.js';

/** @typedef {import('./state.js').DropFacts} DropFacts */
/** @typedef {import('./state.js').Hold} Hold */

/**
 * @param {Hold} hold
 * @returns {string} e.g. "2 pairs, size 42"
 */
function describeHold({ quantity, variant }) {
  const parts = [quantity && quantity > 1 ? `${quantity} pairs` : 'Your pair'];
  if (variant) parts.push(`size ${variant}`);
  return parts.join(', ');
}

/**
 * @param {object} actions
 * @param {() => void} actions.onBuy
 * @param {() => void} actions.onLetGo
 * @param {() => void} actions.onExtend
 * @param {() => void} actions.onUrgent
 */
export function createHoldPanel({ onBuy, onLetGo, onExtend, onUrgent }) {
  const what = h('p', { class: 'hold-what' });
  const countdown = createCountdown({ onUrgent });
  const buy = h('button', { class: 'button primary', type: 'button', testid: 'buy', onclick: onBuy }, 'Buy');
  const letGo = h('button', { class: 'button ghost', type: 'button', testid: 'let-go', onclick: onLetGo }, 'Let it go');
  const extend = h('button', { class: 'button ghost', type: 'button', testid: 'extend', onclick: onExtend }, 'More time');
  const element = h('div', { class: 'hold', testid: 'hold', role: 'group', 'aria-label': 'Your hold', hidden: true },
    h('div', { class: 'hold-head' }, h('div', {}, h('p', { class: 'hold-title' }, 'On hold for you'), what), countdown.element),
    h('div', { class: 'hold-actions' }, buy, extend, letGo));

  return {
    element,
    /** @param {DropFacts} facts @param {Hold|null} hold @param {number} now */
    update(facts, hold, now) {
      element.hidden = !hold;
      if (!hold) {
        countdown.clear();
        return;
      }
      setText(what, describeHold(hold));
      // A hold known by its number alone, after a reload, may be of several pairs: better no amount than a wrong one.
      const { quantity } = hold;
      setText(buy, quantity === undefined ? 'Buy' : `Buy ${formatMoney(times(hold.price ?? facts.price, quantity))}`);
      // Repeating a reservation must repeat its size and quantity exactly, so both have to be known.
      extend.hidden = hold.quantity === undefined;
      countdown.set(Date.parse(hold.expiresAt), now);
    },
    /** @param {number} now */
    tick(now) {
      if (!element.hidden) countdown.tick(now);
    },
    focus: () => buy.focus(),
  };
}
