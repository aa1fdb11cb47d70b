//! The list of cases: the one place that names them, and what runs one.

use std::fmt;

use futures::future::LocalBoxFuture;

use super::trial::Trial;
use super::{GUARD, Harness};

/// Every case by topic. `$then` is given what follows it, then the table.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_cases {
    ($then:ident $given:tt) => {
        $crate::$then! {
            $given
            reserve {
                takes_a_unit
                refuses_what_is_sold_out
                takes_all_or_nothing
                refuses_a_quantity_of_nothing
                numbers_reservations_from_one_in_each_drop
                never_gives_a_number_again
                knows_a_user_without_regard_to_case
                holds_in_two_drops_apart
                answers_for_a_drop_that_is_not_there
                takes_the_largest_stock
            }
            repeat {
                gives_the_same_hold_a_fresh_deadline
                never_passes_the_longest
                is_switched_off_where_longest_is_the_hold
                that_moves_nothing_writes_nothing
                with_another_quantity_is_refused
                with_another_variant_is_refused
                works_where_all_is_sold_out
                after_release_is_a_new_hold
                after_purchase_is_a_new_hold
                after_the_deadline_is_a_new_hold
            }
            release {
                gives_the_units_back
                repeated_is_the_same_answer
                of_a_lapsed_hold_finds_it_expired
                by_another_is_refused
                by_a_stranger_is_refused_and_makes_no_user
                by_the_seller_needs_no_name
                of_a_purchase_is_refused
                of_nothing_is_refused
            }
            purchase {
                sells_what_is_held
                repeated_is_the_same_purchase
                repeated_after_the_deadline_is_the_same_purchase
                pays_the_price_at_the_hold
                multiplies_exactly
                by_another_is_refused
                of_what_is_over_is_refused
                of_nothing_is_refused
                of_the_last_unit_says_sold_out_once
            }
            expiry {
                one_tick_before_the_deadline_buys
                at_the_deadline_is_too_late
                one_tick_after_the_deadline_is_too_late
                frees_the_unit_at_the_deadline_for_another
                one_tick_early_frees_nothing
                settles_what_is_due_and_nothing_else
                without_anything_due_writes_nothing
                is_written_once_however_often_asked
                counts_as_available_for_readers
                never_revives_when_time_goes_back
                follows_a_jump_of_an_hour
                takes_the_shortest_and_the_longest_policy
                names_the_drops_that_are_due
            }
            window {
                opens_at_its_first_tick
                closes_at_its_end
                lets_what_was_held_be_paid_afterwards
                refuses_a_repeat_afterwards_and_leaves_the_hold
                says_closed_before_it_says_sold_out
                amended_counts_at_once
                works_at_the_end_of_time
                is_judged_after_the_wait_for_the_lock
                lets_no_purchase_through_that_waited_over_its_deadline
                of_one_stalled_drop_delays_no_other
            }
            variants {
                must_be_named_where_there_are_several
                must_exist
                have_stock_of_their_own
                are_named_exactly
                may_be_a_hundred
            }
            limits {
                count_what_is_bought_and_asked_for
                count_all_variants_together
                count_what_the_same_batch_buys
                set_by_the_same_batch_count_what_was_bought
                forget_what_was_given_back
                are_each_customers_own
                raised_count_at_once
                lowered_take_nothing_back
            }
            amend {
                changes_what_it_names_only
                raised_stock_is_for_sale_at_once
                refuses_a_total_below_what_is_committed
                counts_what_has_lapsed_as_available
                with_a_stale_revision_is_refused
                with_the_present_revision_is_done
                of_nothing_writes_nothing
                adds_a_variant
                answers_nonsense_with_a_refusal
            }
            delete {
                takes_an_unsold_drop_away
                refuses_sales_and_live_holds
                ignores_what_has_lapsed
                by_force_takes_everything_in_it
                leaves_other_drops_alone
                never_gives_a_drops_number_again
                of_nothing_is_an_answer
                refuses_a_user_with_any_reservation
                takes_a_user_away
            }
            forget {
                takes_every_row_of_the_customer
                writes_facts_that_are_complete
                names_only_whose_rows_it_removes
                shows_the_purchasers_before
                shows_purchasers_who_act_beside
                shows_twice_who_bought_twice
                of_a_stranger_is_refused
                of_nothing_writes_nothing
                then_reserve_in_one_batch
                gives_no_number_that_was_told_again
                settles_the_limit_anew
            }
            reads {
                a_new_drop_as_it_was_made
                the_times_of_creation_and_change
                three_newest_purchasers
                a_reservation_in_any_state
                nothing_where_nothing_is
                the_same_on_every_instance
                names_as_they_were_written
                prices_as_they_were_written
                the_stores_time
            }
            lists {
                drops_newest_first_in_pages
                drops_by_status
                heads_in_pages
                holds_of_a_drop_in_pages
                holds_of_a_customer
                purchases_of_a_drop_in_pages
                purchases_of_a_customer
                drops_of_a_customer
            }
            feed {
                begins_with_the_creation
                has_every_change_once_in_order
                has_what_apply_answered
                gives_pages
                has_complete_facts
                has_no_row_for_a_refusal
                hears_other_instances
                keeps_the_newest_when_trimmed
                goes_on_after_a_trim
                gives_hints_without_end
            }
            audit {
                counts_the_rows
                counts_a_lapsed_hold_until_it_is_settled
                of_nothing_is_nothing
            }
            batch {
                answers_each_command
                is_decided_in_order
                is_the_same_as_one_by_one
                of_refusals_writes_nothing
                takes_and_buys_in_one
                takes_and_releases_in_one
                names_one_reservation_twice
                takes_a_thousand_commands
                defers_what_depends_on_unsettled_holds
                defers_expiry_until_all_is_settled
                defers_an_amendment_that_depends_on_unsettled_holds
            }
            durable {
                has_everything_after_reopening
                goes_on_numbering_after_reopening
                lapses_on_time_across_reopening
            }
            races {
                one_unit_for_many_gives_one_hold
                few_units_for_many_are_all_held
                one_user_at_once_gives_one_hold
                one_purchase_at_once_sells_once
                one_new_user_in_many_drops_is_one_user
                many_drops_at_once_are_apart
                a_freed_unit_goes_to_one_of_those_who_wait
                a_purchase_at_the_deadline_is_early_or_late
                a_closing_window_is_open_or_closed
                many_sizes_and_quantities_never_oversell
                readers_see_whole_commits
            }
            pairs {
                of_purchase_and_any_other
                of_release_and_any_other
                of_expiry_and_any_other
                of_amendment_and_any_other
                of_forgetting_and_any_other
                of_deletion_and_any_other
            }
            service {
                sells_one_unit_to_one_of_many
                sells_one_unit_once_over_two_services
                refuses_what_does_not_fit_in_the_lane
                takes_what_waits_as_one_batch
                defers_nothing_to_the_caller
                cancelled_at_any_await_loses_nothing
                abandoned_before_its_batch_does_nothing
                deletes_a_user_over_several_drops
                answers_an_unknown_drop_as_the_caller_asked
            }
            watch {
                is_told_of_a_lapse_at_the_deadline
                finds_holds_of_another_instance_by_the_sweep
                settles_holds_from_before_it_started
                is_told_of_another_services_changes
                has_every_change_once_and_in_order
                replays_from_a_revision
                is_given_the_present_where_the_past_is_trimmed
                is_told_that_it_missed_something
                is_told_when_a_window_opens_and_closes
                is_told_of_a_deletion
                who_read_before_the_workers_ran_is_told_to_read_again
                who_read_a_drop_is_told_of_its_deletion
            }
            wreck {
                a_panic_frees_the_lane
                a_fault_is_answered_and_passes
                a_corrupt_drop_is_stopped_until_an_audit
                a_corrupt_drop_stops_those_who_wait
                a_lost_answer_converges
                closing_finishes_what_was_accepted
                closing_waits_for_nobody_who_does_not_ask
            }
            differential {
                single_commands_agree_with_the_model
                batches_agree_with_the_model
                two_instances_agree_with_the_model
                crowded_batches_agree_with_the_model
            }
        }
    };
}

