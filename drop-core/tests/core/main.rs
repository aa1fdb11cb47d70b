//! drop-core from outside: properties of the rules, and the structure of the house.

mod structure;
