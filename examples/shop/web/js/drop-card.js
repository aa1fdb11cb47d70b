/** DropCard: one drop that is out, with everything a shopper can do about it. Built once, then only changed where facts changed. */

import { h, setText } from './dom.js';
import { createActivityFeed } from './activity-feed.js';
import { createHoldPanel } from './hold-panel.js';
import { formatCountdown } from './countdown.js';
import { formatMoney } from './money.js';
import { createPicker } from './picker.js';
import { createSneakerArt } from './sneaker-art.js';
import { phaseOf } from './state.js';
import { createStockDisplay, describeStock } from './stock-display.js';

/** The last hour of a drop is counted down; before that, its end is no news. */
const CLOSING_SOON_MS = 3_600_000;

const PHASES = {
  upcoming: { status: 'Opening', button: 'Not open yet' },
  open: { status: 'Out now', button: 'Reserve' },
  mayComeBack: { status: 'May come back', button: 'All on hold' },
  soldOut: { status: 'Sold out', button: 'Sold out' },
  ended: { status: 'Ended', button: 'Ended' },
};

/**
 * @typedef {object} CardActions
 * @property {(dropId: number, choice: {variant?: string, quantity: number}) => Promise<void>} reserve
 * @property {(dropId: number) => Promise<void>} buy
 * @property {(dropId: number) => Promise<void>} letGo
 * @property {(dropId: number) => Promise<void>} extend
 * @property {(subject: string, sentence: string) => void} announce
 */

/**
 * @param {import('./state.js').DropFacts} facts as first known
 * @param {CardActions} actions
 */
export function createDropCard(facts, actions) {
  const dropId = facts.id;
  let present = facts;
  let busy = false;
  let hadHold = false;
  let spoken = '';

  const art = createSneakerArt(facts);
  const status = h('p', { class: 'status', testid: 'status' });
  const title = h('h3', { class: 'drop-name', id: `drop-${dropId}-name` });
  const price = h('p', { class: 'drop-price' });
  const closing = h('p', { class: 'closing', hidden: true });
  const stock = createStockDisplay();
  const picker = createPicker(facts);
  const reserve = h('button', { class: 'button primary reserve', type: 'button', testid: 'reserve' }, 'Reserve');
  const hint = h('p', { class: 'hint' });
  const feed = createActivityFeed({ title: facts.name });

  /** One request at a time per card. The buttons stay focusable meanwhile, or the keyboard would lose its place. */
  const once = (/** @type {() => Promise<void>} */ act) => async () => {
    if (busy) return;
    busy = true;
    element.setAttribute('aria-busy', 'true');
    try {
      await act();
    } finally {
      busy = false;
      element.removeAttribute('aria-busy');
    }
  };

  reserve.addEventListener('click', () => {
    const choice = picker.choice();
    if (choice) once(() => actions.reserve(dropId, choice))();
  });
  const hold = createHoldPanel({
    onBuy: once(() => actions.buy(dropId)),
    onLetGo: once(() => actions.letGo(dropId)),
    onExtend: once(() => actions.extend(dropId)),
    onUrgent: () => actions.announce(`urgent-${dropId}`, `Ten seconds to buy ${present.name}.`),
  });

  const offer = h('div', { class: 'offer' }, picker.element, reserve, hint);
  const element = h('article', { class: 'card', 'data-drop-id': dropId, 'aria-labelledby': title.id, id: `drop-${dropId}` },
    h('div', { class: 'card-art' }, art.element, status),
    h('div', { class: 'card-body' },
      h('header', { class: 'card-head' }, title, price), closing, stock.element, offer, hold.element, feed.element));

  /** @param {import('./state.js').Phase} phase */
  function hintFor(phase) {
    if (phase === 'mayComeBack') {
      const { heldStock } = present;
      return `${heldStock} ${heldStock === 1 ? 'hold is' : 'holds are'} still out. A pair that is not bought comes straight back here.`;
    }
    if (phase === 'soldOut') return 'Every pair found an owner.';
    return '';
  }

  /** @param {import('./state.js').Phase} phase @param {boolean} holding */
  function moveFocus(phase, holding) {
    if (holding === hadHold) return;
    const focused = document.activeElement;
    const lost = holding ? offer.contains(focused) : hold.element.contains(focused);
    return () => {
      if (!lost) return;
      if (holding) hold.focus();
      else if (phase === 'open') reserve.focus();
    };
  }

  return {
    element,
    dropId,
    /** @param {import('./state.js').DropFacts} next @param {number} now */
    update(next, now) {
      present = next;
      const phase = phaseOf(next, now);
      const holding = next.userReservation !== null && phase !== 'upcoming';
      const refocus = moveFocus(phase, holding);
      element.dataset.phase = phase;
      element.dataset.holding = String(holding);
      setText(title, next.name);
      setText(price, formatMoney(next.price));
      setText(status, PHASES[phase].status);
      setText(reserve, PHASES[phase].button);
      reserve.disabled = phase !== 'open';
      setText(hint, hintFor(phase));
      hint.hidden = hint.textContent === '';
      offer.hidden = holding;
      picker.element.hidden = phase === 'soldOut' || phase === 'ended';
      picker.update(next);
      stock.update(next);
      hold.update(next, next.userReservation, now);
      feed.update(next.topPurchasers ?? [], now);
      refocus?.();
      hadHold = holding;
      const sentence = `${next.name}: ${phase === 'soldOut' ? 'sold out' : describeStock(next)}.`;
      if (spoken !== '' && spoken !== sentence) actions.announce(`stock-${dropId}`, sentence);
      spoken = sentence;
      this.tick(now);
    },
    /** @param {number} now */
    tick(now) {
      hold.tick(now);
      feed.tick(now);
      const toGo = present.endsAt ? Date.parse(present.endsAt) - now : Number.POSITIVE_INFINITY;
      closing.hidden = toGo <= 0 || toGo > CLOSING_SOON_MS;
      if (!closing.hidden) setText(closing, `Closes in ${formatCountdown(toGo)}`);
    },
    /** @param {import('./socket.js').ConnectionState} state */
    connection: (state) => stock.connection(state),
  };
}
