import assert from 'node:assert/strict';
import test from 'node:test';

import { applyHold, applyPurchase, applyStock, DropStore, mergeFacts, mostAtOnce, phaseOf } from '../../web/js/state.js';

const AT = Date.parse('2030-01-01T12:00:00.000Z');
const variant = (name, availableStock, heldStock = 0, soldCount = 0) => ({ name, totalStock: availableStock + heldStock + soldCount, availableStock, heldStock, soldCount });
const facts = (changes = {}) => ({
  id: 1, name: 'Runner', price: '180.00', totalStock: 10, availableStock: 10, heldStock: 0, soldCount: 0, startsAt: '2030-01-01T11:00:00.000Z',
  endsAt: null, createdAt: '2030-01-01T10:00:00.000Z', version: 5, maxPerCustomer: null, variants: [], topPurchasers: [], userReservation: null, ...changes,
});
const hold = { id: 77, expiresAt: '2030-01-01T12:01:00.000Z' };

test('an older stock frame changes nothing, an equal or newer one does', () => {
  const known = facts();
  assert.equal(applyStock(known, { version: 4, availableStock: 1 }), known);
  assert.equal(applyStock(known, { version: 5, availableStock: 9, heldStock: 1, soldCount: 0 }).availableStock, 9);
  const raised = applyStock(known, { version: 6, availableStock: 14, heldStock: 4, soldCount: 2 });
  assert.deepEqual([raised.version, raised.totalStock], [6, 20]);
});

test('a purchase carries the version of the stock change before it and is taken', () => {
  const sold = applyStock(facts(), { version: 6, availableStock: 9, heldStock: 0, soldCount: 1 });
  const topPurchasers = [{ username: 'ann', purchasedAt: '2030-01-01T12:00:00.000Z' }];
  assert.deepEqual(applyPurchase(sold, { version: 6, topPurchasers }).topPurchasers, topPurchasers);
  assert.equal(applyPurchase(sold, { version: 5, topPurchasers: [] }), sold);
});

test('an answer overtaken by a snapshot still tells of the hold, and not of the stock', () => {
  const snapshot = facts({ version: 8, availableStock: 3 });
  const merged = mergeFacts(snapshot, facts({ version: 7, availableStock: 4, userReservation: hold }), true);
  assert.equal(merged.availableStock, 3);
  assert.deepEqual(merged.userReservation, hold);
});

test('a snapshot does not know who listens and leaves the hold alone', () => {
  const holding = applyHold(facts(), { ...hold, quantity: 2 }, 6);
  assert.equal(mergeFacts(holding, facts({ version: 9 }), false).userReservation?.id, hold.id);
  assert.equal(mergeFacts(holding, facts({ version: 9 }), true).userReservation, null);
  assert.equal(mergeFacts(holding, facts({ version: 5 }), true).userReservation?.id, hold.id, 'an answer from before the hold');
  assert.equal(mergeFacts(holding, facts({ version: 7, userReservation: hold }), true).userReservation?.quantity, 2);
});

test('the same number created at another time is another drop', () => {
  const reborn = facts({ version: 1, createdAt: '2030-02-01T10:00:00.000Z', availableStock: 2 });
  assert.equal(mergeFacts(facts({ version: 90 }), reborn, false).availableStock, 2);
});

test('what a shopper can do follows the time and the stock', () => {
  assert.equal(phaseOf(facts({ startsAt: '2030-01-01T12:00:00.001Z' }), AT), 'upcoming');
  assert.equal(phaseOf(facts({ startsAt: '2030-01-01T12:00:00.000Z' }), AT), 'open');
  assert.equal(phaseOf(facts({ endsAt: '2030-01-01T12:00:00.000Z' }), AT), 'ended');
  assert.equal(phaseOf(facts({ availableStock: 0, heldStock: 1 }), AT), 'mayComeBack');
  assert.equal(phaseOf(facts({ availableStock: 0 }), AT), 'soldOut');
});

test('nobody can ask for more than is available or allowed', () => {
  const sized = facts({ variants: [variant('41', 1), variant('42', 9)], maxPerCustomer: 3 });
  assert.deepEqual([mostAtOnce(sized, '41'), mostAtOnce(sized, '42'), mostAtOnce(facts(), null)], [1, 3, 10]);
});

test('the store tells what changed and forgets holds with their owner', () => {
  const store = new DropStore();
  const heard = [];
  store.subscribe((ids) => heard.push(...ids));
  store.receive([facts({ userReservation: hold })], { aboutUser: true });
  store.stock(1, { version: 2, availableStock: 0 });
  assert.deepEqual(heard, [1], 'a stale frame is no news');
  store.forgetHolds();
  assert.equal(store.get(1)?.userReservation, null);
  store.receive([facts()], { aboutUser: true });
  store.remove([1, 2]);
  assert.equal(store.list().length, 0);
});
