//! Evidence from whole processes: what is counted here goes into `docs/evidence.md`.
//!
//! Run alone and one after the other, `cargo test -p drop-shop --test shop -- proof:: --test-threads=1`;
//! `DROP_LONG=1` makes each as long as the page says, without it runs its share for CI.
//! `DROP_SEED=N` repeats the choices of an earlier run.

mod accepted;
mod clocks;
mod crowd;
mod deadline;
mod differential;
mod herd;
mod injected;
mod inside;
mod kills;
mod late;
mod network;
mod pauses;
mod pooler;
mod resources;
mod run;
mod shoppers;
mod stage;
mod stops;
mod witness;
