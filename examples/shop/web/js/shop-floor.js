/** Which drop stands where: out now, or up next. A drop moves over by itself when the server's clock says so. */

import { byId, reconcile, setText } from './dom.js';
import { createDropCard } from './drop-card.js';
import { createHero } from './hero.js';
import { createTape } from './activity-feed.js';
import { createUpcomingCard } from './upcoming.js';
import { identityOf, phaseOf } from './state.js';

/** @typedef {import('./state.js').DropFacts} DropFacts */

const JUST_NOW_MS = 5000;

/** @param {number} count @param {string} one @param {string} many */
const counted = (count, one, many) => `${count} ${count === 1 ? one : many}`;

/**
 * @param {object} options
 * @param {import('./state.js').DropStore} options.store
 * @param {import('./clock.js').ServerClock} options.clock
 * @param {import('./drop-card.js').CardActions} options.actions
 * @param {(facts: DropFacts) => void} options.onOpened a drop went on sale while the page looked on
 */
export function createShopFloor({ store, clock, actions, onOpened }) {
  const liveGrid = byId('live-grid');
  const upcomingGrid = byId('upcoming-grid');
  const hero = createHero();
  const tape = createTape(byId('tape'));
  /** @type {Map<unknown, any>} */
  const live = new Map();
  /** @type {Map<unknown, any>} */
  const upcoming = new Map();
  /**
   * Given when a card is first laid out, and kept: a card that sells out under the pointer must not run away.
   * @type {Map<number, number>}
   */
  const ranks = new Map();
  /** @type {Map<number, string>} */
  let phases = new Map();
  /** @type {import('./socket.js').ConnectionState} */
  let connection = 'connecting';
  let note = 'Loading the drops.';

  /** @param {DropFacts} facts @param {string} phase */
  function rankOf({ id }, phase) {
    if (!ranks.has(id)) ranks.set(id, phase === 'ended' ? 2 : Number(phase === 'soldOut'));
    return /** @type {number} */ (ranks.get(id));
  }

  /** @param {DropFacts} facts @returns {boolean} drops long over are left out; one that ends before our eyes stays to say so */
  function isShown(facts) {
    return phases.get(facts.id) !== 'ended' || live.has(identityOf(facts)) || facts.userReservation !== null;
  }

  /** @param {(facts: DropFacts) => any} create */
  const build = (create) => (/** @type {DropFacts} */ facts) => {
    const card = create(facts);
    card.connection(connection);
    return {
      element: card.element,
      card,
      /** @param {DropFacts} next */
      update(next) {
        // Most changes concern one drop; the others' cards need no look.
        if (this.shown === next && this.phase === phases.get(next.id)) return;
        this.shown = next;
        this.phase = phases.get(next.id);
        card.update(next, clock.now());
      },
      shown: /** @type {DropFacts|null} */ (null),
      phase: /** @type {string|undefined} */ (undefined),
    };
  };
  const buildLive = build((facts) => createDropCard(facts, actions));
  const buildUpcoming = build(createUpcomingCard);

  function layOut() {
    const now = clock.now();
    const drops = store.list();
    const before = phases;
    phases = new Map(drops.map((facts) => [facts.id, phaseOf(facts, now)]));
    // Only what opens now is news: a clock set right, or a start moved by the seller, may open a drop in the past.
    const opened = drops.filter(({ id, startsAt }) => before.get(id) === 'upcoming' && phases.get(id) === 'open' && now - Date.parse(startsAt ?? '') < JUST_NOW_MS);

    const out = drops.filter((facts) => phases.get(facts.id) !== 'upcoming' && isShown(facts));
    out.sort((a, b) => rankOf(a, phases.get(a.id) ?? '') - rankOf(b, phases.get(b.id) ?? ''));
    const next = drops.filter(({ id }) => phases.get(id) === 'upcoming');
    next.sort((a, b) => Date.parse(a.startsAt ?? '') - Date.parse(b.startsAt ?? ''));
    reconcile(liveGrid, live, out, identityOf, buildLive);
    reconcile(upcomingGrid, upcoming, next, identityOf, buildUpcoming);

    const pairs = out.reduce((sum, facts) => sum + (phases.get(facts.id) === 'open' ? facts.availableStock : 0), 0);
    setText(byId('live-count'), out.length > 0 ? `${counted(out.length, 'drop', 'drops')} · ${counted(pairs, 'pair', 'pairs')} available` : '');
    setText(byId('upcoming-count'), counted(next.length, 'drop', 'drops'));
    byId('upcoming').hidden = next.length === 0;
    setText(byId('live-note'), note);
    byId('live-note').hidden = out.length > 0;
    hero.update(drops, now);
    tape.update(drops);
    for (const facts of opened) onOpened(facts);
  }

  store.subscribe(layOut);

  return {
    /** @param {number} now */
    tick(now) {
      if (store.list().some((facts) => phaseOf(facts, now) !== phases.get(facts.id))) layOut();
      for (const { card } of [...live.values(), ...upcoming.values()]) card.tick(now);
      hero.tick(now);
    },
    /** @param {import('./socket.js').ConnectionState} state */
    connection(state) {
      connection = state;
      for (const { card } of live.values()) card.connection(state);
    },
    /** @param {string} text what to say where there is nothing to show */
    say(text) {
      note = text;
      layOut();
    },
  };
}
