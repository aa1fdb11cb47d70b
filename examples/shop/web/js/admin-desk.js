/** The desk: every drop with its live numbers, the form for a new one, and one drop watched closely. */

import { h, reconcile, setText } from './dom.js';
import { ApiError } from './api.js';
import { createAdminWatch } from './admin-watch.js';
import { createDropForm } from './admin-create.js';
import { phaseOf } from './state.js';

const PHASE_NAMES = { upcoming: 'Upcoming', open: 'Open', mayComeBack: 'All held', soldOut: 'Sold out', ended: 'Ended' };

/**
 * @param {object} options
 * @param {ReturnType<typeof import('./api.js').createApi>} options.api
 * @param {import('./state.js').DropStore} options.store
 * @param {import('./clock.js').ServerClock} options.clock
 * @param {ReturnType<typeof import('./toasts.js').createToasts>} options.toasts
 * @param {(dropId: number) => Promise<void>} options.refresh
 * @param {() => void} options.onRefused the key does not fit
 * @param {() => void} options.onLeave
 */
export function createAdminDesk({ api, store, clock, toasts, refresh, onRefused, onLeave }) {
  let open = true;
  /** @type {number|null} */
  let watched = null;
  /** @type {Map<unknown, any>} */
  const rows = new Map();

  /**
   * Runs what needs the key; a refused key closes the desk, anything else is said aloud.
   * @param {() => Promise<void>} act
   * @returns {Promise<boolean>} whether it went through
   */
  async function attempt(act) {
    try {
      await act();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!open) return false;
      if (error.status === 401) onRefused();
      else toasts.error(error.message);
      return false;
    }
  }

  const watch = createAdminWatch({ api, store, clock, toasts, refresh, attempt });
  const list = h('ul', { class: 'desk-list' });
  const form = createDropForm({
    async onCreate(terms) {
      try {
        const created = await api.admin.create(terms);
        store.receive([created], { aboutUser: false });
        toasts.success(`${created.name} is set up.`);
        select(created.id);
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) onRefused();
        else throw error;
      }
    },
  });
  const element = h('div', { class: 'desk', testid: 'admin-desk' },
    h('div', { class: 'desk-side' }, form.element,
      h('section', { class: 'panel', 'aria-labelledby': 'desk-drops' }, h('h2', { id: 'desk-drops' }, 'Drops'), list),
      h('button', { class: 'button ghost small', type: 'button', testid: 'admin-leave', onclick: onLeave }, 'Forget the key')),
    watch.element);

  /** @param {number} dropId */
  function select(dropId) {
    watched = dropId;
    show();
    watch.watch(dropId);
    watch.element.scrollIntoView({ block: 'nearest' }); // on a phone it stands below the list
  }

  /** @param {import('./state.js').DropFacts} facts */
  function createRow({ id }) {
    const name = h('span', { class: 'desk-name' });
    const phase = h('span', { class: 'desk-phase' });
    const counts = h('span', { class: 'desk-counts' });
    const button = h('button', { type: 'button', class: 'desk-row', testid: 'admin-drop', 'data-drop-id': id, onclick: () => select(id) }, name, phase, counts);
    return {
      element: h('li', {}, button),
      /** @param {import('./state.js').DropFacts} facts */
      update(facts) {
        const present = phaseOf(facts, clock.now());
        setText(name, facts.name);
        setText(phase, PHASE_NAMES[present]);
        phase.dataset.phase = present;
        setText(counts, `${facts.availableStock} available · ${facts.heldStock} held · ${facts.soldCount} sold`);
        button.setAttribute('aria-pressed', String(id === watched));
      },
    };
  }

  function show() {
    if (!open) return;
    const drops = store.list();
    if (watched !== null && !store.get(watched)) watched = null;
    if (watched === null && drops.length > 0) {
      watched = drops[0].id;
      watch.watch(watched);
    }
    reconcile(list, rows, drops, ({ id }) => id, createRow);
  }

  store.subscribe((dropIds) => {
    if (!open) return;
    show();
    if (watched !== null && dropIds.includes(watched)) watch.changed();
  });
  show();

  return {
    element,
    /** @param {number} now */
    tick: (now) => watch.tick(now),
    /** A closed desk asks for nothing any more. */
    close() {
      open = false;
      watch.close();
    },
  };
}
