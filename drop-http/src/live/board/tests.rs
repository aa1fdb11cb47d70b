use std::sync::Arc;
use std::time::Duration;

use drop_core::model::{
    DropId, DropSnapshot, DropTerms, Purchaser, Revision, Stock, Timestamp, Units, Username,
    VariantStock, Window,
};
use drop_core::rules::Change;
use drop_core::{ManualClock, Update};
use serde_json::Value;

use super::{Board, Next};
use crate::live::entry::Listener;
use crate::live::frame::Event;
use crate::live::{Bounds, Filter, Item, Live, Subscription};
use crate::metrics::Metrics;

const WINDOW: Duration = Duration::from_millis(50);

#[derive(Default)]
struct Heard(Vec<(&'static str, Value)>);

impl Listener for Heard {
    fn event(&mut self, _: DropId, event: Event, payload: &impl serde::Serialize) {
        self.0.push((event.name(), serde_json::to_value(payload).unwrap()));
    }
}

impl Heard {
    /// Names and versions, and forgets them.
    fn take(&mut self) -> Vec<(&'static str, u64)> {
        let heard = std::mem::take(&mut self.0);
        heard.iter().map(|(name, payload)| (*name, payload["version"].as_u64().unwrap())).collect()
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_micros(millis * 1000).unwrap()
}

fn id() -> DropId {
    DropId::new(1).unwrap()
}

fn variants(held: i64) -> Vec<VariantStock> {
    let [total, held] = [1_000_000, held].map(|count| Units::new(count).unwrap());
    vec![VariantStock { name: None, stock: Stock::restore(total, held, Units::ZERO).unwrap() }]
}

fn snapshot(revision: u64) -> DropSnapshot {
    DropSnapshot {
        id: id(),
        revision: Revision::new(revision),
        as_of: at(0),
        terms: Arc::new(DropTerms::new("Air One", "5", Default::default()).unwrap()),
        variants: variants(i64::try_from(revision).unwrap()),
        recent: Vec::new(),
        created_at: at(0),
        updated_at: at(0),
    }
}

fn change(revision: u64, buyers: &[&str]) -> Change {
    let purchasers = buyers
        .iter()
        .map(|name| Purchaser { username: Username::new(name).unwrap(), purchased_at: at(0) });
    Change {
        drop_id: id(),
        revision: Revision::new(revision),
        as_of: at(0),
        variants: variants(i64::try_from(revision).unwrap()),
        next_number: 1,
        updated: Vec::new(),
        inserted: Vec::new(),
        forgotten: Vec::new(),
        purchasers: purchasers.collect(),
        recent: Vec::new(),
        terms: None,
        moved: true,
        sold_out: false,
    }
}

fn changed(revision: u64, buyers: &[&str]) -> Update {
    Update::Changed(Arc::new(change(revision, buyers)))
}

/// A board that has the drop at this revision.
fn board(revision: u64) -> Board {
    let mut board = Board::new(WINDOW);
    board.load(vec![snapshot(revision)]);
    board
}

fn held(board: &mut Board) -> u64 {
    let list: Value = serde_json::from_str(&board.render(None, at(0))).unwrap();
    list[0]["heldStock"].as_u64().unwrap()
}

#[test]
fn what_was_read_before_it_was_heard_does_not_go_back() {
    let (mut board, mut heard) = (board(5), Heard::default());
    // Of a change that the state already has, only who bought is news.
    assert_eq!(board.apply(&changed(4, &["ann"]), at(0), &mut heard), Next::Done);
    assert_eq!(heard.take(), [("stockUpdated", 5), ("purchaseCompleted", 5)]);
    assert_eq!(held(&mut board), 5);
    board.apply(&Update::Opened(Arc::new(snapshot(3))), at(0), &mut heard);
    assert_eq!(heard.take(), [("dropOpened", 5)]);
    board.apply(&Update::Ended(Arc::new(snapshot(6))), at(0), &mut heard);
    assert_eq!(heard.take(), [("dropEnded", 6)]);
    assert_eq!(held(&mut board), 6);
}

#[test]
fn what_is_kept_back_is_told_when_its_window_is_over() {
    let (mut board, mut heard) = (board(1), Heard::default());
    board.apply(&changed(2, &[]), at(0), &mut heard);
    assert_eq!(heard.take(), [("stockUpdated", 2)]);
    board.apply(&changed(3, &["ann"]), at(1), &mut heard);
    board.apply(&changed(4, &["bob"]), at(2), &mut heard);
    board.flush_due(at(49), &mut heard);
    assert_eq!((heard.take(), board.next_due()), (vec![], Some(at(50))));
    board.flush_due(at(50), &mut heard);
    let told = [("stockUpdated", 4), ("purchaseCompleted", 4), ("purchaseCompleted", 4)];
    assert_eq!((heard.take(), board.next_due()), (told.to_vec(), None));
    board.apply(&changed(5, &[]), at(100), &mut heard);
    assert_eq!(heard.take(), [("stockUpdated", 5)]);
}

#[test]
fn a_clock_that_is_set_back_silences_nothing() {
    let (mut board, mut heard) = (board(1), Heard::default());
    board.apply(&changed(2, &[]), at(1_000_000), &mut heard);
    board.apply(&changed(3, &[]), at(0), &mut heard);
    assert_eq!(heard.take(), [("stockUpdated", 2), ("stockUpdated", 3)]);
}

#[test]
fn what_is_not_known_is_read_first() {
    let (mut board, mut heard) = (Board::new(WINDOW), Heard::default());
    assert_eq!(board.apply(&changed(7, &[]), at(0), &mut heard), Next::Read(id()));
    assert_eq!(heard.take(), []);
    board.insert(snapshot(7));
    assert_eq!(board.apply(&changed(7, &[]), at(0), &mut heard), Next::Done);
    assert_eq!(heard.take(), [("stockUpdated", 7)]);
}

#[test]
fn changes_that_are_lost_are_the_present_state() {
    let (mut board, mut heard) = (board(1), Heard::default());
    board.apply(&Update::Refreshed(Arc::new(snapshot(9))), at(0), &mut heard);
    assert_eq!(heard.take(), [("stockUpdated", 9), ("dropChanged", 9)]);
}

#[test]
fn a_drop_that_is_gone_is_told_once_and_nothing_after_it() {
    let (mut board, mut heard) = (board(1), Heard::default());
    board.apply(&changed(2, &[]), at(0), &mut heard);
    board.apply(&changed(3, &[]), at(1), &mut heard);
    heard.take();
    board.apply(&Update::Deleted(id()), at(2), &mut heard);
    assert_eq!(heard.take(), [("dropChanged", 3)]);
    board.flush_due(at(1000), &mut heard);
    assert_eq!((heard.take(), board.next_due()), (vec![], None));
    // Nobody here ever saw it.
    board.apply(&Update::Deleted(id()), at(2), &mut heard);
    assert_eq!(heard.0[0].1, serde_json::json!({"dropId": 1, "deleted": true}));
}

#[test]
fn what_ended_long_ago_is_forgotten() {
    let mut ended = snapshot(1);
    let mut terms = ended.terms.as_ref().clone();
    terms.window = Window::new(at(0), Some(at(10))).unwrap();
    ended.terms = Arc::new(terms);
    ended.updated_at = at(100);
    let mut board = Board::new(WINDOW);
    board.load(vec![ended]);
    let known = |board: &mut Board| {
        board.apply(&changed(2, &[]), at(0), &mut Heard::default()) == Next::Done
    };
    board.prune(at(5), at(1000));
    board.prune(at(1000), at(100));
    board.prune(at(1000), at(101));
    assert!(!known(&mut board));
    board.insert(snapshot(1));
    board.prune(at(1000), at(101));
    assert!(known(&mut board), "one that is open stays");
}

#[test]
fn buyers_that_wait_are_bounded() {
    let (mut board, mut heard) = (board(1), Heard::default());
    board.apply(&changed(2, &[]), at(0), &mut heard);
    heard.take();
    for revision in 3..3003 {
        board.apply(&changed(revision, &["ann"]), at(1), &mut heard);
    }
    board.flush_due(at(50), &mut heard);
    assert_eq!(heard.take().len(), 1 + 1024);
}

/// However many watch, one event is written, and all of them send the same bytes.
#[tokio::test]
async fn an_event_is_written_once_for_all_watchers() {
    let bounds = Bounds { window: WINDOW, backlog: 16, ring: 16, sockets: 16 };
    let live = Live::new(bounds, Arc::new(ManualClock::new(at(0))), Arc::new(Metrics::new()));
    live.load(vec![snapshot(1)], at(0));
    let live = Arc::new(live);
    let watcher = |filter| Subscription::begin(live.clone(), filter, None);
    let mut watchers = [watcher(Filter::all()), watcher(Filter::only([id()].into()))];
    assert_eq!(live.apply(&changed(2, &[])), Next::Done);
    let mut written = Vec::new();
    for watcher in &mut watchers {
        assert!(matches!(watcher.next().await, Some(Item::First(_))));
        let Some(Item::Event(event)) = watcher.next().await else { panic!("no event") };
        written.push(event);
    }
    assert!(Arc::ptr_eq(&written[0], &written[1]));
}
