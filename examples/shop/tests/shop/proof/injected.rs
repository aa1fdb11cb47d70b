//! Errors of the database that no repetition cures, as a client is told of them: the contract's
//! status and word, and when to come back.

use std::time::Duration;

use drop_core::conformance::Report;
use drop_store_postgres::testing::{SqlProxy, StepKind, Verdict};

use crate::support::{Answer, Shop, Start, database};

const REPLAY: &str = "cargo test -p drop-shop --test shop -- proof::injected --test-threads=1";
/// A guard against hanging, not a measure: retries are bounded.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is injected, and what becomes of it.
const ERRORS: [(&str, u16, &str); 6] = [
    ("40001", 409, "CONCURRENT_UPDATE"),
    ("40P01", 409, "CONCURRENT_UPDATE"),
    ("55P03", 503, "BUSY"),
    ("57P01", 503, "BUSY"),
    ("53300", 503, "BUSY"),
    ("53100", 503, "BUSY"),
];

/// From now on every transaction that is begun meets the error.
fn inject(proxy: &SqlProxy, sqlstate: &'static str) {
    proxy.set_judge(move |step| match (sqlstate, step.kind) {
        // Told to who connects; for that, the connections that there are have to end.
        ("53300", StepKind::Startup) => Verdict::Refuse(sqlstate),
        ("53300", _) => Verdict::CutBefore,
        _ if step.is_begin() => Verdict::Refuse(sqlstate),
        _ => Verdict::Pass,
    });
}

/// Everything that begins a transaction: a hold, a purchase, a hold given back, an amendment.
async fn ask_everything(shop: &Shop, drop_id: i64, hold: i64, name: &str) -> [Answer; 4] {
    let api = &shop.api;
    let price = serde_json::json!({"price": 1});
    let (drops, holds) =
        (format!("/api/drops/{drop_id}"), format!("/api/reservations/{hold}?username={name}"));
    let asked = async {
        [
            api.reserve(drop_id, "somebody").await.expect("an answer"),
            api.purchase(hold, name).await.expect("an answer"),
            api.ask(reqwest::Method::DELETE, &holds, None).await.expect("an answer"),
            api.ask(reqwest::Method::PATCH, &drops, Some(price)).await.expect("an answer"),
        ]
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("bounded retries")
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_that_last_have_their_status_and_leave_nothing_half_done() {
    let report = Report::begin("injected errors", "as a client is told of them", REPLAY);
    let database = database().await;
    let proxy = SqlProxy::before(&database.options()).await.expect("a proxy");
    let shop = Start::on(&proxy.url()).quiet().with(&["--hold-seconds", "300", "--pool-size", "2"]);
    let shop = shop.run().await;
    let drop_id = shop.api.plain_drop(100).await;
    let mut table =
        String::from("| SQLSTATE | status | word | come back after |\n| --- | --- | --- | --- |\n");
    for (sqlstate, status, word) in ERRORS {
        let name = format!("holder_of_{}", sqlstate.to_lowercase());
        let held = shop.api.reserve(drop_id, &name).await.expect("an answer");
        assert_eq!(held.status, 201, "before {sqlstate}: {held:?}");
        let hold = held.body["reservation"]["id"].as_i64().expect("an id");
        let before = shop.api.drop(drop_id).await;
        inject(&proxy, sqlstate);
        let answers = ask_everything(&shop, drop_id, hold, &name).await;
        proxy.pass();
        for answer in &answers {
            assert_eq!(answer.status, status, "{sqlstate}: {answer:?}");
            assert_eq!(answer.body["error"], word, "{sqlstate}: {answer:?}");
            let seconds = answer.retry_after.as_ref().map(|after| after.parse::<u64>());
            let named = matches!(seconds, Some(Ok(1..=60)));
            assert_eq!(named, status == 503, "{sqlstate}: {answer:?}");
        }
        let later = answers[0].retry_after.clone().unwrap_or_default();
        table.push_str(&format!("| {sqlstate} | {status} | {word} | {later} |\n"));
        // Over at once, with nothing half done.
        let bought = shop.api.purchase(hold, &name).await.expect("an answer");
        assert_eq!(bought.status, 201, "after {sqlstate}: {bought:?}");
        let after = shop.api.drop(drop_id).await;
        let version = |drop: &serde_json::Value| drop["version"].as_u64().expect("a version");
        assert_eq!(version(&after), version(&before) + 1, "after {sqlstate}");
    }
    let audit = shop.api.get(&format!("/api/drops/{drop_id}/audit")).await;
    assert_eq!(audit.body["sound"], true, "{audit:?}");
    report.figure("errors, each met by four kinds of request", &ERRORS.len()).table(table).save();
}
