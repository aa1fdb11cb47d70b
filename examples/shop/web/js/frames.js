/** What each frame of the socket means for the store. */

/**
 * @param {object} options
 * @param {import('./state.js').DropStore} options.store
 * @param {import('./clock.js').ServerClock} options.clock
 * @param {(dropId: number) => void} options.refresh asks the server for one drop
 * @param {() => void} options.resync asks the server for all of them
 * @param {(dropId: number) => void} options.doubtHold the shopper's own hold may be gone
 * @param {(facts: import('./state.js').DropFacts) => void} options.onWithdrawn a drop was deleted
 * @returns {(frame: any, openedAt: number) => void}
 */
export function createFrameHandler({ store, clock, refresh, resync, doubtHold, onWithdrawn }) {
  let snapshots = 0;

  return (frame, openedAt) => {
    if (frame.event === 'snapshot') {
      clock.observe(frame.serverTime, openedAt, clock.localNow());
      const contradicted = store.replace(frame.drops ?? []);
      snapshots += 1;
      // A snapshot does not know who listens and leaves out drops that have ended. After a gap, ask what happened to this shopper's
      // holds and which drops are gone.
      if (snapshots > 1 || contradicted) resync();
      return;
    }
    const { event, dropId } = frame;
    if (!Number.isInteger(dropId)) return;
    const known = store.get(dropId);
    if (frame.deleted === true) {
      store.remove([dropId]);
      if (known) onWithdrawn(known);
      return;
    }
    // The drop as it now is comes along, for nobody in particular: the shopper's own hold stays as it was.
    if (frame.drop) {
      store.receive([frame.drop], { aboutUser: false });
      return;
    }
    if (!known) {
      refresh(dropId);
      return;
    }
    switch (event) {
      case 'stockUpdated':
        store.stock(dropId, frame);
        if (mayBeOurs(known, frame)) doubtHold(dropId);
        break;
      case 'purchaseCompleted':
        store.purchase(dropId, frame);
        break;
      case 'dropOpened':
      case 'dropEnded':
      case 'dropChanged':
        refresh(dropId); // a server that does not send the drop along
        break;
      default: // dropSoldOut says nothing its stockUpdated did not; events of later servers are none of this page's business
    }
  };
}

/**
 * Fewer units on hold than before, and enough of them in the size that the shopper holds: theirs may be among them.
 * @param {import('./state.js').DropFacts} known
 * @param {any} frame `stockUpdated`
 * @returns {boolean}
 */
function mayBeOurs(known, frame) {
  const own = known.userReservation;
  if (!own) return false;
  const heldIn = (/** @type {any} */ counts) => counts.variants?.find((/** @type {any} */ { name }) => name === (own.variant ?? null))?.heldStock ?? counts.heldStock;
  return heldIn(known) - heldIn(frame) >= (own.quantity ?? 1);
}
