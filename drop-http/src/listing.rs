//! The list of drops as a page asks for it, kept as long as it is true.
//!
//! A crowd looks at one list. It is read and written once, and the bytes are given to everybody
//! until something changes: a commit, an edge of a window, a hold that lapses.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use drop_core::model::{DropSnapshot, DropStatus, Timestamp};
use drop_core::store::{DropPage, Due};
use drop_core::{Clock, DropService, ServiceError, Watermark};
use tokio::sync::Mutex as Turns;

use crate::dto::DropsView;
use crate::error::{About, Problem};
use crate::etag::Tagged;

/// The drops inside their window, newest first, as many as an answer usually has.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    newest: Mutex<Option<Arc<Reading>>>,
    /// How many readings have failed.
    failures: AtomicU64,
    /// One reads, the others wait for what it reads.
    turns: Turns<Turn>,
}

/// What the next who reads needs to know.
#[derive(Debug, Default)]
struct Turn {
    openings: Openings,
    /// Why the last reading failed, if it did.
    failure: Option<Problem>,
}

/// What was read at once, and its bytes.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) snapshots: Vec<DropSnapshot>,
    pub(crate) written: Tagged,
    /// What had happened before it was read.
    watermark: Watermark,
    began_at: Timestamp,
    /// From then on time alone may have changed something.
    good_until: Timestamp,
}

/// When windows open.
#[derive(Debug, Default)]
struct Openings {
    /// Of everything up to here; `None` where nothing was read yet.
    terms: Option<u64>,
    starts: Vec<Timestamp>,
}

/// Somebody asks.
#[derive(Clone, Copy, Debug)]
struct Asked {
    watermark: Watermark,
    at: Timestamp,
}

impl Listing {
    /// Drops in one answer where nobody says how many.
    pub(crate) const USUAL_LIMIT: usize = 100;
    /// The page that is kept.
    pub(crate) const PAGE: DropPage =
        DropPage { status: Some(DropStatus::Open), after: None, limit: Self::USUAL_LIMIT };
    /// How long other instances' changes may stay unseen, where the feed brings no news of them.
    const LASTS: Duration = Duration::from_secs(1);

    /// The list as it is now.
    ///
    /// # Errors
    /// What the store says where it has to be read, to everybody who waited for that.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the reading to the next who waits.
    pub(crate) async fn read(
        &self,
        service: &DropService,
        clock: &dyn Clock,
    ) -> Result<Arc<Reading>, Problem> {
        let asked = Asked { watermark: service.watermark(), at: clock.now() };
        if let Some(kept) = self.kept(asked, asked.at) {
            return Ok(kept);
        }
        let failures = self.failures.load(Ordering::Acquire);
        let mut turn = self.turns.lock().await;
        if let Some(kept) = self.kept(asked, clock.now()) {
            return Ok(kept);
        }
        // A store that is away takes its time to say so: once for all who wait meanwhile.
        if let Some(failure) = &turn.failure
            && self.failures.load(Ordering::Acquire) != failures
        {
            return Err(failure.clone());
        }
        let reading = Reading::begin(service, clock, &mut turn.openings).await;
        turn.failure = reading.as_ref().err().cloned();
        if turn.failure.is_some() {
            self.failures.fetch_add(1, Ordering::Release);
        }
        let reading = Arc::new(reading?);
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading.clone());
        Ok(reading)
    }

    /// What was read last, if it answers who asked.
    fn kept(&self, asked: Asked, now: Timestamp) -> Option<Arc<Reading>> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.as_ref().filter(|reading| reading.answers(asked, now)).cloned()
    }
}

impl Reading {
    async fn begin(
        service: &DropService,
        clock: &dyn Clock,
        openings: &mut Openings,
    ) -> Result<Self, Problem> {
        // First what had happened and when: everything after it makes this reading old.
        let (watermark, began_at) = (service.watermark(), clock.now());
        let refused = |error| Problem::of(About::Drop, &error);
        openings.follow(service, watermark.terms).await.map_err(refused)?;
        let due = service.due(1).await.map_err(refused)?;
        let snapshots = service.drop_snapshots(&Listing::PAGE).await.map_err(refused)?;
        let lasts = lasts(&snapshots, &due, openings);
        let written = Tagged::new(None, &DropsView::new(&snapshots, HashMap::new()))?;
        let good_until = began_at.saturating_add(lasts);
        Ok(Self { snapshots, written, watermark, began_at, good_until })
    }

    /// It holds everything that had happened when somebody asked, and either it was begun after
    /// that or time has changed nothing since.
    fn answers(&self, asked: Asked, now: Timestamp) -> bool {
        self.watermark.changes >= asked.watermark.changes
            && (self.began_at >= asked.at || (self.began_at <= now && now < self.good_until))
    }
}

/// How long nothing comes about by time alone. Distances between times of the store: its clock may
/// be another, and the reading was begun before the store told its time.
fn lasts(snapshots: &[DropSnapshot], due: &Due, openings: &Openings) -> Duration {
    let lapses = due.deadlines.iter().map(|(_, deadline)| deadline.since(due.as_of));
    let closes = snapshots
        .iter()
        .filter_map(|snapshot| Some(snapshot.terms.window.ends_at()?.since(snapshot.as_of)));
    let opens = openings.after(due.as_of).map(|start| start.since(due.as_of));
    lapses.chain(closes).chain(opens).fold(Listing::LASTS, Duration::min)
}

impl Openings {
    const PAGE: usize = 256;

    /// Reads the windows to come, unless none was moved since.
    async fn follow(&mut self, service: &DropService, terms: u64) -> Result<(), ServiceError> {
        if self.terms == Some(terms) {
            return Ok(());
        }
        self.terms = None;
        self.starts.clear();
        let mut page =
            DropPage { status: Some(DropStatus::Upcoming), after: None, limit: Self::PAGE };
        loop {
            let snapshots = service.drop_snapshots(&page).await?;
            self.starts.extend(snapshots.iter().map(|snapshot| snapshot.terms.window.starts_at()));
            page.after = snapshots.last().map(|last| last.id);
            if snapshots.len() < Self::PAGE {
                break;
            }
        }
        self.starts.sort_unstable();
        self.terms = Some(terms);
        Ok(())
    }

    /// The first after `as_of`.
    fn after(&self, as_of: Timestamp) -> Option<Timestamp> {
        let passed = self.starts.partition_point(|start| *start <= as_of);
        self.starts.get(passed).copied()
    }
}
