//! The shop as a process: real sockets, real clients, real servers, real kills.

mod abuse;
mod browser;
mod herd;
mod lifecycle;
mod proof;
mod seed_client;
mod support;
