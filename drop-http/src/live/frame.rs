//! One event, written once for every transport.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use bytes::Bytes;
use drop_core::model::{DropId, Timestamp};
use serde::Serialize;

/// What an event is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    StockUpdated,
    PurchaseCompleted,
    DropChanged,
    DropOpened,
    DropEnded,
    DropSoldOut,
}

impl Event {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::StockUpdated => "stockUpdated",
            Self::PurchaseCompleted => "purchaseCompleted",
            Self::DropChanged => "dropChanged",
            Self::DropOpened => "dropOpened",
            Self::DropEnded => "dropEnded",
            Self::DropSoldOut => "dropSoldOut",
        }
    }
}

/// The name of the frame with the present state.
pub(crate) const SNAPSHOT: &str = "snapshot";

/// Where a frame stands in the stream of one hub: what SSE calls `id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Which run of which process: numbers of another run say nothing.
    pub(crate) epoch: Arc<str>,
    /// The number of the last frame.
    pub(crate) seq: u64,
}

impl Position {
    /// Reads `<epoch>-<seq>`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (epoch, seq) = text.trim().rsplit_once('-')?;
        Some(Self { epoch: epoch.into(), seq: seq.parse().ok()? })
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.epoch, self.seq)
    }
}

/// A piece of the stream.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) seq: u64,
    pub(crate) news: News,
}

/// What a frame says.
#[derive(Debug)]
pub(crate) enum News {
    /// An event about a drop.
    Event(Arc<Written>),
    /// The hub missed changes and has read everything anew: so must the watchers.
    Resync,
}

/// An event in the spelling of each transport.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) drop_id: DropId,
    #[cfg(feature = "socketio")]
    pub(crate) event: Event,
    /// `{"event":"stockUpdated","dropId":1,...}`
    pub(crate) ws: Utf8Bytes,
    /// `id:`, `event:` and `data:`
    pub(crate) sse: Bytes,
    /// The payload object.
    #[cfg(feature = "socketio")]
    pub(crate) payload: Box<serde_json::value::RawValue>,
}

impl Written {
    pub(crate) fn new(
        position: &Position,
        drop_id: DropId,
        event: Event,
        payload: &impl Serialize,
    ) -> Result<Self, serde_json::Error> {
        let payload = serde_json::value::to_raw_value(payload)?;
        let json = payload.get();
        let name = event.name();
        // Every payload is an object with members, so its brace can be exchanged.
        let members = json.strip_prefix('{').unwrap_or(json);
        Ok(Self {
            drop_id,
            ws: format!("{{\"event\":\"{name}\",{members}").into(),
            sse: sse_text(position, name, json),
            #[cfg(feature = "socketio")]
            event,
            #[cfg(feature = "socketio")]
            payload,
        })
    }
}

/// The present state, for one who is new, late or slow.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) position: Position,
    /// A JSON list of drops.
    pub(crate) drops: Arc<str>,
    /// The payload of `stockUpdated` of each, where somebody wants them.
    #[cfg(feature = "socketio")]
    pub(crate) stock: Arc<[Box<serde_json::value::RawValue>]>,
    pub(crate) server_time: Timestamp,
}

impl Snapshot {
    pub(crate) fn ws(&self) -> Utf8Bytes {
        let Self { drops, server_time, .. } = self;
        let text = format!(
            "{{\"event\":\"{SNAPSHOT}\",\"drops\":{drops},\"serverTime\":\"{server_time}\"}}"
        );
        text.into()
    }

    /// `{"drops":[...],"serverTime":"..."}`
    pub(crate) fn payload(&self) -> String {
        let Self { drops, server_time, .. } = self;
        format!("{{\"drops\":{drops},\"serverTime\":\"{server_time}\"}}")
    }

    pub(crate) fn sse(&self) -> Bytes {
        sse_text(&self.position, SNAPSHOT, &self.payload())
    }
}

/// `json` is on one line: serde_json escapes line breaks.
fn sse_text(position: &Position, name: &str, json: &str) -> Bytes {
    format!("id: {position}\nevent: {name}\ndata: {json}\n\n").into()
}
