-- A name is one user by the letters that it may have, a to z, whatever language the database is
-- in: Turkish lowers I to another letter than i.
DROP INDEX users_by_name;
CREATE UNIQUE INDEX users_by_name ON users (lower(username COLLATE "C"));
