//! What watchers hear: one hub, whatever the transport.
//!
//! ```text
//! service -> hub -> board -> frames -> subscription -> WebSocket
//!                     |                            \-> SSE
//!                     +-> snapshot for who is new, \-> Socket.IO
//!                         late or slow
//! ```
//! The hub follows the service and keeps the board: every drop that is open or upcoming, as
//! it is now. A change becomes one frame, written once for all transports. Who connects gets
//! the board and then the frames after it, both taken under one lock, so that nothing is
//! missed, nothing comes twice and no version goes back. Nobody reads the store for it.

mod board;
mod channel;
mod entry;
mod filter;
mod frame;
mod hub;
mod seats;
mod subscription;
mod timeline;

pub(crate) use channel::{Bounds, Live};
pub(crate) use filter::Filter;
pub(crate) use frame::Position;
#[cfg(feature = "socketio")]
pub(crate) use frame::{Event, SNAPSHOT, Snapshot};
pub use hub::Hub;
pub(crate) use hub::HubParts;
pub(crate) use seats::Seat;
pub(crate) use subscription::{Item, Subscription};
