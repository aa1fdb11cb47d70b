/**
 * Building elements without ever turning text into markup: children that are strings become text nodes.
 * Inline styles and handlers are refused by the page's content security policy, so neither is offered here.
 */

const SVG_NAMESPACE = 'http://www.w3.org/2000/svg';

/**
 * @param {Element} element
 * @param {Record<string, unknown>} props attributes; `on...` functions are listeners, `testid` is the hook for browser tests
 */
function assign(element, props) {
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === 'function') element.addEventListener(key.slice(2), /** @type {EventListener} */ (value));
    else if (key === 'testid') element.setAttribute('data-testid', String(value));
    else element.setAttribute(key, value === true ? '' : String(value));
  }
}

/**
 * @param {string} tag
 * @param {Record<string, unknown>} [props]
 * @param {...(Node|string|number|null|undefined|false)} children
 * @returns {any} the element; `any` spares every caller a cast to the concrete element type
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  assign(element, props);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map((child) =>
    child instanceof Node ? child : String(child)));
  return element;
}

/**
 * @param {string} tag
 * @param {Record<string, unknown>} [props]
 * @param {...(Node|string)} children
 * @returns {SVGElement}
 */
export function svg(tag, props = {}, ...children) {
  const element = /** @type {SVGElement} */ (document.createElementNS(SVG_NAMESPACE, tag));
  assign(element, props);
  element.append(...children);
  return element;
}

/**
 * Writes text only where it differs, so that unchanged elements cause no layout and no announcement.
 * @param {Element} element
 * @param {string|number} text
 */
export function setText(element, text) {
  const next = String(text);
  if (element.textContent !== next) element.textContent = next;
}

/**
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no element #${id}`);
  return element;
}

/**
 * Makes a list show the given items in their order, reusing the element of each key: what has the focus keeps it.
 * @template T
 * @param {Element} list
 * @param {Map<unknown, {element: Element, update?: (item: T) => void}>} rows remembered between calls
 * @param {T[]} items
 * @param {(item: T) => unknown} keyOf
 * @param {(item: T) => {element: Element, update?: (item: T) => void}} create
 */
export function reconcile(list, rows, items, keyOf, create) {
  const wanted = new Set(items.map(keyOf));
  for (const [key, row] of rows) {
    if (wanted.has(key)) continue;
    row.element.remove();
    rows.delete(key);
  }
  let cursor = list.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const row = rows.get(key) ?? create(item);
    rows.set(key, row);
    row.update?.(item);
    if (row.element === cursor) cursor = cursor.nextElementSibling;
    else list.insertBefore(row.element, cursor);
  }
}
