import assert from 'node:assert/strict';
import test from 'node:test';

import { ApiError, createApi, toApiError } from '../../web/js/api.js';
import { coalesce } from '../../web/js/coalesce.js';
import { createFrameHandler } from '../../web/js/frames.js';
import { createSalesBook } from '../../web/js/sales-book.js';
import { DropStore } from '../../web/js/state.js';
import { connectSocket, reconnectDelay, socketUrl } from '../../web/js/socket.js';
import { ServerClock } from '../../web/js/clock.js';

test('the wait doubles, is jittered, never immediate and never endless', () => {
  assert.deepEqual([0, 1, 2].map((attempt) => reconnectDelay(attempt, () => 0)), [250, 500, 1000]);
  assert.deepEqual([0, 1, 2].map((attempt) => reconnectDelay(attempt, () => 0.5)), [375, 750, 1500]);
  assert.equal(reconnectDelay(1000, () => 0), 7500);
  assert.ok(reconnectDelay(1000, () => 0.999) < 15_000);
});

test('the socket is at the page’s own origin', () => {
  assert.equal(socketUrl({ protocol: 'http:', host: '127.0.0.1:3001' }), 'ws://127.0.0.1:3001/ws');
  assert.equal(socketUrl({ protocol: 'https:', host: 'shop.example' }), 'wss://shop.example/ws');
});

test('a connection is live from its snapshot on, and comes back after a loss', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const sockets = [];
  class FakeSocket {
    constructor() {
      sockets.push(this);
    }

    close() {
      this.onclose?.();
    }
  }
  const states = [];
  const frames = [];
  connectSocket({
    url: 'ws://x/ws', onFrame: (frame) => frames.push(frame.event), onState: (state) => states.push(state), Socket: FakeSocket, random: () => 0, localNow: () => 0,
  });
  sockets[0].onmessage({ data: 'not json' });
  sockets[0].onmessage({ data: '{"event":"snapshot","drops":[]}' });
  sockets[0].onmessage({ data: '{"event":"stockUpdated","dropId":1}' });
  sockets[0].close();
  assert.deepEqual(states, ['connecting', 'live', 'offline']);
  t.mock.timers.tick(250);
  assert.equal(sockets.length, 2);
  sockets[0].onmessage({ data: '{"event":"stockUpdated","dropId":1}' });
  assert.deepEqual(frames, ['snapshot', 'stockUpdated'], 'a socket left behind is not heard');
  sockets[1].onmessage({ data: '{"event":"snapshot","drops":[]}' });
  assert.deepEqual(states.slice(3), ['connecting', 'live']);
});

test('a problem becomes an error with the server’s code and words', () => {
  const error = toApiError(409, { success: false, error: 'OUT_OF_STOCK', message: 'This item is sold out' });
  assert.deepEqual([error.code, error.message, error.status], ['OUT_OF_STOCK', 'This item is sold out', 409]);
  assert.match(toApiError(429, undefined).message, /Too many requests/);
  assert.equal(toApiError(502, undefined).code, 'HTTP_502');
});

test('the client speaks the contract', async () => {
  const asked = [];
  const answer = (status, body) => new Response(JSON.stringify(body), { status });
  const fetch = async (url, options) => {
    asked.push([options.method, url, options.headers['x-api-key'], options.body]);
    if (url === '/api/purchases') return answer(410, { error: 'RESERVATION_EXPIRED', message: 'Your reservation has expired' });
    if (url.startsWith('/api/drops')) throw new TypeError('fetch failed');
    return answer(201, { success: true, reservation: { id: 9 }, version: 3 });
  };
  const api = createApi({ clock: new ServerClock(), adminKey: () => 'secret', fetch });
  assert.equal((await api.reserve({ dropId: 1, username: 'ann' })).reservation.id, 9);
  await assert.rejects(api.purchase(9, 'ann'), { code: 'RESERVATION_EXPIRED', status: 410 });
  await assert.rejects(api.drops('ann'), (error) => error instanceof ApiError && error.code === 'NETWORK');
  await api.release(9, 'ann');
  await api.admin.release(9);
  assert.deepEqual(asked, [
    ['POST', '/api/reservations', undefined, '{"dropId":1,"username":"ann"}'],
    ['POST', '/api/purchases', undefined, '{"reservationId":9,"username":"ann"}'],
    ['GET', '/api/drops?status=all&username=ann&limit=500', undefined, undefined],
    ['DELETE', '/api/reservations/9?username=ann', undefined, undefined],
    ['DELETE', '/api/reservations/9', 'secret', undefined],
  ]);
});

