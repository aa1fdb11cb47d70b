/**
 * What the page knows of the drops: pure functions first, a small store around them at the end.
 *
 * Facts arrive on two roads, answers and frames, and may overtake each other. A drop's `version` orders them: what is older than
 * the known is ignored, what is equal is taken (a purchase carries the version of the stock change it follows). Whose hold it is
 * only answers say, so the hold is ordered by a version of its own: a snapshot newer than an answer must not hide the hold in it.
 */

/**
 * @typedef {{name: string|null, totalStock: number, availableStock: number, heldStock: number, soldCount: number}} Variant
 * @typedef {{id: number, expiresAt: string, createdAt?: string, variant?: string|null, quantity?: number, price?: string}} Hold
 * @typedef {{username: string, purchasedAt: string}} Purchaser
 * @typedef {object} DropFacts
 * @property {number} id
 * @property {string} name
 * @property {string} price
 * @property {number} totalStock
 * @property {number} availableStock
 * @property {number} heldStock
 * @property {number} soldCount
 * @property {string|null} startsAt
 * @property {string|null} endsAt
 * @property {string} createdAt
 * @property {number|undefined} version undefined while whatever comes next is to be believed
 * @property {number|null} maxPerCustomer
 * @property {Variant[]} variants
 * @property {Purchaser[]} topPurchasers
 * @property {Hold|null} userReservation
 * @property {number} [holdVersion] version as of which `userReservation` is known; absent while unknown
 * @typedef {'upcoming'|'open'|'mayComeBack'|'soldOut'|'ended'} Phase
 */

/**
 * @param {{version?: number}} incoming
 * @param {number|undefined} known
 * @returns {boolean} whether the incoming may replace what is known; a server without versions is believed
 */
export function isCurrent(incoming, known) {
  return incoming.version === undefined || known === undefined || incoming.version >= known;
}

/**
 * What a shopper can do with a drop at a moment, judged by the server's time: a drop opens on screen at its start even if the
 * frame that says so is still on its way.
 * @param {DropFacts} facts
 * @param {number} now epoch ms, the server's
 * @returns {Phase}
 */
export function phaseOf(facts, now) {
  if (facts.startsAt && now < Date.parse(facts.startsAt)) return 'upcoming';
  if (facts.endsAt && now >= Date.parse(facts.endsAt)) return 'ended';
  if (facts.availableStock > 0) return 'open';
  return facts.heldStock > 0 ? 'mayComeBack' : 'soldOut';
}

/**
 * The same number created at another time is another drop: the server was given other data, and its versions began anew.
 * @param {{id: number, createdAt: string}} facts
 * @returns {string}
 */
export function identityOf({ id, createdAt }) {
  return `${id} ${createdAt}`;
}

/**
 * @param {DropFacts|undefined} known
 * @param {DropFacts} incoming from an answer or a snapshot
 * @param {boolean} aboutUser whether the sender knew who was asking; otherwise its `userReservation` says nothing
 * @returns {DropFacts} the very same object where nothing was news
 */
export function mergeFacts(known, incoming, aboutUser) {
  const fresh = { ...incoming, userReservation: null, holdVersion: undefined };
  const base = known && identityOf(known) === identityOf(incoming) ? known : undefined;
  const current = !base || isCurrent(incoming, base.version);
  const facts = current ? { ...fresh, userReservation: base?.userReservation ?? null, holdVersion: base?.holdVersion } : base;
  if (!aboutUser || !isCurrent(incoming, base?.holdVersion)) return facts;
  return { ...facts, userReservation: mergeHold(base?.userReservation, incoming.userReservation), holdVersion: incoming.version };
}

/**
 * An answer about a drop may say less of a hold than the answer that took it did.
 * @param {Hold|null|undefined} known
 * @param {Hold|null} incoming
 */
function mergeHold(known, incoming) {
  if (!incoming) return null;
  return known?.id === incoming.id ? { ...known, ...incoming } : incoming;
}

/**
 * @param {DropFacts} known
 * @param {any} frame `stockUpdated`
 * @returns {DropFacts}
 */
export function applyStock(known, frame) {
  if (!isCurrent(frame, known.version)) return known;
  const next = { ...known };
  for (const field of /** @type {const} */ (['availableStock', 'heldStock', 'soldCount', 'version', 'variants'])) {
    if (frame[field] !== undefined) next[field] = frame[field];
  }
  if (frame.heldStock !== undefined && frame.soldCount !== undefined) {
    next.totalStock = next.availableStock + next.heldStock + next.soldCount;
  }
  return next;
}

/**
 * @param {DropFacts} known
 * @param {any} frame `purchaseCompleted`
 * @returns {DropFacts}
 */
