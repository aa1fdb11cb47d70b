//! Moments as people write them: offsets, clocks that are put back, the end of time.

use std::time::Duration;

use drop_core::model::Timestamp;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{KEY, Shop, refused, shop};

fn window(starts: &str, ends: impl Into<Value>) -> Value {
    let ends = ends.into();
    json!({"name": "Air One", "price": 1, "totalStock": 9, "startsAt": starts, "endsAt": ends})
}

async fn status(shop: &Shop, id: i64) -> String {
    let body: Value = shop.get(&format!("/api/drops/{id}")).await.json();
    body["status"].as_str().unwrap().to_owned()
}

/// DST: in October the hour from two to three comes twice, an hour apart.
#[tokio::test]
async fn dst_an_hour_that_comes_twice_is_two_hours() {
    let shop = shop();
    let first = "2026-10-25T02:30:00+02:00";
    let second = json!("2026-10-25T02:30:00+01:00");
    let created = shop.create(window(first, second)).await;
    assert_eq!(created["startsAt"], "2026-10-25T00:30:00.000Z");
    assert_eq!(created["endsAt"], "2026-10-25T01:30:00.000Z");
    let id = created["id"].as_i64().unwrap();
    for (at, expected) in [
        ("2026-10-25T00:29:59.999999Z", "upcoming"),
        ("2026-10-25T00:30:00Z", "open"),
        ("2026-10-25T01:29:59.999999Z", "open"),
        ("2026-10-25T01:30:00Z", "ended"),
    ] {
        shop.clock.jump(Timestamp::parse_rfc3339(at).unwrap());
        assert_eq!(status(&shop, id).await, expected, "{at}");
        let answer = shop.reserve(id, "ann").await;
        assert_eq!(answer.status_code() == 201 || answer.status_code() == 200, expected == "open");
    }
    // The other way round it would close before it opens.
    let body = window("2026-10-25T02:30:00+01:00", json!("2026-10-25T02:30:00+02:00"));
    refused(
        &shop.post("/api/drops", &body).add_header("x-api-key", KEY).await,
        400,
        "VALIDATION_ERROR",
    );
}

/// DST: in March an hour is left out, and what is written with an offset does not notice.
#[tokio::test]
async fn dst_an_hour_that_is_left_out_takes_no_time() {
    let shop = shop();
    let ends = json!("2026-03-29T03:00:00.001+02:00");
    let created = shop.create(window("2026-03-29T01:59:59.999+01:00", ends)).await;
    assert_eq!(created["startsAt"], "2026-03-29T00:59:59.999Z");
    assert_eq!(created["endsAt"], "2026-03-29T01:00:00.001Z");
}

#[tokio::test]
async fn offsets_from_everywhere_are_one_moment() {
    let shop = shop();
    for starts in [
        "2026-06-01T12:00:00Z",
        "2026-06-01T12:00:00+00:00",
        "2026-06-01T12:00:00-00:00",
        "2026-06-02T02:00:00+14:00",
        "2026-06-01T00:00:00-12:00",
        "2026-06-01T17:45:00+05:45",
        "2026-06-02T11:59:00+23:59",
    ] {
        let created = shop.create(window(starts, Value::Null)).await;
        assert_eq!(created["startsAt"], "2026-06-01T12:00:00.000Z", "{starts}");
    }
}

#[tokio::test]
async fn year_9999_is_the_last() {
    let shop = shop();
    let created =
        shop.create(window("9999-12-31T23:59:59.998Z", json!("9999-12-31T23:59:59.999Z")));
    let id = created.await["id"].as_i64().unwrap();
    let read: Value = shop.get(&format!("/api/drops/{id}")).await.json();
    assert_eq!(read["endsAt"], "9999-12-31T23:59:59.999Z");
    assert_eq!(read["status"], "upcoming");
    // One that is open till then, and a hold in it.
    let open = shop.create(window("0001-01-01T00:00:00Z", json!("9999-12-31T23:59:59.999Z"))).await;
    shop.hold(open["id"].as_i64().unwrap(), "ann").await;
    for beyond in [
        "9999-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00+00:01",
        "10000-01-01T00:00:00Z",
        "+10000-01-01T00:00:00Z",
        "0000-12-31T23:59:59Z",
        "-0001-01-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-06-01T24:00:00Z",
        "2026-06-01T12:00:00+24:00",
    ] {
        let body = window(beyond, Value::Null);
        let answer = shop.post("/api/drops", &body).add_header("x-api-key", KEY).await;
        refused(&answer, 400, "VALIDATION_ERROR");
    }
}

/// Abuse: the herd at the opening second. It is there before, and asks again and again.
#[tokio::test]
async fn of_the_herd_at_the_opening_second_as_many_get_it_as_there_are() {
    let shop = shop();
    let id = shop.create(window("2026-01-01T12:00:10Z", Value::Null)).await["id"].as_i64().unwrap();
    let names: Vec<String> = (0..200).map(|n| format!("user{n}")).collect();
    let ask = async || {
        let answers = join_all(names.iter().map(|name| shop.reserve(id, name))).await;
        let mut statuses: Vec<u16> =
            answers.iter().map(|answer| answer.status_code().as_u16()).collect();
        statuses.sort_unstable();
        statuses.dedup_by_key(|status| *status);
        (statuses, answers)
    };
    shop.advance(Duration::from_micros(9_999_999)).await;
    let (_, early) = ask().await;
    for answer in &early {
        refused(answer, 400, "DROP_NOT_ACTIVE");
    }
    shop.advance(Duration::from_micros(1)).await;
    let (statuses, answers) = ask().await;
    assert_eq!(statuses, [201, 409]);
    assert_eq!(answers.iter().filter(|answer| answer.status_code() == 201).count(), 9);
}