test('many questions at once are one load under way and one behind it', async () => {
  const started = [];
  const finish = [];
  const load = coalesce((key) => {
    started.push(key);
    return new Promise((resolve) => finish.push(resolve));
  });
  const first = load(1);
  const second = load(1);
  assert.equal(load(1), second);
  load(2);
  assert.deepEqual(started, [1, 2]);
  finish[0]();
  await first;
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(started, [1, 2, 1]);
  finish[2]();
  await second;
});

test('a list is read to its end, each page behind the row before', async () => {
  const at = (second) => new Date(second * 1000).toISOString();
  const rows = Array.from({ length: 1203 }, (_, index) => ({ id: 1203 - index, quantity: 1, amountPaid: '0.10', createdAt: at(1203 - index) }));
  const asked = [];
  const fetch = async (url) => {
    const { searchParams } = new URL(url, 'http://shop');
    asked.push(searchParams.get('before'));
    const before = Number(searchParams.get('before') ?? Infinity);
    const purchases = rows.filter(({ id }) => id < before).slice(0, Number(searchParams.get('limit')));
    return new Response(JSON.stringify({ purchases }), { status: 200 });
  };
  const api = createApi({ clock: new ServerClock(), adminKey: () => 'secret', fetch });
  let sold = 1203;
  const book = createSalesBook({ load: (until) => api.admin.sales(7, until), sold: () => sold });
  await book.update();
  assert.deepEqual(asked, [null, '704', '204']);
  assert.deepEqual([book.revenue, book.units], ['120.30', 1203]);
  rows.unshift({ id: 1204, quantity: 2, amountPaid: '0.20', createdAt: at(1204) });
  sold = 1205;
  await book.update();
  assert.deepEqual([asked.length, book.revenue], [4, '120.50'], 'one page brings what is new');
  rows.splice(600, 1);
  sold = 1204;
  await book.update();
  assert.deepEqual([book.revenue, book.units], ['120.40', 1204], 'sales that went with their buyer are taken out');
  rows.splice(-1, 0, { id: 1.5, quantity: 1, amountPaid: '0.10', createdAt: at(2000) });
  sold = 1205;
  await book.update();
  assert.deepEqual([book.revenue, book.units, book.sales[0].id], ['120.50', 1205, 1.5], 'an old hold bought late is found, and is the newest sale');
});

test('a key is checked without a drop to check it on', async () => {
  const statuses = [404, 401];
  const fetch = async () => new Response('{}', { status: statuses.shift() });
  const api = createApi({ clock: new ServerClock(), adminKey: () => 'secret', fetch });
  await api.admin.check();
  await assert.rejects(api.admin.check(), { status: 401 });
});

test('frames bring drops along, take them away, and never touch the shopper’s own hold', () => {
  const hold = { id: 5, expiresAt: '2030-01-01T12:00:00.000Z', quantity: 1, variant: null };
  const drop = { id: 1, name: 'Runner', createdAt: 'then', version: 3, availableStock: 2, heldStock: 1, soldCount: 0, variants: [{ name: null, heldStock: 1 }], userReservation: null };
  const store = new DropStore();
  const told = [];
  const handle = createFrameHandler({
    store, clock: new ServerClock(), refresh: (id) => told.push(`refresh ${id}`), resync: () => told.push('resync'),
    doubtHold: (id) => told.push(`doubt ${id}`), onWithdrawn: ({ name }) => told.push(`withdrawn ${name}`),
  });
  store.receive([{ ...drop, userReservation: hold }], { aboutUser: true });
  handle({ event: 'dropChanged', dropId: 1, version: 4, drop: { ...drop, name: 'Racer', version: 4 } }, 0);
  handle({ event: 'dropChanged', dropId: 2, version: 1, drop: { ...drop, id: 2, version: 1 } }, 0);
  assert.deepEqual([store.get(1).name, store.get(1).userReservation, store.list().length, told], ['Racer', hold, 2, []]);
  handle({ event: 'stockUpdated', dropId: 1, version: 5, availableStock: 3, heldStock: 0, soldCount: 0, variants: [{ name: null, heldStock: 0 }] }, 0);
  handle({ event: 'dropChanged', dropId: 2, deleted: true }, 0);
  assert.deepEqual([store.list().length, told], [1, ['doubt 1', 'withdrawn Runner']]);
  handle({ event: 'snapshot', drops: [{ ...drop, version: 2 }] }, 0);
  assert.deepEqual([store.get(1).version, store.get(1).userReservation, told.at(-1)], [2, hold, 'resync'], 'a snapshot is believed, also of older data');
  store.receive([{ ...drop, version: 2 }], { aboutUser: true });
  assert.equal(store.get(1).userReservation, null, 'and the answer after it says what is held');
});
