/** Prices are decimal strings on the wire; they are added and multiplied as integers, never as floats. */

const CURRENCY_SIGN = '$';
const SCALE_DIGITS = 6;
const SCALE = 10n ** BigInt(SCALE_DIGITS);

/** @param {string|number} decimal @returns {bigint} the amount in millionths */
function toScaled(decimal) {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(decimal).trim());
  if (!match) return 0n;
  const [, sign, whole, fraction = ''] = match;
  const scaled = BigInt(whole) * SCALE + BigInt(fraction.slice(0, SCALE_DIGITS).padEnd(SCALE_DIGITS, '0'));
  return sign ? -scaled : scaled;
}

/** @param {bigint} scaled @returns {string} with at least two decimals */
function fromScaled(scaled) {
  const sign = scaled < 0n ? '-' : '';
  const digits = (scaled < 0n ? -scaled : scaled).toString().padStart(SCALE_DIGITS + 1, '0');
  const whole = digits.slice(0, -SCALE_DIGITS);
  const fraction = digits.slice(-SCALE_DIGITS).replace(/0{1,4}$/, '');
  return `${sign}${whole}.${fraction}`;
}

/**
 * @param {(string|number)[]} decimals
 * @returns {string} their sum, as a decimal string
 */
export function sumOf(decimals) {
  return fromScaled(decimals.reduce((sum, decimal) => sum + toScaled(decimal), 0n));
}

/**
 * @param {string|number} decimal
 * @param {number} quantity
 * @returns {string}
 */
export function times(decimal, quantity) {
  return fromScaled(toScaled(decimal) * BigInt(quantity));
}

/**
 * @param {string|number} decimal
 * @returns {string} as shown: thousands grouped, whole amounts without ".00"
 */
export function formatMoney(decimal) {
  const [whole, fraction] = fromScaled(toScaled(decimal)).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return `${CURRENCY_SIGN}${grouped}${/^0*$/.test(fraction) ? '' : `.${fraction}`}`;
}
