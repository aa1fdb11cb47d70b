/** App: puts the parts together and keeps time. */

import { ApiError, createApi } from './api.js';
import { byId, setText } from './dom.js';
import { coalesce } from './coalesce.js';
import { createActions } from './actions.js';
import { createAdmin, recallAdminKey } from './admin.js';
import { createAnnouncer, createToasts } from './toasts.js';
import { createFrameHandler } from './frames.js';
import { createHoldWatch } from './hold-watch.js';
import { createMyPairs } from './my-pairs.js';
import { createNameForm } from './name-form.js';
import { createShopFloor } from './shop-floor.js';
import { connectSocket, socketUrl } from './socket.js';
import { DropStore } from './state.js';
import { ServerClock } from './clock.js';

const TICK_MS = 200;
/** What one shopper hears, every shopper hears in the same instant; their questions are spread over this span. */
const SPREAD_MS = 300;
const RETRY_MS = 5000;

const clock = new ServerClock();
const store = new DropStore();
const api = createApi({ clock, adminKey: recallAdminKey });
const toasts = createToasts(byId('toasts'));
const announcer = createAnnouncer(byId('announcer'));
const myPairs = createMyPairs(store);
const shopper = createNameForm({
  onChange() {
    store.forgetHolds();
    resync('all');
  },
});
let connection = /** @type {import('./socket.js').ConnectionState} */ ('connecting');
let loaded = false;
/** @type {ReturnType<typeof setTimeout>|undefined} */
let retry;

const resync = coalesce(async (/** @type {'all'} */ _all) => {
  const username = shopper.username;
  const before = store.list().map(({ id }) => id);
  try {
    const drops = await api.drops(username);
    if (username !== shopper.username) return; // whoever asked has left; the next run is already queued
    store.receive(drops, { aboutUser: username !== '' });
    const present = new Set(drops.map((/** @type {{id: number}} */ { id }) => id));
    store.remove(before.filter((dropId) => !present.has(dropId)));
    loaded = true;
    floor.say('No drop is out right now. Stay close.');
    await loadPurchases('mine');
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (!loaded) floor.say(`${error.message} Trying again.`);
    // Nothing else would bring what was missed: a snapshot leaves out this shopper's holds and the drops that are gone.
    clearTimeout(retry);
    retry = setTimeout(() => resync('all'), RETRY_MS * (0.5 + Math.random()));
  }
});

const loadPurchases = coalesce(async (/** @type {'mine'} */ _mine) => {
  const username = shopper.username;
  try {
    const purchases = username ? await api.purchases(username) : [];
    if (username === shopper.username) myPairs.update(purchases);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // The shelf of bought pairs is an extra; it is asked for again with the next resync.
  }
});

const refresh = coalesce(async (/** @type {number} */ dropId) => {
  const username = shopper.username;
  try {
    const facts = await api.drop(dropId, username);
    if (username === shopper.username) store.receive([facts], { aboutUser: username !== '' });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 404) store.remove([dropId]);
    // Any other failure is left to the next change or the resync after a reconnect.
  }
});

const actions = createActions({
  api,
  store,
  toasts,
  shopper,
  refresh,
  isLive: () => connection === 'live',
  onPurchase: () => loadPurchases('mine'),
  announce: announcer.say,
});
const floor = createShopFloor({
  store,
  clock,
  actions,
  onOpened: ({ name }) => toasts.info(`${name} is out now.`),
});
const admin = createAdmin({ root: byId('admin-root'), api, store, clock, toasts, refresh });

const holds = createHoldWatch({
  store,
  clock,
  toasts,
  refresh,
  isSettling: actions.isSettling,
  async wasBought({ id }) {
    await loadPurchases('mine');
    return myPairs.includes(id);
  },
});

const CONNECTION_TEXTS = { live: 'Live', connecting: 'Connecting', offline: 'Offline' };
const handleFrame = createFrameHandler({
  store,
  clock,
  refresh: (dropId) => setTimeout(() => refresh(dropId), Math.random() * SPREAD_MS),
  resync: () => setTimeout(() => resync('all'), Math.random() * SPREAD_MS),
  doubtHold: holds.doubt,
  onWithdrawn({ id, name, userReservation }) {
    if (userReservation) toasts.info(`${name} was taken out of the shop, and your hold with it.`, id);
  },
});
let wasLive = false;
const socket = connectSocket({
  url: socketUrl(location),
  onFrame: handleFrame,
  onState(state) {
    const lost = connection === 'live' && state === 'offline';
    connection = state;
    const badge = /** @type {HTMLElement} */ (document.querySelector('[data-testid="connection"]'));
    badge.dataset.state = state;
    setText(/** @type {Element} */ (badge.querySelector('.connection-text')), CONNECTION_TEXTS[state]);
    floor.connection(state);
    if (lost) announcer.say('connection', 'Connection lost. Trying to reconnect.');
    if (state === 'live' && wasLive) announcer.say('connection', 'Live again.');
    wasLive ||= state === 'live';
  },
});
addEventListener('online', () => socket.reconnectNow());
addEventListener('offline', () => socket.networkLost());
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible') return;
  socket.reconnectNow();
  resync('all');
});

setInterval(() => {
  const now = clock.now();
  holds.tick(now);
  floor.tick(now);
  admin.tick(now);
}, TICK_MS);

function route() {
  if (location.hash === '#content') return; // the skip link moves the focus, not the view
  const inAdmin = location.hash === '#admin';
  byId('admin-view').hidden = !inAdmin;
  byId('shop-view').hidden = inAdmin;
  byId('admin-open').toggleAttribute('aria-current', inAdmin);
  if (inAdmin) {
    admin.open();
    scrollTo(0, 0);
    byId('admin-title').focus();
  }
}
addEventListener('hashchange', route);
route();
resync('all');