/// Tests a store: one `#[test]` for each case of the suite.
///
/// Takes an expression that makes a [`Harness`]; see the [module](crate::conformance).
#[macro_export]
macro_rules! conformance_suite {
    ($harness:expr) => {
        fn conformance_harness() -> impl $crate::conformance::Harness {
            $harness
        }

        $crate::conformance_cases! { conformance_tests () }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    (() $($topic:ident { $($case:ident)* })*) => {
        $(
            mod $topic {
                $(
                    #[test]
                    fn $case() {
                        let name = concat!(stringify!($topic), "::", stringify!($case));
                        $crate::conformance::run(&super::conformance_harness(), name);
                    }
                )*
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_table {
    (() $($topic:ident { $($case:ident)* })*) => {
        &[$($(
            Case {
                name: concat!(stringify!($topic), "::", stringify!($case)),
                play: |trial| Box::pin(super::$topic::$case(trial)),
            },
        )*)*]
    };
}

/// One case of the suite.
#[derive(Clone, Copy)]
pub struct Case {
    /// Topic and case, as `reserve::takes_a_unit`.
    pub name: &'static str,
    play: for<'a> fn(&'a mut Trial) -> LocalBoxFuture<'a, ()>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Every case, by topic.
pub const CASES: &[Case] = crate::conformance_cases! { conformance_table () };

/// Runs one case in a world of its own, on a runtime of its own with two threads, and then
/// audits the drops that it made.
///
/// # Panics
/// Where the store does not do what the case expects, where there is no case of that name,
/// and where the case hangs.
pub fn run(harness: &dyn Harness, name: &str) {
    let case = CASES.iter().find(|case| case.name == name);
    let case = case.unwrap_or_else(|| panic!("the suite has no case {name}"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let played = tokio::time::timeout(GUARD, async {
            let mut trial = Trial::new(harness.world().await);
            (case.play)(&mut trial).await;
            trial.conclude().await;
        });
        assert!(played.await.is_ok(), "{name} hangs");
    });
}
