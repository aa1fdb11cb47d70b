//! The store on a real PostgreSQL: one binary, one private server, a database per test.

mod bounds;
mod cluster;
mod conformance;
mod connections;
mod faults;
mod guards;
mod hints;
mod injected;
mod interleavings;
mod joint;
mod kit;
mod names;
mod network;
mod plans;
mod proxies;
mod races;
mod sales;
mod schema;
mod seller;
mod written;
