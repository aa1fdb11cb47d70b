//! Crowds of watchers; what is counted here goes into `docs/evidence.md`.
//!
//! Run alone: `cargo test -p drop-http --all-features --test http -- proof:: --test-threads=1`;
//! `DROP_LONG=1` makes it longer and holds it to its times.

mod load;
mod place;
mod seen;
mod sockets;
mod watcher;
