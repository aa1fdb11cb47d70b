/** The form for a new drop. */

import { h, setText } from './dom.js';
import { ApiError } from './api.js';

/**
 * @typedef {object} CreateFields everything as typed
 * @property {string} name
 * @property {string} price
 * @property {string} totalStock
 * @property {{name: string, totalStock: string}[]} sizes
 * @property {string} startsAt local date and time, or ''
 * @property {string} endsAt
 * @property {string} holdSeconds
 * @property {string} longestHoldSeconds
 * @property {string} maxPerCustomer
 */

const WHOLE = /^\d+$/;
const PRICE = /^\d+(\.\d{1,2})?$/;

/**
 * The server refuses fields it does not know and values it cannot use; what was left empty is left out.
 * @param {CreateFields} fields
 * @returns {{terms: Record<string, unknown>} | {field: string, message: string}} the body of the request, or the first thing wrong
 */
export function termsOf(fields) {
  const sizes = fields.sizes.filter(({ name, totalStock }) => name.trim() !== '' || totalStock.trim() !== '');
  const name = fields.name.trim();
  if (name === '') return { field: 'name', message: 'Give the drop a name.' };
  if (!PRICE.test(fields.price.trim())) return { field: 'price', message: 'The price is a number like 180 or 179.90.' };
  if (sizes.length === 0 && !WHOLE.test(fields.totalStock.trim())) return { field: 'totalStock', message: 'Say how many pairs there are, or add sizes.' };
  if (sizes.some((size) => size.name.trim() === '' || !WHOLE.test(size.totalStock.trim()))) return { field: 'sizes', message: 'Each size needs a name and a number of pairs.' };
  if (new Set(sizes.map((size) => size.name.trim())).size < sizes.length) return { field: 'sizes', message: 'Two sizes have the same name.' };
  /** @type {Record<string, unknown>} */
  const terms = { name, price: fields.price.trim() };
  if (sizes.length > 0) terms.variants = sizes.map((size) => ({ name: size.name.trim(), totalStock: Number(size.totalStock) }));
  else terms.totalStock = Number(fields.totalStock);
  if (fields.startsAt) terms.startsAt = new Date(fields.startsAt).toISOString();
  if (fields.endsAt) terms.endsAt = new Date(fields.endsAt).toISOString();
  if (fields.startsAt && fields.endsAt && fields.endsAt <= fields.startsAt) return { field: 'endsAt', message: 'A drop ends after it starts.' };
  for (const field of /** @type {const} */ (['holdSeconds', 'longestHoldSeconds', 'maxPerCustomer'])) {
    const text = fields[field].trim();
    if (text === '') continue;
    if (!(Number(text) > 0)) return { field, message: 'This is a number above zero.' };
    terms[field] = Number(text);
  }
  return { terms };
}

/**
 * @param {object} options
 * @param {(terms: object) => Promise<void>} options.onCreate
 */
