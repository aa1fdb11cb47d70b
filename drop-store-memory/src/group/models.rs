//! Everybody is gone for once, whoever comes when.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use drop_core::conformance::explore::{convicts, explore, together};

use super::{Group, State};
use crate::sync::Mutex;

/// What each thread brings is gone with once, by one at a time, and it is told so.
fn gone_for_once(threads: usize) {
    let group = Arc::new(Group::<usize, Vec<usize>>::default());
    let gone = Arc::new(Mutex::new(Vec::new()));
    let under_way = Arc::new(AtomicBool::new(false));
    together(threads, {
        let (group, gone) = (group.clone(), gone.clone());
        move |thread| {
            let told = group.join(thread, |together| {
                assert!(!under_way.swap(true, Ordering::Relaxed), "two at once");
                gone.lock().unwrap().extend_from_slice(&together);
                under_way.store(false, Ordering::Relaxed);
                together
            });
            assert!(told.unwrap().contains(&thread), "told of others");
        }
    });
    let mut gone = std::mem::take(&mut *gone.lock().unwrap());
    gone.sort_unstable();
    assert_eq!(gone, Vec::from_iter(0..threads), "gone for once each");
    let State { under_way, brought, answers, .. } = &*group.state();
    assert!(!under_way && brought.is_empty() && answers.is_empty(), "nothing is left behind");
}

#[test]
fn everybody_is_gone_for_once() {
    explore("group: everybody is gone for once", gone_for_once);
}

/// Who gathers while one is under way has to be woken: nobody else goes for them.
#[test]
fn ending_without_a_word_to_those_who_gather_is_convicted() {
    convicts("deadlock", |threads| {
        let group = Arc::new(Group::<usize, ()>::default());
        together(threads, move |thread| {
            let mut state = group.state();
            let mine = state.gathering;
            state.brought.push(thread);
            while state.under_way || state.gathering != mine {
                if state.answer(mine).is_some() {
                    return;
                }
                state = group.waiters(mine).wait(state).unwrap();
            }
            state.under_way = true;
            state.gathering += 1;
            let others = state.brought.drain(..).count() - 1;
            drop(state);
            let mut state = group.state();
            state.under_way = false;
            if others > 0 {
                state.answers.insert(mine, (Some(()), others));
            }
            drop(state);
            group.waiters(mine).notify_all();
        });
    });
}
