//! What callers asked and were told, in the order in which it happened, and whether that can
//! be true.
//!
//! A run writes its calls down with a [`Recorder`]; [`violations`] holds them against the feed
//! of the drop. The feed is the witness of what was committed: it is replayed change by change
//! and must keep the invariants by itself. Each answer names a revision or refuses; it must be
//! true of the drop at that revision, or at one that the call can have met in real time.
//!
//! | checked | against |
//! | --- | --- |
//! | the feed | itself: order, counters, rows, deadlines, limits (I1 to I7) |
//! | an answer that names a revision | the drop at that revision (I2 to I8) |
//! | a refusal | every state that the call can have met |
//! | a hold, a sale, a release in the feed | the calls that can have made it (I8) |
//! | two calls, one after the other | their revisions, which never go back (I6) |

mod answers;
mod attribution;
mod availability;
mod call;
mod life;
mod moments;
mod names;
mod range_min;
mod reads;
mod recorder;
mod refusals;
mod replay;
mod rows;
mod steps;
mod story;
mod violation;

use std::sync::Arc;
use std::time::Duration;

use crate::rules::Change;

use answers::Answers;
use attribution::Attribution;
use moments::Moments;
use names::Names;
use refusals::Refusals;

pub use call::{Answer, Ask, Call};
pub use recorder::{Recorder, Ticket};
pub use violation::{Invariant, Place, Violation};

/// Everything in the history of one drop that cannot be true; empty where all of it can.
///
/// `calls` are all calls that can have changed the drop, in any order, and any number of reads.
/// Only its creation and the settling of what has lapsed may go unrecorded. A request that is
/// sent or delivered twice counts as two calls. `feed` is the drop's whole feed, from its
/// creation, read after the last call ended; the drop exists all the time.
///
/// `tick` is the resolution of times in the answers: [`Duration::ZERO`] for those of a
/// `DropService`, a millisecond over HTTP, which cuts them.
///
/// Whatever it is given it does not panic. It takes O(n log n) for n calls and changes, as long
/// as calls overlap few changes.
///
/// ```
/// use std::time::Duration;
///
/// use drop_core::conformance::history::{Answer, Ask, Recorder, violations};
/// use drop_core::model::{NewDrop, Revision, Units};
/// use drop_core::{DropService, Reserve, Store};
/// # use drop_store_memory::MemoryStore;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
///
/// let store = MemoryStore::new();
/// let (service, _workers) = DropService::builder(store.clone()).build();
/// let terms = service.terms("Air One", "149.99")?;
/// let drop_id = service.create_drop(NewDrop::plain(terms, Units::ONE)?).await?.id;
///
/// let recorder = Recorder::new();
/// for name in ["ann", "bob"] {
///     let username = name.parse()?;
///     let ask = Ask::Reserve { drop_id, username, variant: None, quantity: 1 };
///     let ticket = recorder.begin(ask);
///     let answer = match service.reserve(drop_id, Reserve::one(name)).await {
///         Ok(reserved) => Answer::from(&reserved),
///         Err(error) => Answer::from(&error),
///     };
///     recorder.end(ticket, answer);
/// }
/// let feed = store.changes(drop_id, Revision::ZERO, 1_000_000).await?;
/// assert_eq!(violations(&recorder.calls(), &feed, Duration::ZERO), []);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn violations(calls: &[Call], feed: &[Arc<Change>], tick: Duration) -> Vec<Violation> {
    let (story, mut found) = match replay::replay(feed) {
        Ok(replayed) => replayed,
        // Without an order of changes there is nothing to hold answers against.
        Err(broken) => return vec![broken],
    };
    let (names, confused) = Names::learn(calls);
    found.extend(confused);
    let moments = Moments::of(calls, story.last());
    let (attribution, phantoms) = Attribution::find(calls, &story, &names, &moments);
    found.extend(phantoms);
    found.extend(Answers { calls, story: &story, names: &names, moments: &moments, tick }.check());
    found.extend(reads::check(calls, &story));
    found.extend(Refusals::new(calls, &story, &names).check(&moments, &attribution));
    found
}
