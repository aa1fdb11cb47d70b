/**
 * The socket hook: one WebSocket, kept alive.
 *
 * Each connection begins with a snapshot, so a reconnect resynchronises by itself. Between connections the wait doubles and is
 * jittered: when a server restarts, its shoppers must not all come back in the same instant.
 */

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
const SNAPSHOT_WITHIN_MS = 10_000;
/** A connection that lived this long was healthy; only then does the wait start over. */
const HEALTHY_AFTER_MS = 5_000;

/** @typedef {'connecting'|'live'|'offline'} ConnectionState */

/**
 * Half of the wait is fixed and half is drawn, so that no retry is immediate.
 * @param {number} attempt 0 for the first retry
 * @param {() => number} [random] in [0, 1)
 * @returns {number} milliseconds
 */
export function reconnectDelay(attempt, random = Math.random) {
  const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 16));
  return ceiling / 2 + random() * (ceiling / 2);
}

/**
 * @param {{protocol: string, host: string}} location
 * @returns {string} the socket's address at the page's own origin
 */
export function socketUrl(location) {
  return `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}/ws`;
}

/**
 * @param {object} options
 * @param {string} options.url
 * @param {(frame: any, openedAt: number) => void} options.onFrame each parsed frame, with the local time its connection was asked for
 * @param {(state: ConnectionState) => void} options.onState
 * @param {typeof WebSocket} [options.Socket]
 * @param {() => number} [options.random]
 * @param {() => number} [options.localNow]
 */
export function connectSocket({ url, onFrame, onState, Socket = WebSocket, random = Math.random, localNow = () => performance.now() }) {
  /** @type {WebSocket|null} */
  let socket = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  let attempt = 0;
  let liveSince = 0;
  /** @type {ConnectionState} */
  let state = 'connecting';

  /** @param {ConnectionState} next */
  const enter = (next) => {
    if (next === state) return;
    state = next;
    onState(state);
  };

  const retry = () => {
    if (state === 'live' && localNow() - liveSince > HEALTHY_AFTER_MS) attempt = 0;
    enter('offline');
    clearTimeout(timer);
    timer = setTimeout(open, reconnectDelay(attempt, random));
    attempt += 1;
  };

  const open = () => {
    clearTimeout(timer);
    enter('connecting');
    const openedAt = localNow();
    const mine = new Socket(url);
    socket = mine;
    timer = setTimeout(() => mine.close(), SNAPSHOT_WITHIN_MS);
    mine.onmessage = ({ data }) => {
      if (socket !== mine) return;
      let frame;
      try {
        frame = JSON.parse(data);
      } catch {
        return; // a frame nobody can read is no reason to lose the connection
      }
      if (frame?.event === 'snapshot') {
        clearTimeout(timer);
        liveSince = localNow();
        onFrame(frame, openedAt);
        enter('live');
        return;
      }
      onFrame(frame, openedAt);
    };
    mine.onclose = () => {
      if (socket === mine) retry();
    };
  };

  /** Leaves the present connection behind: a socket on a lost network may take minutes to notice. */
  const abandon = () => {
    const stale = socket;
    socket = null;
    stale?.close();
  };

  onState(state);
  open();

  return {
    get state() {
      return state;
    },
    /** The machine has a network again: no reason to sit out the wait. */
    reconnectNow() {
      if (state === 'live') return;
      attempt = 0;
      abandon();
      open();
    },
    /** The machine lost its network. */
    networkLost() {
      abandon();
      retry();
    },
  };
}
