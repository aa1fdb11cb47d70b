/** What a shopper can do, and what the page says about how it went. */

import { ApiError } from './api.js';

const NOT_SURE_IF_BOUGHT = 'No answer from the shop. Press Buy again: a second try never buys a second time.';

/**
 * @param {object} options
 * @param {ReturnType<typeof import('./api.js').createApi>} options.api
 * @param {import('./state.js').DropStore} options.store
 * @param {ReturnType<typeof import('./toasts.js').createToasts>} options.toasts
 * @param {{username: string, require: () => string}} options.shopper
 * @param {(dropId: number) => Promise<void>} options.refresh
 * @param {() => boolean} options.isLive whether changes arrive by themselves
 * @param {() => void} options.onPurchase
 * @param {(subject: string, sentence: string) => void} options.announce
 * @returns {import('./drop-card.js').CardActions & {isSettling: (dropId: number) => boolean}}
 */
export function createActions({ api, store, toasts, shopper, refresh, isLive, onPurchase, announce }) {
  /**
   * @param {number} dropId
   * @param {unknown} error
   */
  async function explain(dropId, error) {
    if (!(error instanceof ApiError)) throw error;
    toasts.error(error.message, dropId);
    // Rejected means the page was wrong about something: sold out, closed, already holding. Find out.
    if (error.status >= 400 && error.status < 500 && error.status !== 429) await refresh(dropId);
  }

  /**
   * @param {number} dropId
   * @param {{variant?: string, quantity: number}} choice
   * @param {string} username
   */
  async function hold(dropId, { variant, quantity }, username) {
    const answer = await api.reserve({ dropId, username, ...(variant && { variant }), ...(quantity > 1 && { quantity }) });
    if (username === shopper.username) store.hold(dropId, { variant, quantity, ...answer.reservation }, answer.version);
    if (!isLive()) await refresh(dropId);
    return answer;
  }

  /** Drops whose hold is being asked about right now. */
  const settling = new Set();
  const settle = (/** @type {(dropId: number) => Promise<void>} */ act) => async (/** @type {number} */ dropId) => {
    settling.add(dropId);
    try {
      await act(dropId);
    } finally {
      settling.delete(dropId);
    }
  };

  return {
    announce,
    isSettling: (dropId) => settling.has(dropId),

    async reserve(dropId, choice) {
      const username = shopper.require();
      if (username === '') return;
      try {
        const { extended } = await hold(dropId, choice, username);
        toasts.success(extended ? 'You already hold this one. The clock was set back.' : 'It is on hold for you. The clock is running.', dropId);
      } catch (error) {
        await explain(dropId, error);
      }
    },

    extend: settle(async (dropId) => {
      const before = store.get(dropId)?.userReservation;
      if (!before || before.quantity === undefined) return;
      try {
        const { reservation } = await hold(dropId, { variant: before.variant ?? undefined, quantity: before.quantity }, shopper.username);
        if (Date.parse(reservation.expiresAt) > Date.parse(before.expiresAt)) toasts.success('A little more time for you.', dropId);
        else toasts.info('That is as long as a pair can be held.', dropId);
      } catch (error) {
        await explain(dropId, error);
      }
    }),

    buy: settle(async (dropId) => {
      const held = store.get(dropId)?.userReservation;
      if (!held) return;
      try {
        const answer = await api.purchase(held.id, shopper.username);
        store.hold(dropId, null, answer.version);
        toasts.success(`It is yours: ${store.get(dropId)?.name ?? 'the pair'}.`, dropId);
        onPurchase();
        if (!isLive()) await refresh(dropId);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.status === 410) store.hold(dropId, null);
        if (error.code === 'NETWORK') toasts.error(NOT_SURE_IF_BOUGHT, dropId);
        else await explain(dropId, error);
      }
    }),

    letGo: settle(async (dropId) => {
      const held = store.get(dropId)?.userReservation;
      if (!held) return;
      try {
        const answer = await api.release(held.id, shopper.username);
        store.hold(dropId, null, answer?.version);
        toasts.info('You let it go. Somebody else will be happy.', dropId);
        if (!isLive()) await refresh(dropId);
      } catch (error) {
        if (error instanceof ApiError && (error.status === 404 || error.status === 410)) store.hold(dropId, null);
        await explain(dropId, error);
      }
    }),
  };
}