export function createDropForm({ onCreate }) {
  /** @type {Record<string, HTMLInputElement>} */
  const inputs = {};
  /** @param {string} key @param {string} label @param {Record<string, unknown>} props @param {string} [help] */
  const field = (key, label, props, help) => {
    const id = `admin-${key}`;
    inputs[key] = h('input', { id, testid: id, ...props, 'aria-describedby': help ? `${id}-help` : undefined });
    return h('div', { class: 'field' }, h('label', { for: id }, label), inputs[key], help && h('p', { class: 'field-help', id: `${id}-help` }, help));
  };

  const sizeList = h('ul', { class: 'size-rows' });
  const addSize = h('button', { type: 'button', class: 'button ghost small', testid: 'admin-add-size', onclick: () => appendSize(true) }, 'Add a size');
  const error = h('p', { class: 'field-error', role: 'alert', testid: 'admin-error' });
  let rows = /** @type {{element: HTMLElement, name: HTMLInputElement, totalStock: HTMLInputElement}[]} */ ([]);

  function showTotal() {
    // With sizes, their sum is the total, and a total of its own would be refused.
    inputs.totalStock.disabled = rows.length > 0;
    if (rows.length > 0) inputs.totalStock.value = String(rows.reduce((sum, { totalStock }) => sum + (Number(totalStock.value) || 0), 0));
  }

  /** @param {boolean} focus */
  function appendSize(focus) {
    const name = h('input', { 'aria-label': 'Size', placeholder: 'Size, e.g. 42', testid: 'admin-size-name' });
    const totalStock = h('input', { type: 'number', min: 0, 'aria-label': 'Pairs of this size', placeholder: 'Pairs', testid: 'admin-size-stock', oninput: showTotal });
    const remove = h('button', { type: 'button', class: 'step', 'aria-label': 'Take this size out' }, '×');
    const row = { element: h('li', { class: 'size-row-edit' }, name, totalStock, remove), name, totalStock };
    remove.addEventListener('click', () => {
      rows = rows.filter((other) => other !== row);
      row.element.remove();
      if (rows.length === 0) inputs.totalStock.value = '';
      showTotal();
      addSize.focus();
    });
    rows.push(row);
    sizeList.append(row.element);
    showTotal();
    if (focus) name.focus();
  }

  const submit = h('button', { class: 'button primary', type: 'submit', testid: 'admin-create' }, 'Create the drop');
  const element = h('form', { class: 'panel create-form', novalidate: true, 'aria-labelledby': 'create-title' },
    h('h2', { id: 'create-title' }, 'New drop'),
    h('div', { class: 'fields' },
      field('name', 'Name', { maxlength: 200, autocomplete: 'off' }),
      field('price', 'Price', { inputmode: 'decimal', autocomplete: 'off', placeholder: '180.00' }),
      field('totalStock', 'Pairs', { type: 'number', min: 0, inputmode: 'numeric' })),
    h('div', { class: 'sizes-edit' }, h('h3', {}, 'Sizes'), sizeList, addSize),
    h('details', {}, h('summary', {}, 'Window, holds and limits'),
      h('div', { class: 'fields' },
        field('startsAt', 'Starts', { type: 'datetime-local', step: 1 }, 'Empty: right away'),
        field('endsAt', 'Ends', { type: 'datetime-local', step: 1 }, 'Empty: open end'),
        field('holdSeconds', 'Hold (s)', { type: 'number', min: 0, step: 'any' }, 'Empty: the shop’s default'),
        field('longestHoldSeconds', 'Longest hold (s)', { type: 'number', min: 0, step: 'any' }, 'With extensions'),
        field('maxPerCustomer', 'Limit each', { type: 'number', min: 1, step: 1 }, 'Empty: no limit'))),
    error, submit);

  /** @param {string} key @param {string} message */
  function complain(key, message) {
    setText(error, message);
    const target = inputs[key] ?? rows.find(({ name, totalStock }) => name.value === '' || totalStock.value === '')?.name ?? rows[0]?.name;
    target?.closest('details')?.setAttribute('open', '');
    target?.focus();
  }

  element.addEventListener('submit', async (/** @type {Event} */ event) => {
    event.preventDefault();
    const checked = termsOf(/** @type {CreateFields} */ ({
      ...Object.fromEntries(Object.entries(inputs).map(([key, input]) => [key, input.value])),
      sizes: rows.map(({ name, totalStock }) => ({ name: name.value, totalStock: totalStock.value })),
    }));
    if ('message' in checked) {
      complain(checked.field, checked.message);
      return;
    }
    setText(error, '');
    submit.disabled = true; // a second click would make a second drop
    try {
      await onCreate(checked.terms);
      element.reset();
      for (const { element: row } of rows) row.remove();
      rows = [];
      showTotal();
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setText(error, failure.message);
    } finally {
      submit.disabled = false;
    }
  });

  return { element };
}
