//! drop-core from outside: the rules without a store, the suite's own list, the structure.

mod decide;
mod history;
mod structure;
mod table;
