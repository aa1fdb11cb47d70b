/** A drop's colours and shape, drawn from its number and name: the same drop looks the same on every screen. */

/**
 * @typedef {{field: string, upper: string, panel: string, accent: string, midsole: string, outsole: string, lace: string}} Colourway
 */

/** @type {Colourway[]} */
const COLOURWAYS = [
  { field: '#c9f03a', upper: '#1b1d1e', panel: '#33383a', accent: '#ff4f23', midsole: '#f6f3ea', outsole: '#1b1d1e', lace: '#f6f3ea' },
  { field: '#ec5a2e', upper: '#f6efe2', panel: '#dccdb4', accent: '#18364a', midsole: '#ffffff', outsole: '#18364a', lace: '#18364a' },
  { field: '#0c7354', upper: '#f7f3e8', panel: '#e4dbc5', accent: '#f3b61f', midsole: '#fbf8f0', outsole: '#b9783f', lace: '#ffffff' },
  { field: '#1d50dc', upper: '#f3f5f9', panel: '#c3d2ef', accent: '#ff5a36', midsole: '#ffffff', outsole: '#0b1c40', lace: '#ff5a36' },
  { field: '#dcc6a2', upper: '#6c4a30', panel: '#8d6947', accent: '#f6efe2', midsole: '#f1e8d6', outsole: '#a9672f', lace: '#f6efe2' },
  { field: '#ff8d74', upper: '#12353c', panel: '#1f5a66', accent: '#ffe4cb', midsole: '#fff6ee', outsole: '#12353c', lace: '#ffe4cb' },
  { field: '#e2ded2', upper: '#161616', panel: '#303030', accent: '#ec5a2e', midsole: '#161616', outsole: '#ec5a2e', lace: '#e2ded2' },
  { field: '#9fdac2', upper: '#ffffff', panel: '#f3b9c3', accent: '#1f5a4a', midsole: '#ffffff', outsole: '#ee7f90', lace: '#1f5a4a' },
  { field: '#f4940f', upper: '#24282c', panel: '#414950', accent: '#ffd9a0', midsole: '#eae7e0', outsole: '#24282c', lace: '#f4940f' },
  { field: '#a8d4ea', upper: '#f2f7f9', panel: '#d0e3ec', accent: '#d8242b', midsole: '#ffffff', outsole: '#d8242b', lace: '#d8242b' },
  { field: '#74172a', upper: '#f2e6d6', panel: '#d9c0a2', accent: '#74172a', midsole: '#fcf7ee', outsole: '#b9783f', lace: '#fcf7ee' },
  { field: '#ffd342', upper: '#f9f9f5', panel: '#1c1c1c', accent: '#df1f3d', midsole: '#ffffff', outsole: '#1c1c1c', lace: '#1c1c1c' },
];

/** @param {string} text @returns {number} FNV-1a, 32 bit */
function hash(text) {
  let value = 0x811c9dc5;
  for (const char of text) value = Math.imul(value ^ /** @type {number} */ (char.codePointAt(0)), 0x01000193) >>> 0;
  return value;
}

/**
 * Neighbours in a list have neighbouring ids, so stepping by the id keeps the colours of a page apart; the shape follows the name.
 * @param {{id: number, name: string}} drop
 * @returns {Colourway}
 */
export function colourwayOf({ id }) {
  return COLOURWAYS[(id * 5) % COLOURWAYS.length];
}

/**
 * @param {{id: number, name: string}} drop
 * @param {number} shapes how many there are
 * @returns {number}
 */
export function shapeOf({ id, name }, shapes) {
  return (hash(name) + id) % shapes;
}

/**
 * @param {Colourway} colourway
 * @returns {Colourway} the same shoe with the lights off: a drop that is not out yet
 */
export function teaserOf(colourway) {
  return { field: '#1f1f1c', upper: '#2c2c28', panel: '#383833', accent: colourway.field, midsole: '#45453f', outsole: '#292925', lace: colourway.field };
}

/** @param {string} hex @returns {number} relative luminance (WCAG 2) */
function luminance(hex) {
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((channel) => (channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/**
 * @param {string} hex background
 * @returns {'#121210'|'#ffffff'} the text colour that stands out more
 */
export function inkOn(hex) {
  const light = luminance(hex);
  return (light + 0.05) / (luminance('#121210') + 0.05) > 1.05 / (light + 0.05) ? '#121210' : '#ffffff';
}
