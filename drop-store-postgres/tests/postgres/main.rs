//! The store on a real PostgreSQL: one binary, one private server, a database per test.

mod kit;
mod sales;
mod zz;
