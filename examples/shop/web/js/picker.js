/** Choosing a size and a quantity. Native radios and a native number field, so that every keyboard and reader knows them. */

import { h, setText } from './dom.js';
import { mostAtOnce, sizesOf } from './state.js';

/** @typedef {import('./state.js').DropFacts} DropFacts */
/** @typedef {import('./state.js').Variant} Variant */

/** @param {Variant} size */
function availabilityOf({ availableStock, heldStock }) {
  if (availableStock > 0) return { state: 'open', note: `${availableStock} available` };
  return heldStock > 0 ? { state: 'held', note: 'all on hold' } : { state: 'sold', note: 'sold out' };
}

/**
 * @param {DropFacts} facts
 */
export function createPicker(facts) {
  const prefix = `drop-${facts.id}`;
  /** @type {Map<string, {input: HTMLInputElement, tile: HTMLElement, note: HTMLElement}>} */
  const tiles = new Map();
  const sizes = h('fieldset', { class: 'sizes' }, h('legend', {}, 'Size'));
  const row = h('div', { class: 'size-row' });
  const error = h('p', { class: 'field-error', id: `${prefix}-size-error`, 'aria-live': 'polite' });
  sizes.append(row, error);

  const quantity = h('input', {
    type: 'number', inputmode: 'numeric', min: 1, step: 1, value: 1, id: `${prefix}-quantity`, testid: 'quantity', class: 'quantity-input',
  });
  const less = h('button', { type: 'button', class: 'step', 'aria-label': 'One pair fewer' }, '−');
  const more = h('button', { type: 'button', class: 'step', 'aria-label': 'One pair more' }, '+');
  const limit = h('span', { class: 'quantity-limit' });
  const quantityRow = h('div', { class: 'quantity' }, h('label', { for: quantity.id }, 'Pairs'), h('div', { class: 'stepper' }, less, quantity, more), limit);
  const element = h('div', { class: 'picker' }, sizes, quantityRow);

  let present = facts;
  /** @type {string|null} */
  let chosen = null;

  const wanted = () => Math.max(1, Math.trunc(Number(quantity.value)) || 1);

  function refreshQuantity() {
    const most = mostAtOnce(present, chosen);
    quantity.max = String(most);
    // While somebody types, the field is theirs; it is corrected when they leave it.
    if (document.activeElement !== quantity && wanted() > most) quantity.value = String(most);
    less.disabled = wanted() <= 1;
    more.disabled = wanted() >= most;
  }

  /** @param {number} by */
  const step = (by) => {
    quantity.value = String(Math.min(mostAtOnce(present, chosen), Math.max(1, wanted() + by)));
    refreshQuantity();
  };
  less.addEventListener('click', () => step(-1));
  more.addEventListener('click', () => step(1));
  quantity.addEventListener('input', refreshQuantity);
  quantity.addEventListener('change', () => step(0));

  /** @param {string} name */
  function createTile(name) {
    const input = h('input', {
      type: 'radio', name: `${prefix}-size`, value: name, testid: 'variant', class: 'size-input', 'aria-describedby': error.id,
    });
    const note = h('span', { class: 'size-note' });
    const tile = h('label', { class: 'size' }, input, h('span', { class: 'size-name' }, name), note);
    input.addEventListener('change', () => {
      chosen = name;
      setText(error, '');
      refreshQuantity();
    });
    return { input, tile, note };
  }

  return {
    element,
    /** @param {DropFacts} next */
    update(next) {
      present = next;
      const offered = sizesOf(next);
      sizes.hidden = offered.length === 0;
      const names = new Set(offered.map(({ name }) => name));
      for (const [name, { tile }] of tiles) {
        if (names.has(name)) continue;
        tile.remove();
        tiles.delete(name);
      }
      for (const size of offered) {
        const entry = tiles.get(size.name) ?? createTile(size.name);
        if (!tiles.has(size.name)) {
          tiles.set(size.name, entry);
          row.append(entry.tile);
        }
        const { state, note } = availabilityOf(size);
        entry.tile.dataset.state = state;
        entry.input.disabled = state !== 'open';
        setText(entry.note, note);
        if (state !== 'open' && chosen === size.name) {
          entry.input.checked = false;
          setText(error, `Size ${size.name} just went. Pick another one.`);
        }
      }
      if (chosen !== null && !tiles.get(chosen)?.input.checked) chosen = null;
      if (offered.length === 1 && chosen === null && offered[0].availableStock > 0) {
        chosen = offered[0].name;
        /** @type {any} */ (tiles.get(chosen)).input.checked = true;
      }
      // A limit of one leaves nothing to choose.
      quantityRow.hidden = next.maxPerCustomer === 1 || next.totalStock <= 1;
      if (quantityRow.hidden) quantity.value = '1';
      element.classList.toggle('nothing-to-pick', sizes.hidden && quantityRow.hidden);
      setText(limit, next.maxPerCustomer ? `max ${next.maxPerCustomer} each` : '');
      refreshQuantity();
    },
    /**
     * @returns {{variant?: string, quantity: number}|null} null where a size is still to be picked; the picker then says so
     */
    choice() {
      if (sizes.hidden) return { quantity: wanted() };
      if (chosen !== null) return { variant: chosen, quantity: wanted() };
      setText(error, 'Pick a size first.');
      [...tiles.values()].find(({ input }) => !input.disabled)?.input.focus();
      return null;
    },
  };
}
