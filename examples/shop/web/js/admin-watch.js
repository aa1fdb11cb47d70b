/** One drop under the seller's eyes: its numbers, its live holds with a Release each, its stock, its sales and what they brought in. */

import { h, reconcile, setText } from './dom.js';
import { coalesce } from './coalesce.js';
import { formatAgo, formatCountdown, isUrgent } from './countdown.js';
import { createSalesBook } from './sales-book.js';
import { formatMoney } from './money.js';
import { createStockBar } from './stock-display.js';
import { createStockEditor } from './admin-stock.js';
import { phaseOf } from './state.js';

/** In a rush the numbers move with every frame; the lists behind them are asked for at most this often. */
const LISTS_EVERY_MS = 700;
/** Rows in view; the figures above count everything. */
const SALES_SHOWN = 50;
const HOLDS_SHOWN = 200;

/** @param {any} row a hold or a purchase */
const unitsOf = ({ quantity, variant }) => [`${quantity ?? 1} ×`, variant ? `size ${variant}` : 'pair'].join(' ');

/**
 * @param {object} options
 * @param {ReturnType<typeof import('./api.js').createApi>} options.api
 * @param {import('./state.js').DropStore} options.store
 * @param {import('./clock.js').ServerClock} options.clock
 * @param {ReturnType<typeof import('./toasts.js').createToasts>} options.toasts
 * @param {(dropId: number) => Promise<void>} options.refresh
 * @param {(act: () => Promise<void>) => Promise<boolean>} options.attempt
 */
