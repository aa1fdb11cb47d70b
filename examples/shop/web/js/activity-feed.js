/** ActivityFeed: who bought, on each card and on the tape across the page. */

import { h, setText } from './dom.js';
import { formatAgo } from './countdown.js';

const SHOWN_PER_CARD = 4;
const SHOWN_ON_TAPE = 8;

/** @typedef {import('./state.js').Purchaser} Purchaser */

/**
 * The server names the three newest; what was seen before them stays in view behind them.
 * @template {Purchaser} T
 * @param {T[]} seen
 * @param {T[]} incoming
 * @param {number} [most]
 * @returns {T[]} newest first, none twice
 */
export function mergeActivity(seen, incoming, most = SHOWN_PER_CARD) {
  const byKey = new Map([...seen, ...incoming].map((entry) => [`${entry.username}\n${entry.purchasedAt}`, entry]));
  return [...byKey.values()].sort((a, b) => Date.parse(b.purchasedAt) - Date.parse(a.purchasedAt)).slice(0, most);
}

/**
 * @param {{title: string}} options
 */
export function createActivityFeed({ title }) {
  const list = h('ol', { class: 'activity-list' });
  const empty = h('p', { class: 'activity-empty' }, 'Nobody yet. Be the first.');
  const element = h('section', { class: 'activity', testid: 'activity', 'aria-label': `Recent buyers of ${title}` },
    h('h4', { class: 'activity-title' }, 'Recent buyers'), empty, list);
  /** @type {Purchaser[]} */
  let entries = [];
  /** @type {{at: number, element: HTMLElement}[]} */
  let ages = [];
  let first = true;

  return {
    element,
    /** @param {Purchaser[]} purchasers @param {number} now */
    update(purchasers, now) {
      const next = mergeActivity(entries, purchasers);
      if (!first && next.length === entries.length && next.every((entry, index) => entry === entries[index])) return;
      const known = new Set(entries.map(({ username, purchasedAt }) => username + purchasedAt));
      entries = next;
      ages = [];
      list.replaceChildren(...entries.map(({ username, purchasedAt }) => {
        const age = h('time', { datetime: purchasedAt });
        ages.push({ at: Date.parse(purchasedAt), element: age });
        const isNew = !first && !known.has(username + purchasedAt);
        return h('li', { class: isNew ? 'activity-entry arriving' : 'activity-entry' },
          h('span', { class: 'avatar', 'aria-hidden': 'true' }, username.slice(0, 1)),
          h('span', { class: 'activity-name' }, username), age);
      }));
      empty.hidden = entries.length > 0;
      first = false;
      this.tick(now);
    },
    /** @param {number} now */
    tick(now) {
      for (const { at, element: age } of ages) setText(age, formatAgo(now - at));
    },
  };
}

/**
 * @param {HTMLElement} list
 */
export function createTape(list) {
  /** @type {(Purchaser & {dropName: string})[]} */
  let entries = [];
  let shown = '';
  return {
    /** @param {import('./state.js').DropFacts[]} drops */
    update(drops) {
      const incoming = drops.flatMap((facts) => facts.topPurchasers.map((purchaser) => ({ ...purchaser, dropName: facts.name })));
      entries = mergeActivity(entries, incoming, SHOWN_ON_TAPE);
      const key = entries.map(({ username, purchasedAt }) => username + purchasedAt).join();
      if (key === shown && list.childElementCount > 0) return;
      shown = key;
      list.replaceChildren(...(entries.length > 0
        ? entries.map(({ username, dropName }) => h('li', {}, h('b', {}, username), ' got ', h('span', {}, dropName)))
        : [h('li', {}, 'Nobody yet. The first name here could be yours.')]));
    },
  };
}
