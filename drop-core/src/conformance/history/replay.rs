//! The feed, replayed.

use std::sync::Arc;

use crate::rules::Change;

use super::rows::Rows;
use super::steps::Step;
use super::story::Story;
use super::violation::{Invariant, Violation};

/// Replays a feed and says what is wrong with it.
///
/// # Errors
/// What keeps it from being one.
pub(super) fn replay(feed: &[Arc<Change>]) -> Result<(Story<'_>, Vec<Violation>), Violation> {
    let mut story = Story::begin(feed)?;
    let mut found = Vec::new();
    let mut rows = Rows::default();
    if let Some(first) = feed.first() {
        rows.variants(first.variants.len());
        let rows = first.reservations().next().is_some();
        let counts = first.stock().held().get() > 0 || first.stock().sold().get() > 0;
        if rows || counts || first.next_number != 1 {
            let finding = "the drop is created with reservations";
            found.push(Violation::at_revision(Invariant::I6, 1, finding));
        }
    }
    for (before, change) in feed.iter().zip(feed.iter().skip(1)) {
        let terms = story.terms_at(before.revision.get());
        Step { story: &mut story, rows: &mut rows, found: &mut found, before, change, terms }
            .take();
        story.amend(change);
    }
    Ok((story, found))
}
