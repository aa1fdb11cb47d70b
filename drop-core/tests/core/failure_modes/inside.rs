//! Time, concurrency, crashes.

use super::Mode;

pub(super) const TIME: &[Mode] = &[
    (
        "purchase at the very deadline, one tick either side",
        &[
            "case:expiry::one_tick_before_the_deadline_buys",
            "case:expiry::at_the_deadline_is_too_late",
            "case:expiry::one_tick_after_the_deadline_is_too_late",
            "examples/shop/tests/shop/proof/deadline.rs::deadline_memory",
            "examples/shop/tests/shop/proof/deadline.rs::deadline_file",
            "examples/shop/tests/shop/proof/deadline.rs::deadline_postgres_two_instances",
        ],
    ),
    (
        "a lock wait across the deadline",
        &[
            "case:window::lets_no_purchase_through_that_waited_over_its_deadline",
            "drop-store-postgres/tests/postgres/races.rs::a_wait_for_the_lock_that_crosses_the_deadline_sells_nothing",
        ],
    ),
    (
        "the sweeper against a purchase",
        &[
            "case:pairs::of_expiry_and_any_other",
            "case:races::a_purchase_at_the_deadline_is_early_or_late",
        ],
    ),
    (
        "the app's clock jumping",
        &[
            "drop-core/tests/core/instances.rs::two_instances_minutes_apart_go_by_the_stores_time",
            "drop-http/src/live/board/tests.rs::a_clock_that_is_set_back_silences_nothing",
            "drop-core/tests/core/expiry.rs::an_instance_whose_clock_jumps_back_settles_with_the_next_sweep",
            "examples/shop/tests/shop/proof/clocks.rs::an_instance_whose_clock_jumps_back_while_alone_tells_of_what_lapsed",
        ],
    ),
    (
        "the database's clock jumping, or both",
        &[
            "examples/shop/tests/shop/proof/clocks.rs::faketime_on_an_instance_and_the_database_both_jumping_is_never_oversold",
            "case:expiry::follows_a_jump_of_an_hour",
            "case:expiry::never_revives_when_time_goes_back",
            "drop-store-postgres/tests/postgres/races.rs::the_time_of_a_drop_never_goes_back",
            "examples/shop/tests/shop/proof/clocks.rs::faketime_on_the_database_jumping_while_running_is_never_oversold",
        ],
    ),
    (
        "two instances minutes apart",
        &[
            "drop-core/tests/core/instances.rs::two_instances_minutes_apart_go_by_the_stores_time",
            "examples/shop/tests/shop/proof/clocks.rs::faketime_on_one_of_two_instances_has_no_visible_effect",
        ],
    ),
    (
        "a process stopped for 30 s holding a lock",
        &[
            "drop-store-postgres/tests/postgres/faults.rs::a_process_that_stops_in_the_middle_loses_its_lock",
            "case:window::of_one_stalled_drop_delays_no_other",
            "drop-store-postgres/tests/postgres/joint/turns.rs::a_drop_that_is_locked_keeps_no_other_waiting",
            "examples/shop/tests/shop/proof/pauses.rs::stopped_for_30_s_holding_a_lock",
            "examples/shop/tests/shop/proof/pauses.rs::one_of_two_instances_stopped",
            "examples/shop/tests/shop/proof/resources.rs::an_outsider_holding_the_drop_row",
        ],
    ),
    (
        "a window that opens or closes while a request waits",
        &[
            "case:window::is_judged_after_the_wait_for_the_lock",
            "case:races::a_closing_window_is_open_or_closed",
        ],
    ),
    (
        "DST",
        &[
            "drop-http/tests/http/times.rs::dst_an_hour_that_comes_twice_is_two_hours",
            "drop-http/tests/http/times.rs::dst_an_hour_that_is_left_out_takes_no_time",
        ],
    ),
    (
        "offsets",
        &[
            "drop-http/tests/http/times.rs::offsets_from_everywhere_are_one_moment",
            "drop-core/src/model/time.rs::rfc3339_is_read_with_any_offset_and_written_in_utc",
        ],
    ),
    (
        "year 9999",
        &[
            "drop-http/tests/http/times.rs::year_9999_is_the_last",
            "case:window::works_at_the_end_of_time",
        ],
    ),
];

