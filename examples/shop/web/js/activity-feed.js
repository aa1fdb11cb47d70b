/** ActivityFeed: who bought, on each card and on the tape across the page. */

import { h, setText } from './dom.js';
import { formatAgo } from './countdown.js';
import { identityOf } from './state.js';

/** As many as the server names for a drop, if there are that many. */
const NAMED_BY_SERVER = 3;
const SHOWN_PER_CARD = 4;
const SHOWN_ON_TAPE = 8;

/** @typedef {import('./state.js').Purchaser} Purchaser */

/**
 * The server names the three newest; what was seen before them stays in view behind them. Where it names fewer there are no more, and
 * what would stand among those it names is not true any more: the server was given older data, or a buyer was deleted.
 * @template {Purchaser} T
 * @param {T[]} seen
 * @param {T[]} incoming
 * @param {number} [most]
 * @returns {T[]} newest first, none twice
 */
export function mergeActivity(seen, incoming, most = SHOWN_PER_CARD) {
  const keyOf = (/** @type {Purchaser} */ { username, purchasedAt }) => `${username}\n${purchasedAt}`;
  const named = new Set(incoming.map(keyOf));
  const oldest = incoming.length < NAMED_BY_SERVER ? Number.NEGATIVE_INFINITY : Date.parse(incoming[incoming.length - 1].purchasedAt);
  const behind = seen.filter((entry) => !named.has(keyOf(entry)) && Date.parse(entry.purchasedAt) <= oldest);
  const kept = new Map(seen.map((entry) => [keyOf(entry), entry]));
  return [...incoming.map((entry) => kept.get(keyOf(entry)) ?? entry), ...behind].slice(0, most);
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
  /** @type {Map<string, Purchaser[]>} by drop; what is gone from the shop is gone from the tape */
  let seen = new Map();
  let shown = '';
  return {
    /** @param {import('./state.js').DropFacts[]} drops */
    update(drops) {
      const before = seen;
      seen = new Map(drops.map((facts) => [identityOf(facts), mergeActivity(before.get(identityOf(facts)) ?? [], facts.topPurchasers ?? [], SHOWN_ON_TAPE)]));
      const entries = drops.flatMap((facts) => (seen.get(identityOf(facts)) ?? []).map((purchaser) => ({ ...purchaser, dropName: facts.name })))
        .sort((a, b) => Date.parse(b.purchasedAt) - Date.parse(a.purchasedAt)).slice(0, SHOWN_ON_TAPE);
      const key = entries.map(({ username, purchasedAt, dropName }) => username + purchasedAt + dropName).join();
      if (key === shown && list.childElementCount > 0) return;
      shown = key;
      list.replaceChildren(...(entries.length > 0
        ? entries.map(({ username, dropName }) => h('li', {}, h('b', {}, username), ' got ', h('span', {}, dropName)))
        : [h('li', {}, 'Nobody yet. The first name here could be yours.')]));
    },
  };
}
