-- The whole schema of the store. Rules that hold throughout:
-- * Every key begins with the drop, so that tables distribute by it (users is a reference
--   table) and no statement of a transaction spans two drops.
-- * BIGINT, TEXT with CHECK and plain arrays only: what PostgreSQL's relatives also take.
-- * No index on a column that every batch changes, so that those rows update in place (HOT);
--   no index that a reserve does not need, except the one of purchases.

CREATE TABLE users (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- A name is one user whatever its case; the spelling that came first stays.
CREATE UNIQUE INDEX users_by_name ON users (lower(username));

-- Counts drops. A counter and not a sequence: ids stay dense, and below 2^24 they leave room
-- for 2^29 reservations of each drop in an integer that JavaScript can hold.
CREATE TABLE drop_ids (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    last BIGINT NOT NULL CHECK (last >= 0 AND last < 16777216)
);

INSERT INTO drop_ids (one, last) VALUES (1, 0);

-- The row that is locked. Its counts are the sums over the drop's variants.
CREATE TABLE drops (
    id BIGINT PRIMARY KEY CHECK (id >= 1 AND id < 16777216),
    revision BIGINT NOT NULL CHECK (revision >= 1),
    next_number BIGINT NOT NULL CHECK (next_number >= 1),
    total BIGINT NOT NULL,
    held BIGINT NOT NULL,
    sold BIGINT NOT NULL,
    name TEXT NOT NULL,
    price NUMERIC NOT NULL CHECK (price >= 0),
    starts_at TIMESTAMPTZ NOT NULL,
    ends_at TIMESTAMPTZ CHECK (ends_at > starts_at),
    max_per_customer BIGINT CHECK (max_per_customer >= 1),
    hold_micros BIGINT NOT NULL CHECK (hold_micros > 0),
    longest_micros BIGINT NOT NULL CHECK (longest_micros >= hold_micros),
    recent JSON NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT drops_never_oversold CHECK (held >= 0 AND sold >= 0 AND held + sold <= total)
) WITH (fillfactor = 50);

CREATE TABLE drop_variants (
    drop_id BIGINT NOT NULL REFERENCES drops (id) ON DELETE CASCADE,
    no BIGINT NOT NULL CHECK (no >= 0),
    name TEXT,
    total BIGINT NOT NULL,
    held BIGINT NOT NULL,
    sold BIGINT NOT NULL,
    PRIMARY KEY (drop_id, no),
    CONSTRAINT drop_variants_never_oversold
        CHECK (held >= 0 AND sold >= 0 AND held + sold <= total)
) WITH (fillfactor = 50);

-- On the wire a reservation is drop_id * 2^29 + n.
CREATE TABLE reservations (
    drop_id BIGINT NOT NULL
        CONSTRAINT reservations_drop REFERENCES drops (id) ON DELETE CASCADE,
    n BIGINT NOT NULL CHECK (n >= 1 AND n < 536870912),
    user_id BIGINT NOT NULL
        CONSTRAINT reservations_user REFERENCES users (id) ON DELETE CASCADE,
    variant BIGINT NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity >= 1),
    price NUMERIC NOT NULL CHECK (price >= 0),
    status TEXT NOT NULL CHECK (status IN ('active', 'completed', 'expired', 'released')),
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (drop_id, n)
);

-- At most one active hold for a user and drop. The user comes first, so that it also finds
-- the holds of a customer over all drops.
CREATE UNIQUE INDEX reservations_one_hold ON reservations (user_id, drop_id)
    WHERE status = 'active';

-- What lapses next, by drop. That a deadline is there goes without saying, and is said so that
-- only a question about deadlines can be answered by this index: where a table has not been
-- analysed yet, the planner would else look for one customer's hold among all of a drop.
CREATE INDEX reservations_due ON reservations (drop_id, expires_at)
    WHERE status = 'active' AND expires_at IS NOT NULL;

-- One to one with its completed reservation, whose number it carries. Deleting a drop reaches
-- it through the reservation.
CREATE TABLE purchases (
    drop_id BIGINT NOT NULL,
    n BIGINT NOT NULL,
    user_id BIGINT NOT NULL
        CONSTRAINT purchases_user REFERENCES users (id) ON DELETE CASCADE,
    variant BIGINT NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity >= 1),
    amount_paid NUMERIC NOT NULL CHECK (amount_paid >= 0),
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (drop_id, n),
    CONSTRAINT purchases_reservation FOREIGN KEY (drop_id, n)
        REFERENCES reservations (drop_id, n) ON DELETE CASCADE
);

-- The purchases of a customer by falling number, and what the limit counts.
CREATE INDEX purchases_of_user ON purchases (user_id, drop_id, n);

-- The feed: one row for each committed change, complete in itself.
CREATE TABLE drop_changes (
    drop_id BIGINT NOT NULL REFERENCES drops (id) ON DELETE CASCADE,
    revision BIGINT NOT NULL CHECK (revision >= 1),
    as_of TIMESTAMPTZ NOT NULL,
    facts JSON NOT NULL,
    PRIMARY KEY (drop_id, revision)
);
