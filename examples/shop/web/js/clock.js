/**
 * The server's time, as well as this page can know it.
 *
 * Deadlines are the server's, and a phone may be minutes off. Each answer that carries the server's time was stamped somewhere
 * between its request leaving and its arrival, which bounds the offset from below and above. Bounds are intersected; a sample
 * that contradicts them (the machine slept, the server's clock was set) replaces them.
 */
export class ServerClock {
  /** @param {() => number} [localNow] milliseconds that never jump when the user sets the clock */
  constructor(localNow = () => performance.now()) {
    this.localNow = localNow;
    this.lowest = Number.NEGATIVE_INFINITY;
    this.highest = Number.POSITIVE_INFINITY;
    // Until the server has spoken, the device's own clock is the best guess.
    this.offset = Date.now() - localNow();
    this.precise = false;
  }

  /**
   * @param {string|number|undefined} serverTime RFC 3339 or epoch milliseconds
   * @param {number} sentAt local time before the request
   * @param {number} receivedAt local time after the answer
   */
  observe(serverTime, sentAt, receivedAt) {
    const stamped = typeof serverTime === 'number' ? serverTime : Date.parse(serverTime ?? '');
    if (!Number.isFinite(stamped)) return;
    if (!this.precise) this.#forget();
    this.precise = true;
    this.#narrow(stamped, stamped, sentAt, receivedAt);
  }

  /**
   * A `Date` header is whole seconds, and a proxy may have written it: good enough until the server itself has spoken.
   * @param {string|null} date
   * @param {number} sentAt
   * @param {number} receivedAt
   */
  observeDateHeader(date, sentAt, receivedAt) {
    const stamped = Date.parse(date ?? '');
    if (this.precise || !Number.isFinite(stamped)) return;
    this.#narrow(stamped, stamped + 1000, sentAt, receivedAt);
  }

  #forget() {
    this.lowest = Number.NEGATIVE_INFINITY;
    this.highest = Number.POSITIVE_INFINITY;
  }

  /** @param {number} earliest @param {number} latest @param {number} sentAt @param {number} receivedAt */
  #narrow(earliest, latest, sentAt, receivedAt) {
    const lowest = earliest - receivedAt;
    const highest = latest - sentAt;
    const consistent = lowest <= this.highest && highest >= this.lowest;
    this.lowest = consistent ? Math.max(this.lowest, lowest) : lowest;
    this.highest = consistent ? Math.min(this.highest, highest) : highest;
    this.offset = (this.lowest + this.highest) / 2;
  }

  /** @returns {number} the server's time, epoch milliseconds */
  now() {
    return this.localNow() + this.offset;
  }
}
