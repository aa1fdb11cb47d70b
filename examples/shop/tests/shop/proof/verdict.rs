//! What callers were told, against what the store kept.

use std::sync::Arc;

use drop_core::conformance::Rows;
use drop_core::conformance::history::{Answer, Call};
use drop_core::model::{DropId, ReservationId, Revision, Status, UserId};
use drop_core::rules::Change;

/// Judges the calls of one drop by its whole feed: what contradicts it, in words.
pub(crate) fn judge(drop_id: DropId, calls: &[Call], feed: &[Arc<Change>]) -> Vec<String> {
    let mut findings = Vec::new();
    if feed.first().map(|change| change.revision) != Some(Revision::FIRST) {
        findings.push(format!("drop {drop_id}: the feed has lost its beginning"));
        return findings;
    }
    let mut told: Vec<&Call> =
        calls.iter().filter(|call| call.answer.revision().is_some()).collect();
    told.sort_by_key(|call| call.answer.revision());
    let mut told = told.into_iter().peekable();
    let mut rows = Rows::replay(&feed[..1]).expect("a drop begins with its creation");
    for change in feed {
        if change.revision > Revision::FIRST {
            rows.apply(change);
        }
        for row in change.reservations() {
            let right = match row.status() {
                Status::Completed => change.as_of < row.expires_at(),
                Status::Expired => change.as_of >= row.expires_at(),
                Status::Active | Status::Released => true,
            };
            if !right {
                findings.push(format!("drop {drop_id}: {row:?} at {}", change.as_of));
            }
        }
        let audit = rows.audit();
        if !audit.is_sound() {
            findings.push(format!("drop {drop_id} at {}: {audit:?}", rows.revision));
        }
        while let Some(call) = told.next_if(|call| call.answer.revision() == Some(rows.revision)) {
            if let Some(finding) = contradiction(&rows, &call.answer) {
                findings.push(format!("drop {drop_id}: {finding}: {call:?}"));
            }
        }
    }
    let head = rows.revision;
    let beyond = |call| format!("drop {drop_id} ends at {head}, but was told: {call:?}");
    findings.extend(told.map(beyond));
    findings
}

/// What is wrong with an answer, given the rows at the revision that it names.
fn contradiction(rows: &Rows, answer: &Answer) -> Option<&'static str> {
    let kept = |id: ReservationId, user: Option<UserId>| {
        let row = rows.reservations.get(&id)?;
        user.is_none_or(|user| row.claim().user_id == user).then(|| row.status())
    };
    match *answer {
        Answer::Reserved { reservation, user_id, .. } => {
            kept(reservation, Some(user_id)).is_none().then_some("a hold is lost")
        }
        Answer::Purchased { reservation, user_id, .. } => {
            let kept = kept(reservation, Some(user_id));
            (kept != Some(Status::Completed)).then_some("a purchase is lost")
        }
        Answer::Released { reservation, .. } => {
            let over = [Some(Status::Released), Some(Status::Expired)];
            (!over.contains(&kept(reservation, None))).then_some("a release is lost")
        }
        _ => None,
    }
}
