import assert from 'node:assert/strict';
import test from 'node:test';

import { ApiError, createApi, toApiError } from '../../web/js/api.js';
import { coalesce } from '../../web/js/coalesce.js';
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
    ['GET', '/api/drops?status=all&username=ann', undefined, undefined],
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
