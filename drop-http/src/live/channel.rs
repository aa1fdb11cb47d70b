//! The board and the stream of frames under one lock.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drop_core::model::{DropId, DropSnapshot, Timestamp};
use drop_core::{Clock, Update};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::metrics::{Metrics, Transport};

use super::board::{Board, Next};
use super::entry::Listener;
use super::filter::Filter;
use super::frame::{Event, Frame, News, Position, Snapshot, Written};
use super::seats::{Seat, Seats};
use super::timeline::Timeline;

/// What one who joins the stream begins with: the present state, or what was missed; and
/// everything after it.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) receiver: broadcast::Receiver<Arc<Frame>>,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) missed: VecDeque<Arc<Frame>>,
}

/// The bounds of the stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How long a drop's stock is kept back after it was told.
    pub(crate) window: Duration,
    /// Frames that a slow socket may be behind before it gets the present state.
    pub(crate) backlog: usize,
    /// Frames that are kept for those who resume.
    pub(crate) ring: usize,
    /// Sockets of all transports together.
    pub(crate) sockets: u32,
}

/// What the hub writes and the transports read.
#[derive(Debug)]
pub(crate) struct Live {
    state: Mutex<State>,
    seats: Seats,
    ready: watch::Sender<bool>,
    closing: CancellationToken,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct State {
    board: Board,
    stream: Stream,
    timeline: Timeline,
    /// All drops, written; until something changes.
    list: Option<List>,
}

/// Drops as newcomers get them: a crowd that reconnects is given one and the same.
#[derive(Clone, Debug)]
struct List {
    at: Timestamp,
    drops: Arc<str>,
    #[cfg(feature = "socketio")]
    stock: Option<Arc<[Box<serde_json::value::RawValue>]>>,
}

/// Numbers, writes, keeps and sends frames.
#[derive(Debug)]
struct Stream {
    position: Position,
    ring: VecDeque<Arc<Frame>>,
    ring_bound: usize,
    sender: broadcast::Sender<Arc<Frame>>,
    metrics: Arc<Metrics>,
}

impl Live {
    /// How long a new socket waits for a hub that has just been started.
    const PATIENCE: Duration = Duration::from_secs(5);

