//! drop-core from outside: the rules without a store, the suite's own list, the structure.

mod bazaar;
mod clean;
mod contradictions;
mod decide;
mod expiry;
mod failure_modes;
mod feed;
mod forgery;
mod history;
mod instances;
mod planted;
mod sellers;
mod structure;
mod subscribe;
mod table;
mod talk;
mod tapped;
mod windows;