export function createAdminWatch({ api, store, clock, toasts, refresh, attempt }) {
  /** @type {number|null} */
  let dropId = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  let sureToDelete = false;

  const title = h('h2', { id: 'watch-title' });
  const when = h('p', { class: 'watch-when' });
  /** @param {string} label @param {string} testid */
  const figure = (label, testid) => {
    const value = h('dd', { testid });
    return { value, element: h('div', { class: 'figure' }, h('dt', {}, label), value) };
  };
  const figures = {
    available: figure('Available', 'admin-available'),
    held: figure('On hold', 'admin-held'),
    sold: figure('Sold', 'admin-sold'),
    revenue: figure('Revenue', 'admin-revenue'),
  };
  const bar = createStockBar();
  const stock = createStockEditor({ onSave: (terms) => change(terms, 'The stock is set.') });

  const holdList = h('ul', { class: 'ledger', testid: 'admin-holds' });
  const noHolds = h('p', { class: 'ledger-empty' }, 'No pair is on hold.');
  const saleList = h('ul', { class: 'ledger', testid: 'admin-sales' });
  const noSales = h('p', { class: 'ledger-empty' }, 'Nothing sold yet.');
  const holdCount = h('p', { class: 'ledger-count' });
  const saleCount = h('p', { class: 'ledger-count', testid: 'admin-sales-count' });
  const bookOf = (/** @type {number} */ id) => createSalesBook({ load: (until) => api.admin.sales(id, until), sold: () => store.get(id)?.soldCount });
  let book = bookOf(0);
  /** @type {string|undefined} */
  let bookCreatedAt;
  /** @type {Map<unknown, any>} */
  const holdRows = new Map();
  /** @type {Map<unknown, any>} */
  const saleRows = new Map();

  const openNow = h('button', { class: 'button ghost small', type: 'button', testid: 'admin-open-now', onclick: () => change({ startsAt: new Date(clock.now()).toISOString() }, 'The drop is open.') }, 'Open now');
  const endNow = h('button', { class: 'button ghost small', type: 'button', testid: 'admin-end-now', onclick: () => change({ endsAt: new Date(clock.now()).toISOString() }, 'The drop has ended.') }, 'End now');
  const remove = h('button', { class: 'button danger small', type: 'button', testid: 'admin-delete', onclick: removeDrop, onblur: unsure }, 'Delete');
  const placeholder = h('p', { class: 'ledger-empty' }, 'Create a drop, or pick one from the list to watch it.');
  const body = h('div', { class: 'watch-body' },
    h('header', { class: 'watch-head' }, h('div', {}, title, when), h('div', { class: 'watch-actions' }, openNow, endNow, remove)),
    h('dl', { class: 'figures' }, ...Object.values(figures).map(({ element }) => element)),
    bar.element, stock.element,
    h('section', { 'aria-labelledby': 'holds-title' }, h('h3', { id: 'holds-title' }, 'Live holds'), noHolds, holdCount, holdList),
    h('section', { 'aria-labelledby': 'sales-title' }, h('h3', { id: 'sales-title' }, 'Sales'), noSales, saleCount, saleList));
  const element = h('section', { class: 'panel watch', testid: 'admin-watch', 'aria-labelledby': 'watch-title' }, placeholder, body);

  /** @param {object} terms @param {string} done */
  async function change(terms, done) {
    const id = dropId;
    if (id === null) return false;
    const changed = await attempt(async () => {
      const facts = await api.admin.change(id, terms);
      store.receive([facts], { aboutUser: false });
      toasts.success(done);
    });
    if (!changed) await refresh(id);
    return changed;
  }

  function unsure() {
    sureToDelete = false;
    setText(remove, 'Delete');
  }

  /** Deleting takes holds and sales along, so it takes two clicks. */
  async function removeDrop() {
    const id = dropId;
    if (id === null) return;
    if (!sureToDelete) {
      sureToDelete = true;
      setText(remove, 'Delete with its sales?');
      return;
    }
    unsure();
    await attempt(async () => {
      await api.admin.remove(id);
      store.remove([id]);
      toasts.success('The drop is gone.');
    });
  }

  /** @param {any} hold */
  function createHoldRow(hold) {
    const clockFace = h('span', { class: 'ledger-clock', role: 'timer' });
    const release = h('button', { class: 'button ghost small', type: 'button', testid: 'admin-release', 'aria-label': `Release the hold of ${hold.username}` }, 'Release');
    let present = hold;
    release.addEventListener('click', async () => {
      release.disabled = true;
      const id = present.id;
      const released = await attempt(async () => {
        await api.admin.release(id);
        toasts.success(`Released. What ${present.username} held is back on sale.`);
      });
      release.disabled = released;
      if (dropId !== null) await loadLists(dropId);
    });
    const row = h('li', { class: 'ledger-row' }, h('b', {}, hold.username ?? `#${hold.userId}`), h('span', {}, unitsOf(hold)), clockFace, release);
    return {
      element: row,
      /** @param {any} next */
      update(next) {
        present = next;
      },
      /** @param {number} now */
      tick(now) {
        const toGo = Date.parse(present.expiresAt) - now;
        row.hidden = toGo <= 0; // what lapsed is nobody's to release; the next list leaves it out
        setText(clockFace, formatCountdown(toGo));
        clockFace.dataset.urgent = String(isUrgent(toGo));
      },
    };
  }

  /** @param {any} sale */
  function createSaleRow(sale) {
    const age = h('time', { datetime: sale.createdAt });
    const buyer = sale.user?.username ?? sale.username ?? `#${sale.userId}`;
    return {
      element: h('li', { class: 'ledger-row' }, h('b', {}, buyer), h('span', {}, unitsOf(sale)), h('span', { class: 'ledger-amount' }, formatMoney(sale.amountPaid)), age),
      /** @param {number} now */
      tick: (now) => setText(age, formatAgo(now - Date.parse(sale.createdAt))),
    };
  }

  const loadLists = coalesce(async (/** @type {number} */ id) => {
    const facts = store.get(id);
    // A server that was given other data may have another drop under this number.
    if (facts && facts.createdAt !== bookCreatedAt) {
      book = bookOf(id);
      bookCreatedAt = facts.createdAt;
    }
    const mine = book;
    await attempt(async () => {
      const [holds] = await Promise.all([api.admin.holds(id), mine.update()]);
      if (mine !== book) return; // another drop is watched by now
      const { sales, units } = mine;
      reconcile(holdList, holdRows, holds.slice(0, HOLDS_SHOWN), (hold) => hold.id, createHoldRow);
      reconcile(saleList, saleRows, sales.slice(0, SALES_SHOWN), (sale) => sale.id, createSaleRow);
      noHolds.hidden = holds.length > 0;
      noSales.hidden = sales.length > 0;
      setText(holdCount, holds.length > HOLDS_SHOWN ? `The newest ${HOLDS_SHOWN} of ${holds.length} holds.` : '');
      setText(saleCount, sales.length > SALES_SHOWN ? `The newest ${SALES_SHOWN} of ${sales.length} sales, ${units} pairs in all.` : '');
      setText(figures.revenue.value, formatMoney(mine.revenue));
      tick(clock.now());
    });
  });

  function showFacts() {
    const facts = dropId === null ? undefined : store.get(dropId);
    placeholder.hidden = facts !== undefined;
    body.hidden = facts === undefined;
    if (!facts) return;
    const phase = phaseOf(facts, clock.now());
    setText(title, facts.name);
    setText(figures.available.value, facts.availableStock);
    setText(figures.held.value, facts.heldStock);
    setText(figures.sold.value, facts.soldCount);
    openNow.hidden = phase !== 'upcoming';
    endNow.hidden = phase === 'ended' || phase === 'upcoming';
    bar.update(facts);
    stock.update(facts);
  }

  /** @param {number} now */
  function tick(now) {
    const facts = dropId === null ? undefined : store.get(dropId);
    if (!facts) return;
    const startsIn = Date.parse(facts.startsAt ?? '') - now;
    const endsIn = Date.parse(facts.endsAt ?? '') - now;
    const parts = [formatMoney(facts.price)];
    if (startsIn > 0) parts.push(`opens in ${formatCountdown(startsIn)}`);
    else if (endsIn > 0) parts.push(`open, ends in ${formatCountdown(endsIn)}`);
    else parts.push(endsIn <= 0 ? 'ended' : 'open');
    if (facts.maxPerCustomer) parts.push(`max ${facts.maxPerCustomer} each`);
    setText(when, parts.join(' · '));
    for (const row of [...holdRows.values(), ...saleRows.values()]) row.tick(now);
  }

  return {
    element,
    tick,
    /** @param {number} id */
    watch(id) {
      const other = id !== dropId;
      dropId = id;
      if (other) {
        unsure();
        stock.reset();
        for (const [list, rows] of /** @type {const} */ ([[holdList, holdRows], [saleList, saleRows]])) reconcile(list, rows, [], () => null, createSaleRow);
        book = bookOf(id);
        bookCreatedAt = store.get(id)?.createdAt;
        noHolds.hidden = noSales.hidden = true;
        for (const count of [holdCount, saleCount]) setText(count, '');
        setText(figures.revenue.value, '…');
      }
      showFacts();
      tick(clock.now());
      loadLists(id);
    },
    /** The watched drop moved: its numbers at once, its lists soon. */
    changed() {
      showFacts();
      if (dropId === null || !store.get(dropId)) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        if (dropId !== null) loadLists(dropId);
      }, LISTS_EVERY_MS);
    },
    close() {
      clearTimeout(timer);
      dropId = null;
    },
  };
}
