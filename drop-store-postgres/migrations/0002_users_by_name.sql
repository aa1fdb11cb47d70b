-- A name is one user by the letters that it may have, a to z, whatever language the database is
-- in: Turkish lowers I to another letter than i. Whom it lowered so was found by no look-up, has
-- nothing, and may be there twice.
DELETE FROM users u WHERE lower(u.username) <> lower(u.username COLLATE "C")
    AND NOT EXISTS (SELECT 1 FROM reservations r WHERE r.user_id = u.id);

DROP INDEX users_by_name;
CREATE UNIQUE INDEX users_by_name ON users (lower(username COLLATE "C"));
