//! Who comes while one is under way goes with the next.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use super::Group;

/// Waits until so many have come while one is under way.
fn gathered(group: &Group<u32, Vec<u32>>, count: usize) {
    while group.gathered() < count {
        thread::yield_now();
    }
}

#[test]
fn who_comes_meanwhile_goes_together_and_is_told_the_same() {
    let group = Group::<u32, Vec<u32>>::default();
    let told: Vec<Vec<u32>> = thread::scope(|threads| {
        let (begun, began) = mpsc::channel();
        let (end, ends) = mpsc::channel::<()>();
        let first = threads.spawn({
            let group = &group;
            move || {
                group.join(0, move |together| {
                    begun.send(()).unwrap();
                    ends.recv().unwrap();
                    together
                })
            }
        });
        began.recv().unwrap();
        let others: Vec<_> = (1..6)
            .map(|number| {
                let other = threads.spawn({
                    let group = &group;
                    move || group.join(number, |together| together)
                });
                gathered(&group, usize::try_from(number).unwrap());
                other
            })
            .collect();
        end.send(()).unwrap();
        assert_eq!(first.join().unwrap(), Some(vec![0]), "alone, for it waited for nobody");
        others.into_iter().map(|other| other.join().unwrap().unwrap()).collect()
    });
    assert_eq!(told, vec![vec![1, 2, 3, 4, 5]; 5]);
    assert!(group.state().answers.is_empty(), "nothing is kept of those who were told");
}

#[test]
fn where_one_breaks_off_the_others_are_told_and_the_next_goes() {
    let group = Group::<u32, Vec<u32>>::default();
    thread::scope(|threads| {
        let (begun, began) = mpsc::channel();
        let (end, ends) = mpsc::channel::<()>();
        let breaking = threads.spawn({
            let group = &group;
            move || {
                let broken = catch_unwind(AssertUnwindSafe(|| {
                    group.join(0, move |together: Vec<u32>| {
                        begun.send(()).unwrap();
                        ends.recv().unwrap();
                        assert!(together.is_empty(), "planned");
                        together
                    })
                }));
                assert!(broken.is_err());
            }
        });
        began.recv().unwrap();
        let others: Vec<_> = (1..4)
            .map(|number| {
                let other = threads.spawn({
                    let group = &group;
                    move || {
                        let told = catch_unwind(AssertUnwindSafe(|| {
                            group.join(number, |_| -> Vec<u32> { panic!("planned") })
                        }));
                        told.map_err(|_| ())
                    }
                });
                gathered(&group, usize::try_from(number).unwrap());
                other
            })
            .collect();
        end.send(()).unwrap();
        breaking.join().unwrap();
        let mut told: Vec<_> = others.into_iter().map(|other| other.join().unwrap()).collect();
        told.sort();
        assert_eq!(told, [Ok(None), Ok(None), Err(())], "one goes, and breaks off, for three");
    });
    assert_eq!(group.join(9, |together| together), Some(vec![9]));
    assert!(group.state().answers.is_empty());
}
