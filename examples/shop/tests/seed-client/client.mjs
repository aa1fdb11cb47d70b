// A client as it was written for the seed's server: fetch on /api/*, socket.io-client 4 at the
// page's origin, the seed's fields and nothing else. Exits 0 when everything was as it expects.
//
//   node client.mjs ORIGIN TRANSPORT ADMIN_KEY        TRANSPORT: websocket or polling
import assert from "node:assert/strict";
import { io } from "socket.io-client";

const [origin, transport, adminKey] = process.argv.slice(2);
setTimeout(() => { console.error("nothing happened for 30 s"); process.exit(3); }, 30_000).unref();

const call = async (method, path, body, headers = {}) => {
  const response = await fetch(origin + path, {
    method,
    headers: { "content-type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : null };
};
const isTime = (value) => assert.match(value, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

assert.deepEqual((await call("GET", "/api/health")).body, { ok: true });

const name = `Seed ${transport}`;
const refused = await call("POST", "/api/drops", { name, price: 10, totalStock: 1 });
assert.equal(refused.status, 401);
assert.equal(refused.body.error, "UNAUTHORIZED");
const created = await call("POST", "/api/drops", { name, price: 149.99, totalStock: 2 },
  { "x-api-key": adminKey });
assert.equal(created.status, 201);
const dropId = created.body.id;
assert.equal(typeof dropId, "number");
assert.equal(created.body.price, "149.99");

const socket = io(origin, { transports: [transport], reconnection: false });
const events = [];
const waiting = [];
const note = (event) => (payload) => {
  if (payload.dropId !== dropId) return;
  events.push({ event, payload });
  waiting.splice(0).forEach((wake) => wake());
};
socket.on("stockUpdated", note("stockUpdated"));
socket.on("purchaseCompleted", note("purchaseCompleted"));
await new Promise((resolve, reject) => {
  socket.on("connect", resolve);
  socket.on("connect_error", reject);
});
assert.equal(socket.io.engine.transport.name, transport);

const until = async (wanted) => {
  for (;;) {
    const found = events.find(wanted);
    if (found) return found.payload;
    await new Promise((wake) => waiting.push(wake));
  }
};
const stock = (count) => ({ event, payload }) =>
  event === "stockUpdated" && payload.availableStock === count;

await until(stock(2));
const username = `seed_${transport}`;
const reserved = await call("POST", "/api/reservations", { dropId, username });
assert.equal(reserved.status, 201);
assert.equal(reserved.body.success, true);
const { reservation } = reserved.body;
assert.equal(reservation.dropId, dropId);
assert.equal(reservation.status, "active");
assert.equal(typeof reservation.userId, "number");
["expiresAt", "createdAt", "updatedAt"].forEach((field) => isTime(reservation[field]));
await until(stock(1));

const again = await call("POST", "/api/reservations", { dropId: String(dropId), username });
assert.equal(again.status, 201);
assert.equal(again.body.reservation.id, reservation.id);

const read = await call("GET", `/api/reservations/${reservation.id}`);
assert.equal(read.status, 200);
assert.equal(read.body.id, reservation.id);
assert.equal(read.body.status, "active");

const listed = await call("GET", `/api/drops?username=${username}`);
const mine = listed.body.drops.find((drop) => drop.id === dropId);
assert.deepEqual(Object.keys(mine.userReservation).slice(0, 2).sort(), ["expiresAt", "id"]);
assert.equal(mine.userReservation.id, reservation.id);
assert.deepEqual(mine.topPurchasers, []);
["startsAt", "createdAt", "updatedAt"].forEach((field) => isTime(mine[field]));
assert.equal(mine.endsAt, null);

const stranger = await call("POST", "/api/purchases",
  { reservationId: reservation.id, username: "stranger" });
assert.equal(stranger.status, 403);
assert.equal(stranger.body.message, "This reservation belongs to another user");

const bought = await call("POST", "/api/purchases", { reservationId: reservation.id, username });
assert.equal(bought.status, 201);
const { purchase } = bought.body;
assert.equal(purchase.amountPaid, "149.99");
assert.equal(purchase.user.username, username);
assert.equal(purchase.User.username, username);
assert.equal(purchase.reservationId, reservation.id);
const completed = await until(({ event }) => event === "purchaseCompleted");
assert.equal(completed.username, username);
assert.equal(completed.topPurchasers[0].username, username);
isTime(completed.topPurchasers[0].purchasedAt);

const last = await call("POST", "/api/reservations", { dropId, username: `other_${transport}` });
assert.equal(last.status, 201);
await until(stock(0));
const out = await call("POST", "/api/reservations", { dropId, username: `late_${transport}` });
assert.equal(out.status, 409);
assert.equal(out.body.success, false);
assert.equal(out.body.error, "OUT_OF_STOCK");
assert.equal(out.body.message, "This item is sold out");

for (const [body, error, message] of [
  [{ dropId }, "VALIDATION_ERROR", "dropId and username are required"],
  [{ dropId, username: "a!" }, "INVALID_USERNAME", "Username must be 3-50 alphanumeric characters"],
]) {
  const bad = await call("POST", "/api/reservations", body);
  assert.equal(bad.status, 400);
  assert.equal(bad.body.error, error);
  assert.equal(bad.body.message, message);
}
assert.equal((await call("POST", "/api/reservations", { dropId: 16_000_000, username })).status, 404);
const gone = await call("POST", "/api/purchases", { reservationId: reservation.id + 99, username });
assert.equal(gone.status, 410);

// The drop's stock was told in the order of its versions.
const versions = events.map(({ payload }) => payload.version);
assert.deepEqual(versions, [...versions].sort((a, b) => a - b));
socket.disconnect();
console.log(`the seed's client is content by ${transport}`);
process.exit(0);
