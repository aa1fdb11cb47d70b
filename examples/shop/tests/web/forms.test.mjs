import assert from 'node:assert/strict';
import test from 'node:test';

import { checkUsername, recallUsername, rememberUsername } from '../../web/js/username.js';
import { formatMoney, sumOf, times } from '../../web/js/money.js';
import { mergeActivity } from '../../web/js/activity-feed.js';
import { termsOf } from '../../web/js/admin-create.js';

test('a name is 3 to 50 letters, digits and underscores, after trimming', () => {
  for (const good of ['ann', 'Ann_01', 'x'.repeat(50), '  ann  ']) assert.deepEqual(checkUsername(good), { ok: true, username: good.trim() });
  for (const bad of ['', 'ab', 'x'.repeat(51), 'a b c', 'jörg', 'ann-1', 'ann\n!']) assert.equal(checkUsername(bad).ok, false, bad);
});

test('the name is remembered, and only if it still fits the rule', () => {
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  assert.equal(recallUsername(storage), '');
  rememberUsername('ann', storage);
  assert.equal(recallUsername(storage), 'ann');
  rememberUsername('<b>', storage);
  assert.equal(recallUsername(storage), '');
});

test('money is counted in integers', () => {
  assert.equal(sumOf(['0.10', '0.20', '99999999999999.99']), '100000000000000.29');
  assert.equal(times('129.90', 3), '389.70');
  assert.deepEqual(['180.00', '129.9', '1299', '0.005'].map(formatMoney), ['$180', '$129.90', '$1,299', '$0.005']);
});

test('recent buyers are newest first and none twice', () => {
  const at = (second) => ({ username: `u${second}`, purchasedAt: `2030-01-01T00:00:0${second}.000Z` });
  const names = (...lists) => mergeActivity(...lists).map(({ username }) => username);
  assert.deepEqual(names([at(3), at(2), at(1)], [at(4), at(3), at(2)], 4), ['u4', 'u3', 'u2', 'u1']);
  assert.deepEqual(names([at(4), at(3), at(2)], [at(3), at(2), at(1)], 4), ['u3', 'u2', 'u1'], 'who is no buyer any more is not shown');
  assert.deepEqual(names([at(2), at(1)], [at(1)]), ['u1'], 'fewer than three are all there are');
});

test('a new drop sends what was filled in and nothing else', () => {
  const empty = { name: '', price: '', totalStock: '', sizes: [], startsAt: '', endsAt: '', holdSeconds: '', longestHoldSeconds: '', maxPerCustomer: '' };
  assert.deepEqual(termsOf({ ...empty, name: ' Runner ', price: '180', totalStock: '5' }), { terms: { name: 'Runner', price: '180', totalStock: 5 } });
  const sizes = [{ name: '42', totalStock: '3' }, { name: '', totalStock: '' }];
  assert.deepEqual(termsOf({ ...empty, name: 'Runner', price: '1.50', totalStock: '3', sizes, holdSeconds: '2.5', maxPerCustomer: '1' }), {
    terms: { name: 'Runner', price: '1.50', variants: [{ name: '42', totalStock: 3 }], holdSeconds: 2.5, maxPerCustomer: 1 },
  });
  assert.equal(termsOf({ ...empty, name: 'Runner', price: 'much', totalStock: '5' }).field, 'price');
  assert.equal(termsOf({ ...empty, name: 'Runner', price: '1' }).field, 'totalStock');
  assert.equal(termsOf({ ...empty, name: 'Runner', price: '1', sizes: [sizes[0], sizes[0]] }).field, 'sizes');
});
