/** Every sale of one drop, so that what it brought in is exact however many they are. */

import { sumOf } from './money.js';

/** @param {{createdAt: string}} a @param {{createdAt: string}} b */
export const newestFirst = (a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt);

/**
 * Most of what is new is at the head of the list, so an update reads no further than to what is known. But the list is in the order
 * of the holds that became sales: one bought late in its hold stands behind others already read. What was sold says whether the
 * book is complete; where it is not, or holds too much, as after a buyer was deleted, the whole list is read again.
 * @param {object} options
 * @param {(until: (sale: any) => boolean) => Promise<any[]>} options.load the sales, to the page with a row that satisfies `until`
 * @param {() => number|undefined} options.sold units, as last heard
 */
export function createSalesBook({ load, sold }) {
  /** @type {any[]} */
  let sales = [];

  const unitsOf = () => sales.reduce((units, { quantity }) => units + (quantity ?? 1), 0);

  return {
    async update() {
      const soldBefore = sold() ?? 0;
      const known = new Set(sales.map(({ id }) => id));
      const loaded = await load(({ id }) => known.has(id));
      sales = [...loaded.filter(({ id }) => !known.has(id)), ...sales];
      const isComplete = unitsOf() >= soldBefore && unitsOf() <= (sold() ?? Number.POSITIVE_INFINITY);
      if (!isComplete && known.size > 0) sales = await load(() => false);
      sales.sort(newestFirst);
    },
    get sales() {
      return sales;
    },
    get units() {
      return unitsOf();
    },
    get revenue() {
      return sumOf(sales.map(({ amountPaid }) => amountPaid));
    },
  };
}
