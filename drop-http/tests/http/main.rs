//! The wire contract, row by row, against the router with real sockets.

mod abuse;
mod amending;
mod events;
mod faults;
mod hosting;
mod listing;
#[cfg(feature = "metrics")]
mod metrics;
mod proof;
mod protocol;
mod purchases;
mod reservations;
mod seats;
mod seller;
mod shopper;
#[cfg(feature = "socketio")]
mod socketio;
mod sse;
mod support;
mod times;
mod ws;
