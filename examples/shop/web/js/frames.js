/** What each frame of the socket means for the store. */

/**
 * @param {object} options
 * @param {import('./state.js').DropStore} options.store
 * @param {import('./clock.js').ServerClock} options.clock
 * @param {(dropId: number) => void} options.refresh asks the server for one drop
 * @param {() => void} options.resync asks the server for all of them
 * @param {(dropId: number) => void} options.doubtHold the shopper's own hold may be gone
 * @returns {(frame: any, openedAt: number) => void}
 */
export function createFrameHandler({ store, clock, refresh, resync, doubtHold }) {
  let snapshots = 0;

  return (frame, openedAt) => {
    if (frame.event === 'snapshot') {
      clock.observe(frame.serverTime, openedAt, clock.localNow());
      store.receive(frame.drops ?? [], { aboutUser: false });
      snapshots += 1;
      // A snapshot does not know who listens. After a gap, ask again what happened to this shopper's holds and which drops are gone.
      if (snapshots > 1) resync();
      return;
    }
    const { event, dropId } = frame;
    if (!Number.isInteger(dropId)) return;
    const known = store.get(dropId);
    if (!known) {
      refresh(dropId);
      return;
    }
    switch (event) {
      case 'stockUpdated':
        store.stock(dropId, frame);
        if (known.userReservation && frame.heldStock < known.heldStock) doubtHold(dropId);
        break;
      case 'purchaseCompleted':
        store.purchase(dropId, frame);
        break;
      case 'dropOpened':
      case 'dropEnded':
      case 'dropChanged':
        refresh(dropId);
        break;
      default: // dropSoldOut says nothing its stockUpdated did not; events of later servers are none of this page's business
    }
  };
}
