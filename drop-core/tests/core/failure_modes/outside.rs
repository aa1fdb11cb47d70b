//! What a seller, watchers and strangers do.

use super::Mode;

pub(super) const STOCK: &[Mode] = &[
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

pub(super) const EVENTS: &[Mode] = &[
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
            "examples/shop/tests/shop/lifecycle.rs::events_that_nobody_takes_are_cut_off",
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

pub(super) const ABUSE: &[Mode] = &[
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
        &[
            "examples/shop/tests/shop/lifecycle.rs::connections_that_never_ask_are_closed",
            "examples/shop/tests/shop/lifecycle.rs::headers_that_drip_are_cut_off",
        ],
    ),
    (
        "slow bodies, 64 MiB bodies",
        &[
            "drop-http/tests/http/abuse.rs::a_body_that_is_announced_too_large_or_never_comes",
            "drop-http/tests/http/protocol.rs::bodies_of_another_kind_or_too_large",
        ],
    ),
    ("deep JSON", &["drop-http/tests/http/protocol.rs::bodies_that_are_no_json_object"]),
    ("smuggling", &["examples/shop/tests/shop/abuse.rs::smuggling"]),
    (
        "WebSocket frame tricks",
        &[
            "drop-http/tests/http/seats.rs::clients_that_talk_are_shown_out",
            "examples/shop/tests/shop/abuse.rs::websocket_frame_tricks",
        ],
    ),
    (
        "names with NUL, RTL, zero-width, NFD",
        &[
            "drop-core/src/model/username.rs::the_rule",
            "case:reads::names_as_they_were_written",
            "drop-http/tests/http/abuse.rs::no_body_is_a_fault",
            "examples/shop/tests/shop/abuse.rs::names_with_nul_rtl_zero_width_nfd_and_sql_in_every_field",
        ],
    ),
    (
        "SQL in every field",
        &[
            "drop-store-postgres/src/literal.rs::what_is_not_plain_never_gets_in",
            "case:reads::names_as_they_were_written",
            "examples/shop/tests/shop/abuse.rs::names_with_nul_rtl_zero_width_nfd_and_sql_in_every_field",
        ],
    ),
    (
        "numbers at every edge",
        &[
            "drop-core/src/model/ids.rs::the_largest_ids_fit_javascript",
            "drop-core/src/model/price.rs::bounds",
            "drop-http/src/dto/field.rs::integers_are_digits",
            "case:reserve::takes_the_largest_stock",
            "examples/shop/tests/shop/abuse.rs::numbers_at_every_edge",
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
            "examples/shop/tests/shop/abuse.rs::secrets_in_logs",
        ],
    ),
];
