/** The shopper's own holds, watched until they end: at their deadline, by the seller's hand, or in another of the shopper's windows. */

/** How long after a change the question is asked whether it was about this shopper; spread, as many may have the same doubt. */
const DOUBT_MS = 1500;

/**
 * @param {object} options
 * @param {import('./state.js').DropStore} options.store
 * @param {import('./clock.js').ServerClock} options.clock
 * @param {ReturnType<typeof import('./toasts.js').createToasts>} options.toasts
 * @param {(dropId: number) => Promise<void>} options.refresh
 * @param {(dropId: number) => boolean} options.isSettling whether a request about the hold is under way; its answer decides
 * @param {(hold: import('./state.js').Hold) => Promise<boolean>} options.wasBought whether the shopper bought it, here or elsewhere
 */
export function createHoldWatch({ store, clock, toasts, refresh, isSettling, wasBought }) {
  const doubts = new Set();
  const lapsed = new Set();

  /**
   * @param {number} dropId
   * @param {import('./state.js').Hold} ended
   * @param {string} name
   * @param {string} sentence
   */
  async function tell(dropId, ended, name, sentence) {
    const now = store.get(dropId)?.userReservation;
    if (now && now.id === ended.id && Date.parse(now.expiresAt) > clock.now()) return; // it was given more time in another window
    if (await wasBought(ended)) toasts.success(`It is yours: ${name}.`, dropId);
    else toasts.info(sentence, dropId);
  }

  return {
    /** Holds were given up somewhere in a drop the shopper holds; it may have been theirs. @param {number} dropId */
    doubt(dropId) {
      if (doubts.has(dropId)) return;
      doubts.add(dropId);
      setTimeout(async () => {
        doubts.delete(dropId);
        const held = store.get(dropId)?.userReservation;
        if (!held || isSettling(dropId)) return;
        await refresh(dropId);
        const facts = store.get(dropId);
        if (facts && !facts.userReservation && !isSettling(dropId) && Date.parse(held.expiresAt) > clock.now()) {
          await tell(dropId, held, facts.name, `Your hold on ${facts.name} has ended.`);
        }
      }, DOUBT_MS * (0.5 + Math.random()));
    },
    /** A hold ends on screen at its deadline, whether or not anything arrives to say so. @param {number} now */
    tick(now) {
      for (const { id, name, userReservation } of store.list()) {
        if (!userReservation || Date.parse(userReservation.expiresAt) > now || isSettling(id)) continue;
        store.hold(id, null);
        const key = `${userReservation.id} ${userReservation.expiresAt}`;
        if (lapsed.has(key)) continue; // an answer that was on its way brought the lapsed hold back once more
        lapsed.add(key);
        refresh(id).then(() => tell(id, userReservation, name, `Time is up. Your hold on ${name} is over, and what you held is back on sale.`));
      }
    },
  };
}