pub(super) const CONCURRENCY: &[Mode] = &[
    (
        "N users for 1 unit: one hold, N - 1 clean refusals, no 5xx",
        &[
            "case:races::one_unit_for_many_gives_one_hold",
            "drop-http/tests/http/abuse.rs::of_a_crowd_for_one_unit_one_gets_it",
            "examples/shop/tests/shop/herd.rs::one_unit_goes_to_one_of_a_thousand_in_memory",
            "examples/shop/tests/shop/herd.rs::one_unit_goes_to_one_of_a_thousand_in_a_file",
            "examples/shop/tests/shop/herd.rs::one_unit_goes_to_one_of_a_thousand_in_postgres",
            "examples/shop/tests/shop/herd.rs::one_unit_goes_to_one_of_a_thousand_over_two_instances",
            "examples/shop/tests/shop/proof/herd.rs::herd_over_two_instances",
        ],
    ),
    (
        "many tabs",
        &[
            "case:races::one_user_at_once_gives_one_hold",
            "examples/shop/tests/shop/proof/herd.rs::herd_over_two_instances",
        ],
    ),
    (
        "the same purchase k times at once gives one purchase",
        &["case:races::one_purchase_at_once_sells_once"],
    ),
    (
        "purchase, release, sweep and admin in all pairs",
        &[
            "case:pairs::of_purchase_and_any_other",
            "case:pairs::of_release_and_any_other",
            "case:pairs::of_expiry_and_any_other",
            "case:pairs::of_amendment_and_any_other",
            "case:pairs::of_forgetting_and_any_other",
            "case:pairs::of_deletion_and_any_other",
        ],
    ),
    ("last unit freed while K wait", &["case:races::a_freed_unit_goes_to_one_of_those_who_wait"]),
    ("quantity over the stock: all or nothing", &["case:reserve::takes_all_or_nothing"]),
    (
        "isolation default changed by the database's owner",
        &[
            "drop-store-postgres/tests/postgres/races.rs::two_instances_sell_one_of_one_where_the_default_is_repeatable_read",
            "drop-store-postgres/tests/postgres/races.rs::two_instances_sell_one_of_one_where_the_default_is_serializable",
            "drop-store-postgres/tests/postgres/interleavings/mod.rs::every_merge_where_the_default_is_repeatable_read",
            "drop-store-postgres/tests/postgres/interleavings/mod.rs::every_merge_where_the_default_is_serializable",
        ],
    ),
    (
        "zero 40P01 in the whole suite",
        &[
            "drop-store-postgres/tests/postgres/races.rs::everything_at_once_stays_sound",
            "drop-store-postgres/tests/postgres/interleavings/mod.rs::every_merge_where_the_default_is_read_committed",
            "drop-store-postgres/tests/postgres/interleavings/mod.rs::every_merge_where_the_default_is_repeatable_read",
            "drop-store-postgres/tests/postgres/interleavings/mod.rs::every_merge_where_the_default_is_serializable",
        ],
    ),
];

