//! Evidence from whole processes: what is counted here goes into `docs/evidence.md`.
//!
//! Run alone and one after the other, `cargo test -p drop-shop --test shop -- proof:: --test-threads=1`;
//! `DROP_LONG=1` makes each as long as the page says, without it runs its share for CI.
//! `DROP_SEED=N` repeats the choices of an earlier run.

mod accepted;
mod crowd;
mod deadline;
mod differential;
mod herd;
mod inside;
mod kills;
mod run;
mod stage;
mod stops;
mod verdict;
mod witness;
