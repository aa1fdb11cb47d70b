//! The list itself.

/// A failure mode, and where it is shown: `file::function`, `/` for the file's folders, cases
/// of the conformance suite as `case:topic::name` (they run on every store).
pub(super) type Mode = (&'static str, &'static [&'static str]);

pub(super) const MODES: [(&str, &[Mode]); 6] = [
    ("Time", TIME),
    ("Concurrency", CONCURRENCY),
    ("Crash and ambiguity", CRASH),
    ("Stock administration", STOCK),
    ("Events", EVENTS),
    ("Abuse", ABUSE),
];

/// Those whose tests are on their way; none of them may have one already.
pub(super) const PENDING: [&str; 1] = ["smuggling"];

const TIME: &[Mode] = &[
    (
        "purchase at the very deadline, one tick either side",
        &[
            "case:expiry::one_tick_before_the_deadline_buys",
            "case:expiry::at_the_deadline_is_too_late",
            "case:expiry::one_tick_after_the_deadline_is_too_late",
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
        ],
    ),
    (
        "the database's clock jumping, or both",
        &[
            "case:expiry::follows_a_jump_of_an_hour",
            "case:expiry::never_revives_when_time_goes_back",
            "drop-store-postgres/tests/postgres/races.rs::the_time_of_a_drop_never_goes_back",
        ],
    ),
    (
        "two instances minutes apart",
        &["drop-core/tests/core/instances.rs::two_instances_minutes_apart_go_by_the_stores_time"],
    ),
    (
        "a process stopped for 30 s holding a lock",
        &[
            "drop-store-postgres/tests/postgres/faults.rs::a_process_that_stops_in_the_middle_loses_its_lock",
            "case:window::of_one_stalled_drop_delays_no_other",
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

const CONCURRENCY: &[Mode] = &[
    (
        "N users for 1 unit: one hold, N - 1 clean refusals, no 5xx",
        &[
            "case:races::one_unit_for_many_gives_one_hold",
            "drop-http/tests/http/abuse.rs::of_a_crowd_for_one_unit_one_gets_it",
            "examples/shop/tests/shop/herd.rs::one_unit_goes_to_one_of_a_thousand_in_memory",
            "examples/shop/tests/shop/herd.rs::one_unit_goes_to_one_of_a_thousand_in_a_file",
            "examples/shop/tests/shop/herd.rs::one_unit_goes_to_one_of_a_thousand_in_postgres",
            "examples/shop/tests/shop/herd.rs::one_unit_goes_to_one_of_a_thousand_over_two_instances",
        ],
    ),
    ("many tabs", &["case:races::one_user_at_once_gives_one_hold"]),
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
        ],
    ),
    (
        "zero 40P01 in the whole suite",
        &["drop-store-postgres/tests/postgres/races.rs::everything_at_once_stays_sound"],
    ),
];

const CRASH: &[Mode] = &[
    (
        "before commit",
        &[
            "drop-store-postgres/tests/postgres/faults.rs::a_session_that_is_ended_before_its_commit_wrote_nothing",
        ],
    ),
    ("after commit with the answer lost", &["case:wreck::a_lost_answer_converges"]),
    (
        "COMMIT sent and the connection cut",
        &[
            "drop-store-postgres/src/fault.rs::a_cut_connection_is_unknown_only_once_commit_was_sent",
        ],
    ),
    (
        "the caller gone at every await",
        &[
            "case:service::cancelled_at_any_await_loses_nothing",
            "drop-store-postgres/tests/postgres/faults.rs::a_caller_who_goes_at_any_moment_leaves_no_transaction_and_no_lock",
        ],
    ),
    (
        "a delayed duplicate",
        &[
            "case:purchase::repeated_after_the_deadline_is_the_same_purchase",
            "case:release::repeated_is_the_same_answer",
        ],
    ),
    (
        "Postgres restarted",
        &[
            "drop-store-postgres/tests/postgres/faults.rs::a_server_that_goes_away_is_unavailable_and_comes_back",
            "examples/shop/tests/shop/crash.rs::postgres_is_killed_while_the_shop_sells",
        ],
    ),
    (
        "Postgres failed over",
        &[
            "drop-store-postgres/tests/postgres/faults.rs::a_server_that_goes_away_is_unavailable_and_comes_back",
            "drop-store-postgres/tests/postgres/hints.rs::listening_goes_on_after_its_session_was_ended",
        ],
    ),
    (
        "Postgres full, or read-only",
        &[
            "drop-store-postgres/tests/postgres/faults.rs::other_faults_are_not_tried_again_and_say_what_they_are",
        ],
    ),
    (
        "Postgres out of connections",
        &["drop-store-postgres/tests/postgres/faults.rs::a_pool_without_room_says_so_soon"],
    ),
    (
        "pgbouncer in transaction mode",
        &[
            "drop-store-postgres/tests/postgres/schema.rs::without_prepared_statements_everything_works_as_a_pooler_needs_it",
        ],
    ),
    (
        "server killed: holds live on and expire on time",
        &[
            "examples/shop/tests/shop/crash.rs::the_shop_is_killed_while_it_sells_from_a_file",
            "examples/shop/tests/shop/crash.rs::the_shop_is_killed_while_it_sells_from_postgres",
            "drop-store-memory/tests/memory/journal.rs::holds_expire_on_time_across_a_restart",
        ],
    ),
    (
        "stopped mid-herd: every accepted request answered",
        &[
            "examples/shop/tests/shop/lifecycle.rs::sigterm_finishes_what_was_accepted_and_says_goodbye",
            "case:wreck::closing_finishes_what_was_accepted",
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

const STOCK: &[Mode] = &[
    (
        "total below what is held or sold is refused",
        &["case:amend::refuses_a_total_below_what_is_committed"],
    ),
    ("total raised is seen at once", &["case:amend::raised_stock_is_for_sale_at_once"]),
    (
        "drop deleted with live holds",
        &[
            "case:delete::refuses_sales_and_live_holds",
            "case:delete::by_force_takes_everything_in_it",
        ],
    ),
    ("price changed mid-hold", &["case:purchase::pays_the_price_at_the_hold"]),
];

const EVENTS: &[Mode] = &[
    (
        "crash between commit and broadcast",
        &["drop-core/tests/core/instances.rs::a_crash_between_commit_and_broadcast_is_made_up_for"],
    ),
    (
        "duplicates and disorder across instances",
        &["case:watch::has_every_change_once_and_in_order"],
    ),
    (
        "a gap",
        &[
            "case:watch::is_told_that_it_missed_something",
            "case:watch::is_given_the_present_where_the_past_is_trimmed",
            "drop-http/tests/http/seats.rs::a_hub_that_fell_behind_gives_everybody_the_present_state",
        ],
    ),
    (
        "subscribers that never read",
        &[
            "drop-http/tests/http/proof/sockets.rs::a_hundred_who_never_read_are_owed_no_backlog",
            "drop-http/tests/http/seats.rs::who_takes_nothing_is_cut",
        ],
    ),
    (
        "ten thousand changes a second",
        &[
            "drop-http/tests/http/proof/sockets.rs::a_thousand_subscribers_a_hundred_of_whom_never_read_and_a_storm_of_five_hundred",
            "drop-http/tests/http/ws.rs::under_load_the_newest_is_told_every_50_ms_and_the_last_always",
        ],
    ),
    (
        "reconnect storms",
        &[
            "drop-http/tests/http/proof/sockets.rs::a_thousand_subscribers_a_hundred_of_whom_never_read_and_a_storm_of_five_hundred",
        ],
    ),
];

const ABUSE: &[Mode] = &[
    (
        "the herd at the opening second",
        &[
            "drop-http/tests/http/times.rs::of_the_herd_at_the_opening_second_as_many_get_it_as_there_are",
        ],
    ),
    ("hoarding by re-reserving", &["case:repeat::never_passes_the_longest"]),
    (
        "another's hold",
        &["case:purchase::by_another_is_refused", "case:release::by_another_is_refused"],
    ),
    (
        "slow headers",
        &["examples/shop/tests/shop/lifecycle.rs::connections_that_never_ask_are_closed"],
    ),
    (
        "slow bodies, 64 MiB bodies",
        &[
            "drop-http/tests/http/abuse.rs::a_body_that_is_announced_too_large_or_never_comes",
            "drop-http/tests/http/protocol.rs::bodies_of_another_kind_or_too_large",
        ],
    ),
    ("deep JSON", &["drop-http/tests/http/protocol.rs::bodies_that_are_no_json_object"]),
    ("WebSocket frame tricks", &["drop-http/tests/http/seats.rs::clients_that_talk_are_shown_out"]),
    (
        "names with NUL, RTL, zero-width, NFD",
        &[
            "drop-core/src/model/username.rs::the_rule",
            "case:reads::names_as_they_were_written",
            "drop-http/tests/http/abuse.rs::no_body_is_a_fault",
        ],
    ),
    (
        "SQL in every field",
        &[
            "drop-store-postgres/src/literal.rs::what_is_not_plain_never_gets_in",
            "case:reads::names_as_they_were_written",
        ],
    ),
    (
        "numbers at every edge",
        &[
            "drop-core/src/model/ids.rs::the_largest_ids_fit_javascript",
            "drop-core/src/model/price.rs::bounds",
            "drop-http/src/dto/field.rs::integers_are_digits",
            "case:reserve::takes_the_largest_stock",
        ],
    ),
    (
        "metrics labels from user input",
        &["drop-http/tests/http/metrics.rs::requests_sockets_and_events_are_counted"],
    ),
    (
        "secrets in logs",
        &[
            "examples/shop/src/settings.rs::secrets_are_not_shown",
            "examples/shop/tests/shop/lifecycle.rs::a_mistyped_store_does_not_print_its_password",
            "drop-http/src/error.rs::every_fault_has_its_row_and_tells_nothing",
        ],
    ),
];
