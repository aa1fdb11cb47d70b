//! The memory store and the file store, from outside.

mod conformance;
mod gate;
mod journal;
mod simulation;