pub(super) const CRASH: &[Mode] = &[
    (
        "before commit",
        &[
            "drop-store-postgres/tests/postgres/faults.rs::a_session_that_is_ended_before_its_commit_wrote_nothing",
            "drop-store-postgres/tests/postgres/network.rs::cut_before_and_after_each_protocol_step",
        ],
    ),
    (
        "after commit with the answer lost",
        &[
            "case:wreck::a_lost_answer_converges",
            "drop-store-postgres/tests/postgres/network.rs::cut_before_and_after_each_protocol_step",
            "examples/shop/tests/shop/proof/network.rs::cut_drip_and_black_hole_between_client_and_app_exactly_once",
            "examples/shop/tests/shop/proof/network.rs::cut_drip_and_black_hole_between_client_and_app_exactly_once_file",
        ],
    ),
    (
        "COMMIT sent and the connection cut",
        &[
            "drop-store-postgres/src/fault.rs::a_cut_connection_is_unknown_only_once_commit_was_sent",
            "drop-store-postgres/tests/postgres/network.rs::cut_before_and_after_each_protocol_step",
            "drop-store-postgres/tests/postgres/guards.rs::a_session_that_is_ended_in_its_commit_is_unknown_and_converges",
            "drop-store-postgres/tests/postgres/joint/faults.rs::a_commit_whose_answer_is_lost_is_unknown_to_all",
        ],
    ),
    (
        "the caller gone at every await",
        &[
            "case:service::cancelled_at_any_await_loses_nothing",
            "drop-store-postgres/tests/postgres/faults.rs::a_caller_who_goes_at_any_moment_leaves_no_transaction_and_no_lock",
            "drop-store-postgres/tests/postgres/joint/turns.rs::who_leaves_takes_nobody_along",
        ],
    ),
    (
        "a delayed duplicate",
        &[
            "case:purchase::repeated_after_the_deadline_is_the_same_purchase",
            "case:release::repeated_is_the_same_answer",
            "examples/shop/tests/shop/proof/late.rs::delayed_duplicate_after_a_restart_file",
            "examples/shop/tests/shop/proof/late.rs::delayed_duplicate_after_a_restart_postgres",
        ],
    ),
    (
        "Postgres restarted",
        &[
            "drop-store-postgres/tests/postgres/faults.rs::a_server_that_goes_away_is_unavailable_and_comes_back",
            "examples/shop/tests/shop/proof/kills.rs::postgres_killed",
        ],
    ),
    (
        // Not the change to a replica itself, which may lose commits whatever a client does: what
        // a client sees of it, its sessions ended and an address that comes back. The page says so.
        "Postgres failed over: as a client sees it; that a replica has every commit is not covered",
        &[
            "drop-store-postgres/tests/postgres/faults.rs::a_server_that_goes_away_is_unavailable_and_comes_back",
            "drop-store-postgres/tests/postgres/hints.rs::listening_goes_on_after_its_session_was_ended",
        ],
    ),
    (
        "Postgres full, or read-only",
        &[
            "drop-store-postgres/tests/postgres/faults.rs::other_faults_are_not_tried_again_and_say_what_they_are",
            "examples/shop/tests/shop/proof/resources.rs::disk_full_then_enlarged_under_postgres",
            "examples/shop/tests/shop/proof/injected.rs::errors_that_last_have_their_status_and_leave_nothing_half_done",
        ],
    ),
    (
        "Postgres out of connections",
        &[
            "drop-store-postgres/tests/postgres/faults.rs::a_pool_without_room_says_so_soon",
            "examples/shop/tests/shop/proof/resources.rs::max_connections_reached",
            "drop-store-postgres/tests/postgres/injected/mod.rs::postgres_out_of_connections_is_unavailable_and_passes",
            "examples/shop/tests/shop/proof/injected.rs::errors_that_last_have_their_status_and_leave_nothing_half_done",
        ],
    ),
    (
        "pgbouncer in transaction mode",
        &[
            "drop-store-postgres/tests/postgres/schema.rs::without_prepared_statements_everything_works_as_a_pooler_needs_it",
            "examples/shop/tests/shop/proof/pooler.rs::pgbouncer_in_transaction_mode",
        ],
    ),
    (
        "server killed: holds live on and expire on time",
        &[
            "drop-store-memory/tests/memory/journal.rs::holds_expire_on_time_across_a_restart",
            "examples/shop/tests/shop/proof/kills.rs::server_killed_file",
            "examples/shop/tests/shop/proof/kills.rs::server_killed_postgres",
            "examples/shop/tests/shop/proof/late.rs::server_killed_holds_live_on_and_expire_on_time_file",
            "examples/shop/tests/shop/proof/late.rs::server_killed_holds_live_on_and_expire_on_time_postgres",
        ],
    ),
    (
        "stopped mid-herd: every accepted request answered",
        &[
            "examples/shop/tests/shop/lifecycle.rs::sigterm_finishes_what_was_accepted_and_says_goodbye",
            "case:wreck::closing_finishes_what_was_accepted",
            "examples/shop/tests/shop/proof/stops.rs::stopped_mid_herd_every_accepted_request_answered_file",
            "examples/shop/tests/shop/proof/stops.rs::stopped_mid_herd_every_accepted_request_answered_postgres",
        ],
    ),
    (
        "a panic in one handler or one drain",
        &[
            "drop-http/tests/http/faults.rs::a_panic_is_an_answer",
            "case:wreck::a_panic_frees_the_lane",
        ],
    ),
];
