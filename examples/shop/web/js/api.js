/** The api client: the routes of the wire contract, and every failure as one type. */

const TIMEOUT_MS = 15_000;
/** The most that the server puts into one answer of a list. */
const PAGE = 500;

/** What the server answered instead of what was asked, in its own words. */
export class ApiError extends Error {
  /**
   * @param {string} code the contract's `error`, e.g. OUT_OF_STOCK; NETWORK where no answer came
   * @param {string} message for the shopper
   * @param {number} status HTTP status, 0 where no answer came
   */
  constructor(code, message, status) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.status = status;
  }
}

/**
 * @param {number} status
 * @param {any} body parsed problem+json, or undefined where it was none
 * @returns {ApiError}
 */
export function toApiError(status, body) {
  const code = typeof body?.error === 'string' ? body.error : `HTTP_${status}`;
  const message = body?.message ?? body?.detail ?? body?.title;
  return new ApiError(code, typeof message === 'string' && message !== '' ? message : fallbackMessage(status), status);
}

/** @param {number} status */
function fallbackMessage(status) {
  if (status === 429) return 'Too many requests. Please try again later.';
  if (status >= 500) return 'The shop is very busy right now. Please try again in a moment.';
  return 'That did not work. Please try again.';
}

/**
 * @param {object} options
 * @param {import('./clock.js').ServerClock} options.clock learns the server's time from each answer
 * @param {() => string} options.adminKey
 * @param {typeof fetch} [options.fetch]
 */
export function createApi({ clock, adminKey, fetch = globalThis.fetch.bind(globalThis) }) {
  /**
   * @param {string} method
   * @param {string} path
   * @param {{body?: object, admin?: boolean, query?: Record<string, string|undefined>}} [options]
   * @returns {Promise<any>}
   */
  async function call(method, path, { body, admin = false, query = {} } = {}) {
    const params = new URLSearchParams(Object.entries(query).filter(([, value]) => value).map(([key, value]) => [key, String(value)]));
    const url = params.size > 0 ? `${path}?${params}` : path;
    /** @type {Record<string, string>} */
    const headers = { accept: 'application/json' };
    if (body) headers['content-type'] = 'application/json';
    if (admin) headers['x-api-key'] = adminKey();

    const sentAt = clock.localNow();
    let response;
    let text;
    try {
      response = await fetch(url, {
        method,
        headers,
        body: body && JSON.stringify(body),
        cache: 'no-cache', // keep the ETag, never show an answer the server has not confirmed
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      text = await response.text();
    } catch {
      throw new ApiError('NETWORK', 'The shop cannot be reached. Check your connection and try again.', 0);
    }
    const receivedAt = clock.localNow();
    const answer = parse(text);
    if (answer?.serverTime) clock.observe(answer.serverTime, sentAt, receivedAt);
    else clock.observeDateHeader(response.headers.get('date'), sentAt, receivedAt);
    if (!response.ok) throw toApiError(response.status, answer);
    return answer;
  }

  /**
   * A list, page by page to its end, newest first. Each page begins behind the last row of the one before, so that rows which
   * arrive meanwhile neither double nor hide any.
   * @param {string} path
   * @param {string} field where the rows are in the answer
   * @param {'after'|'before'} cursor what this list calls its position
   * @param {{query?: Record<string, string|undefined>, admin?: boolean, until?: (row: any) => boolean}} [options] `until`: a row after which no page is needed
   * @returns {Promise<any[]>}
   */
  async function list(path, field, cursor, { query = {}, admin = false, until = () => false } = {}) {
    const rows = [];
    for (;;) {
      const page = (await call('GET', path, { admin, query: { ...query, limit: String(PAGE), [cursor]: rows.at(-1)?.id?.toString() } }))[field];
      rows.push(...page);
      if (page.length < PAGE || page.some(until)) return rows;
    }
  }

  const id = encodeURIComponent;
  return {
    /** @param {string} username every drop that has not been deleted, with this shopper's holds */
    drops: (username) => list('/api/drops', 'drops', 'after', { query: { status: 'all', username } }),
    /** @param {number} dropId @param {string} username */
    drop: (dropId, username) => call('GET', `/api/drops/${id(dropId)}`, { query: { username } }),
    /** @param {{dropId: number, username: string, variant?: string, quantity?: number}} body */
    reserve: (body) => call('POST', '/api/reservations', { body }),
    /** @param {number} reservationId @param {string} username */
    release: (reservationId, username) => call('DELETE', `/api/reservations/${id(reservationId)}`, { query: { username } }),
    /** @param {number} reservationId @param {string} username */
    purchase: (reservationId, username) => call('POST', '/api/purchases', { body: { reservationId, username } }),
    /** @param {string} username */
    purchases: (username) => list('/api/purchases', 'purchases', 'before', { query: { username } }),
    admin: {
      /** @param {object} terms */
      create: (terms) => call('POST', '/api/drops', { body: terms, admin: true }),
      /** @param {number} dropId @param {object} terms */
      change: (dropId, terms) => call('PATCH', `/api/drops/${id(dropId)}`, { body: terms, admin: true }),
      /** @param {number} dropId */
      remove: (dropId) => call('DELETE', `/api/drops/${id(dropId)}`, { admin: true, query: { force: 'true' } }),
      /** @param {number} reservationId */
      release: (reservationId) => call('DELETE', `/api/reservations/${id(reservationId)}`, { admin: true }),
      /** @param {number} dropId @returns {Promise<any[]>} the live holds, newest first */
      holds: (dropId) => list(`/api/drops/${id(dropId)}/reservations`, 'reservations', 'before', { admin: true }),
      /** @param {number} dropId @param {(sale: any) => boolean} [until] @returns {Promise<any[]>} the sales, in the order of their holds, newest first */
      sales: (dropId, until) => list(`/api/drops/${id(dropId)}/purchases`, 'purchases', 'before', { admin: true, until }),
      /** No route only checks a key. Reading the sales of a drop that cannot be does: a key that fits is told so, any other is refused first. */
      async check() {
        try {
          await call('GET', '/api/drops/0/purchases', { admin: true, query: { limit: '1' } });
        } catch (error) {
          if (!(error instanceof ApiError && error.status === 404)) throw error;
        }
      },
    },
  };
}

/** @param {string} text @returns {any} */
function parse(text) {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
