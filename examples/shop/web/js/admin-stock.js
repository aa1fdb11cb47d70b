/** Setting how many pairs a drop has, per size where it has sizes. */

import { h, setText } from './dom.js';
import { sizesOf } from './state.js';

/**
 * @param {object} options
 * @param {(terms: object) => Promise<boolean>} options.onSave
 */
export function createStockEditor({ onSave }) {
  const fields = h('div', { class: 'stock-fields' });
  const save = h('button', { class: 'button small', type: 'submit', testid: 'admin-set-stock' }, 'Set stock');
  const element = h('form', { class: 'stock-form', novalidate: true, 'aria-label': 'Stock' }, h('h3', {}, 'Stock'), fields, save);
  /** @type {Map<string|null, {input: HTMLInputElement, counts: HTMLElement}>} */
  let entries = new Map();
  /** @type {import('./state.js').DropFacts|null} */
  let present = null;

  /** @param {string|null} size */
  function createEntry(size) {
    const id = `stock-field-${fields.childElementCount}`;
    const input = h('input', { id, type: 'number', min: 0, inputmode: 'numeric', testid: 'admin-total', 'data-variant': size ?? undefined });
    // Once touched, the field keeps what its owner typed, however the stock moves meanwhile.
    input.addEventListener('input', () => {
      input.dataset.touched = 'true';
    });
    const counts = h('span', { class: 'field-help' });
    fields.append(h('div', { class: 'field' }, h('label', { for: id }, size === null ? 'Pairs in total' : `Size ${size}`), input, counts));
    return { input, counts };
  }

  function reset() {
    entries = new Map();
    fields.replaceChildren();
  }

  element.addEventListener('submit', async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!present) return;
    const sizes = sizesOf(present);
    const totalOf = (/** @type {string|null} */ size) => Number(entries.get(size)?.input.value);
    const terms = sizes.length > 0
      ? { variants: sizes.map(({ name }) => ({ name, totalStock: totalOf(name) })) }
      : { totalStock: totalOf(null) };
    save.disabled = true;
    const saved = await onSave(terms);
    save.disabled = false;
    if (!saved || !present) return;
    for (const { input } of entries.values()) delete input.dataset.touched;
    show(present);
  });

  /** @param {import('./state.js').DropFacts} facts */
  function show(facts) {
    present = facts;
    const sizes = sizesOf(facts);
    const wanted = sizes.length > 0 ? sizes : [{ ...facts, name: null }];
    if (wanted.length !== entries.size || wanted.some(({ name }) => !entries.has(name))) reset();
    for (const { name, totalStock, availableStock, heldStock, soldCount } of wanted) {
      const entry = entries.get(name) ?? createEntry(name);
      entries.set(name, entry);
      if (!entry.input.dataset.touched) entry.input.value = String(totalStock);
      setText(entry.counts, `${availableStock} available, ${heldStock} held, ${soldCount} sold`);
    }
  }

  return { element, reset, update: show };
}
