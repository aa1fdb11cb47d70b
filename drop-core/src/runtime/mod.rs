//! Every task there is: what turns callers into batches, and commits into news. Beside it only
//! clocks know tokio.
//!
//! ```text
//! caller -> lane -> writer -> store
//!                     |
//!                     +-> bus -> subscribers
//! feed (other instances' commits) --^        expiry, windows (time alone) -> lane, bus
//! ```

mod admission;
mod agenda;
mod bus;
mod deadlines;
mod expiry;
mod feed;
mod heads;
mod lane;
mod lanes;
mod updates;
mod watermark;
mod windows;
mod workers;
mod writer;

pub(crate) use bus::Bus;
pub(crate) use feed::Feed;
pub(crate) use writer::{Answer, Writer, WriterLimits};

pub use updates::{Update, Updates};
pub use watermark::Watermark;
pub(crate) use workers::Pace;
pub use workers::Workers;
