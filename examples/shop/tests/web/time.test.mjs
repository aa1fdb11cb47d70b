import assert from 'node:assert/strict';
import test from 'node:test';

import { formatAgo, formatCountdown, isUrgent } from '../../web/js/countdown.js';
import { ServerClock } from '../../web/js/clock.js';

test('a countdown rounds up and only reads zero when the time is over', () => {
  assert.deepEqual([60_000, 59_001, 59_000, 1, 0, -5].map(formatCountdown), ['1:00', '1:00', '0:59', '0:01', '0:00', '0:00']);
  assert.equal(formatCountdown(3_661_000), '1:01:01');
  assert.equal(formatCountdown(2 * 86_400_000 + 3_000), '2d 00:00:03');
});

test('the last ten seconds are urgent', () => {
  assert.deepEqual([10_001, 10_000, 0].map(isUrgent), [false, true, true]);
});

test('ages are short', () => {
  assert.deepEqual([0, 59_000, 61_000, 7_200_000, 3 * 86_400_000].map(formatAgo), ['now', '59s ago', '1m ago', '2h ago', '3d ago']);
});

test('the clock follows the server and narrows with each answer', () => {
  let local = 1_000;
  const clock = new ServerClock(() => local);
  clock.observe(501_000, 900, 1_100); // the offset is between 499,900 and 500,100
  assert.equal(clock.now(), 501_000);
  clock.observe(501_000, 990, 1_090); // between 499,910 and 500,010
  assert.equal(clock.offset, 499_960);
  clock.observe(501_500, 0, 3_000); // a slow answer that contradicts nothing teaches nothing
  assert.equal(clock.offset, 499_960);
  local = 2_000;
  assert.equal(clock.now(), 501_960);
});

test('a sample that contradicts the known replaces it', () => {
  const clock = new ServerClock(() => 0);
  clock.observe('1970-01-01T00:01:00.000Z', 0, 100);
  clock.observe('1970-01-01T00:05:00.000Z', 0, 100);
  assert.equal(clock.offset, 299_950);
});

test('a Date header serves only until the server has spoken', () => {
  const clock = new ServerClock(() => 0);
  clock.observeDateHeader('Thu, 01 Jan 1970 00:00:10 GMT', 0, 0);
  assert.equal(clock.offset, 10_500);
  clock.observe(20_000, 0, 0);
  clock.observeDateHeader('Thu, 01 Jan 1970 00:00:10 GMT', 0, 0);
  assert.equal(clock.offset, 20_000);
  clock.observe(undefined, 0, 0);
  assert.equal(clock.offset, 20_000);
});