    pub(crate) fn new(bounds: Bounds, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        let (sender, _) = broadcast::channel(bounds.backlog.max(1));
        let epoch = RandomState::new().build_hasher().finish();
        let stream = Stream {
            position: Position { epoch: format!("{epoch:016x}").into(), seq: 0 },
            ring: VecDeque::new(),
            ring_bound: bounds.ring,
            sender,
            metrics: metrics.clone(),
        };
        let board = Board::new(bounds.window);
        let state = State { board, stream, timeline: Timeline::default(), list: None };
        Self {
            state: Mutex::new(state),
            seats: Seats::new(bounds.sockets, metrics),
            ready: watch::Sender::new(false),
            closing: CancellationToken::new(),
            clock,
        }
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Cancelled when every socket has to close.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    pub(crate) fn seat(&self, transport: Transport) -> Option<Seat> {
        self.seats.take(transport)
    }

    /// Waits until every socket is closed.
    pub(super) async fn empty(&self) {
        self.seats.empty().await;
    }

    /// Waits until the board is there; whether it is.
    pub(crate) async fn is_ready(&self) -> bool {
        let mut ready = self.ready.subscribe();
        let waiting = tokio::time::timeout(Self::PATIENCE, ready.wait_for(|ready| *ready));
        tokio::select! {
            biased;
            () = self.closing.cancelled() => false,
            done = waiting => matches!(done, Ok(Ok(_))),
        }
    }

    /// Everything was read anew.
    pub(super) fn load(&self, snapshots: Vec<DropSnapshot>, store_time: Timestamp) {
        let now = self.clock.now();
        let mut guard = self.lock();
        let state = &mut *guard;
        state.timeline.set(store_time, now);
        state.board.load(snapshots);
        state.list = None;
        if self.ready.send_replace(true) {
            state.stream.send(News::Resync);
        }
    }

    /// Takes the present state of one drop, without telling of it.
    pub(super) fn insert(&self, snapshot: DropSnapshot) {
        let mut state = self.lock();
        state.list = None;
        state.board.insert(snapshot);
    }

    pub(super) fn apply(&self, update: &Update) -> Next {
        let now = self.clock.now();
        let mut guard = self.lock();
        let state = &mut *guard;
        state.list = None;
        match update {
            Update::Changed(change) => state.timeline.hear(change.as_of, now),
            Update::Refreshed(snapshot) | Update::Opened(snapshot) | Update::Ended(snapshot) => {
                state.timeline.hear(snapshot.as_of, now);
            }
            _ => {}
        }
        state.board.apply(update, now, &mut state.stream)
    }

    pub(super) fn flush_due(&self) {
        let now = self.clock.now();
        let mut guard = self.lock();
        let state = &mut *guard;
        state.board.flush_due(now, &mut state.stream);
    }

    /// How long until something that was kept back has to be told.
    pub(super) fn pause(&self) -> Option<Duration> {
        let due = self.lock().board.next_due()?;
        Some(due.since(self.clock.now()))
    }

    /// The store said what time it is: also the occasion to forget what is over.
    pub(super) fn tidy(&self, store_time: Timestamp, forget_after: Duration) {
        let now = self.clock.now();
        let mut state = self.lock();
        state.timeline.set(store_time, now);
        let micros = i64::try_from(forget_after.as_micros()).unwrap_or(i64::MAX);
        let before = store_time.as_micros().saturating_sub(micros);
        if let Ok(before) = Timestamp::from_micros(before) {
            state.board.prune(store_time, before);
        }
    }

    /// The present state and everything after it, or, where it is still to be had, everything
    /// after `last`.
    pub(super) fn join(&self, filter: &Filter, last: Option<&Position>) -> Joined {
        let mut state = self.lock();
        let receiver = state.stream.sender.subscribe();
        let missed = last.and_then(|last| state.stream.after(last));
        let snapshot = match missed {
            Some(_) => None,
            None => Some(state.snapshot(filter, self.clock.now())),
        };
        Joined { receiver, snapshot, missed: missed.unwrap_or_default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The board's steps do not panic halfway through.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn snapshot(&mut self, filter: &Filter, now: Timestamp) -> Snapshot {
        let server_time = self.timeline.at(now);
        let list = self.list(filter, server_time);
        Snapshot {
            position: self.stream.position.clone(),
            drops: list.drops,
            #[cfg(feature = "socketio")]
            stock: list.stock.unwrap_or_default(),
            server_time,
        }
    }

    fn list(&mut self, filter: &Filter, server_time: Timestamp) -> List {
        if filter.named().is_some() {
            return self.render(filter, server_time);
        }
        let fresh = self.list.take().filter(|list| list.serves(filter, server_time));
        let list = fresh.unwrap_or_else(|| self.render(filter, server_time));
        self.list = Some(list.clone());
        list
    }

    fn render(&mut self, filter: &Filter, server_time: Timestamp) -> List {
        let board = &mut self.board;
        List {
            at: server_time,
            drops: board.render(filter.named(), server_time).into(),
            #[cfg(feature = "socketio")]
            stock: filter.wants_stock().then(|| board.stock(filter.named(), server_time).into()),
        }
    }
}

impl List {
    /// For so long a list is good whose drops did not change: only statuses hang on time.
    const LASTS: Duration = Duration::from_millis(50);

    #[cfg_attr(
        not(feature = "socketio"),
        expect(unused_variables, reason = "only Socket.IO wants more than the list")
    )]
    fn serves(&self, filter: &Filter, server_time: Timestamp) -> bool {
        #[cfg(feature = "socketio")]
        if filter.wants_stock() && self.stock.is_none() {
            return false;
        }
        server_time >= self.at && server_time.since(self.at) < Self::LASTS
    }
}

impl Stream {
    fn send(&mut self, news: News) {
        self.position.seq = self.position.seq.saturating_add(1);
        let frame = Arc::new(Frame { seq: self.position.seq, news });
        if self.ring.len() >= self.ring_bound {
            self.ring.pop_front();
        }
        self.ring.push_back(frame.clone());
        // Without watchers there is nobody to tell.
        let _ = self.sender.send(frame);
    }

    /// The frames after `last`, if each of them is still here.
    fn after(&self, last: &Position) -> Option<VecDeque<Arc<Frame>>> {
        if last.epoch != self.position.epoch || last.seq > self.position.seq {
            return None;
        }
        let missed: VecDeque<_> =
            self.ring.iter().filter(|frame| frame.seq > last.seq).cloned().collect();
        let all = self.position.seq.saturating_sub(last.seq);
        (u64::try_from(missed.len()) == Ok(all)).then_some(missed)
    }
}

impl Listener for Stream {
    fn event(&mut self, drop_id: DropId, event: Event, payload: &impl serde::Serialize) {
        let seq = self.position.seq.saturating_add(1);
        let position = Position { epoch: self.position.epoch.clone(), seq };
        match Written::new(&position, drop_id, event, payload) {
            Ok(written) => {
                self.metrics.event(event.name());
                self.send(News::Event(Arc::new(written)));
            }
            Err(error) => tracing::error!(%error, "an event cannot be written"),
        }
    }
}