export function applyPurchase(known, frame) {
  if (!isCurrent(frame, known.version)) return known;
  return { ...known, topPurchasers: frame.topPurchasers ?? known.topPurchasers, version: frame.version ?? known.version };
}

/**
 * @param {DropFacts} known
 * @param {Hold|null} hold
 * @param {number|undefined} version of the answer that says so
 * @returns {DropFacts}
 */
export function applyHold(known, hold, version) {
  if (!isCurrent({ version }, known.holdVersion)) return known;
  return { ...known, userReservation: hold, holdVersion: version ?? known.holdVersion };
}

/**
 * The sizes to choose from; a plain drop has one variant without a name, which is no choice.
 * @param {DropFacts} facts
 * @returns {(Variant & {name: string})[]}
 */
export function sizesOf(facts) {
  return /** @type {(Variant & {name: string})[]} */ ((facts.variants ?? []).filter((variant) => variant.name));
}

/**
 * @param {DropFacts} facts
 * @param {string|null} size
 * @returns {number} the most that can be asked for at once
 */
export function mostAtOnce(facts, size) {
  const available = size === null ? facts.availableStock : sizesOf(facts).find(({ name }) => name === size)?.availableStock ?? 0;
  return Math.max(1, Math.min(available, facts.maxPerCustomer ?? available));
}

/** The page's one collection of drops. Subscribers hear which drops changed, after they did. */
export class DropStore {
  constructor() {
    /** @type {Map<number, DropFacts>} */
    this.known = new Map();
    /** @type {Set<(dropIds: number[]) => void>} */
    this.subscribers = new Set();
  }

  /** @param {number} dropId */
  get(dropId) {
    return this.known.get(dropId);
  }

  /** @returns {DropFacts[]} newest first, as the server lists them */
  list() {
    return [...this.known.values()].sort((a, b) => b.id - a.id);
  }

  /** @param {(dropIds: number[]) => void} subscriber */
  subscribe(subscriber) {
    this.subscribers.add(subscriber);
  }

  /** @param {number[]} dropIds */
  #tell(dropIds) {
    if (dropIds.length > 0) for (const subscriber of this.subscribers) subscriber(dropIds);
  }

  /** @param {number} dropId @param {(known: DropFacts) => DropFacts} change */
  #change(dropId, change) {
    const before = this.known.get(dropId);
    if (!before) return;
    const after = change(before);
    if (after === before) return;
    this.known.set(dropId, after);
    this.#tell([dropId]);
  }

  /** @param {DropFacts[]} drops @param {{aboutUser: boolean}} options */
  receive(drops, { aboutUser }) {
    const changed = [];
    for (const incoming of drops) {
      const before = this.known.get(incoming.id);
      const after = mergeFacts(before, incoming, aboutUser);
      if (after === before) continue;
      this.known.set(incoming.id, after);
      changed.push(incoming.id);
    }
    this.#tell(changed);
  }

  /**
   * A snapshot is the present state and replaces what is known, also where its versions went back: the server was given older data.
   * Whoever was known and is not in it (ended, deleted) is to be judged by the next answer, whatever its version.
   * @param {DropFacts[]} drops
   * @returns {boolean} whether the known was newer than the snapshot; only answers then tell the shopper's holds
   */
  replace(drops) {
    const present = new Map(drops.map((facts) => [facts.id, facts]));
    let contradicted = false;
    for (const [dropId, known] of this.known) {
      const incoming = present.get(dropId);
      if (incoming && isCurrent(incoming, known.version)) continue;
      contradicted ||= incoming !== undefined;
      this.known.set(dropId, { ...known, version: undefined, holdVersion: undefined });
    }
    this.receive(drops, { aboutUser: false });
    return contradicted;
  }

  /** @param {number} dropId @param {any} frame */
  stock(dropId, frame) {
    this.#change(dropId, (known) => applyStock(known, frame));
  }

  /** @param {number} dropId @param {any} frame */
  purchase(dropId, frame) {
    this.#change(dropId, (known) => applyPurchase(known, frame));
  }

  /** @param {number} dropId @param {Hold|null} hold @param {number} [version] */
  hold(dropId, hold, version) {
    this.#change(dropId, (known) => applyHold(known, hold, version));
  }

  /** Another shopper sits down: nobody's holds are known until asked for. */
  forgetHolds() {
    for (const [dropId, known] of this.known) this.known.set(dropId, { ...known, userReservation: null, holdVersion: undefined });
    this.#tell([...this.known.keys()]);
  }

  /** @param {number[]} dropIds */
  remove(dropIds) {
    const gone = dropIds.filter((dropId) => this.known.delete(dropId));
    this.#tell(gone);
  }
}
