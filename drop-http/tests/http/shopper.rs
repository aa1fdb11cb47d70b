//! What shoppers ask for: every row of theirs, and each refusal.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{NOW, members, refused, shop};

#[tokio::test]
async fn health() {
    let shop = shop();
    for path in ["/api/health", "/healthz", "/readyz"] {
        let response = shop.get(path).await;
        assert_eq!(
            (response.status_code().as_u16(), response.text().as_str()),
            (200, "{\"ok\":true}"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_drop_on_the_wire() {
    let shop = shop();
    let id = shop.plain(3).await;
    shop.buy(id, "Ann").await;
    let hold = shop.hold(id, "bob").await;
    let response = shop.get("/api/drops?username=BOB").await;
    assert_eq!(
        response.json::<Value>(),
        json!({"drops": [{
            "id": id,
            "name": "Air One",
            "price": "149.99",
            "totalStock": 3,
            "availableStock": 1,
            "startsAt": NOW,
            "endsAt": null,
            "createdAt": NOW,
            "updatedAt": NOW,
            "topPurchasers": [{"username": "Ann", "purchasedAt": NOW}],
            "userReservation": {"id": hold, "expiresAt": "2026-01-01T12:01:00.000Z", "quantity": 1, "variant": null, "price": "149.99"},
            "status": "open",
            "heldStock": 1,
            "soldCount": 1,
            "version": 4,
            "maxPerCustomer": null,
            "variants": [{
                "name": null,
                "totalStock": 3,
                "availableStock": 1,
                "heldStock": 1,
                "soldCount": 1,
            }],
        }]})
    );
    let one = shop.get(&format!("/api/drops/{id}?username=bob")).await;
    assert_eq!(one.json::<Value>(), response.json::<Value>()["drops"][0]);
    // Another, nobody, and what is no name hold nothing.
    for query in ["", "?username=eve", "?username=", "?username=a%00b", "?username=%F0%9F%91%9F"] {
        let drops: Value = shop.get(&format!("/api/drops{query}")).await.json();
        assert_eq!(drops["drops"][0]["userReservation"], Value::Null, "{query}");
    }
    for id in ["2", "0", "-1", "x", "16777216", "99999999999999999999", "1.0", "%00"] {
        refused(&shop.get(&format!("/api/drops/{id}")).await, 404, "DROP_NOT_FOUND");
    }
}

#[tokio::test]
async fn top_purchasers_are_the_three_newest() {
    let shop = shop();
    let id = shop.plain(9).await;
    for name in ["ann", "bob", "cat", "dan"] {
        shop.advance(Duration::from_secs(1)).await;
        shop.buy(id, name).await;
    }
    let one: Value = shop.get(&format!("/api/drops/{id}")).await.json();
    let names: Vec<_> =
        one["topPurchasers"].as_array().unwrap().iter().map(|who| &who["username"]).collect();
    assert_eq!(names, ["dan", "cat", "bob"]);
}

#[tokio::test]
async fn the_list_by_status() {
    let shop = shop();
    let create = |name: &'static str, starts: &'static str, ends: Value| {
        shop.create(json!({
            "name": name, "price": 1, "totalStock": 1, "startsAt": starts, "endsAt": ends,
        }))
    };
    create("ended", "2025-01-01T00:00:00Z", json!("2025-06-01T00:00:00Z")).await;
    let sold_out = create("sold out", "2025-01-01T00:00:00Z", Value::Null).await;
    create("upcoming", "2026-02-01T00:00:00Z", Value::Null).await;
    create("open", "2026-01-01T13:00:00+02:00", json!("2026-01-01T12:00:01Z")).await;
    shop.buy(sold_out["id"].as_i64().unwrap(), "ann").await;
    let names = |query: &'static str| {
        let request = shop.get(&format!("/api/drops{query}"));
        async move {
            let drops: Value = request.await.json();
            let each = drops["drops"].as_array().unwrap().clone();
            each.iter()
                .map(|one| {
                    format!("{}:{}", one["name"].as_str().unwrap(), one["status"].as_str().unwrap())
                })
                .collect::<Vec<_>>()
        }
    };
    let inside = ["open:open", "sold out:soldOut"];
    assert_eq!(names("").await, inside);
    assert_eq!(names("?status=open").await, inside);
    assert_eq!(names("?status=upcoming").await, ["upcoming:upcoming"]);
    assert_eq!(names("?status=ended").await, ["ended:ended"]);
    assert_eq!(names("?status=all").await.len(), 4);
    assert_eq!(names("?status=all&limit=1").await, ["open:open"]);
    assert_eq!(names("?status=all&limit=2&after=3").await, ["sold out:soldOut", "ended:ended"]);
    shop.advance(Duration::from_secs(1)).await;
    assert_eq!(names("").await, ["sold out:soldOut"]);
    for query in [
        "status=soldOut",
        "status=",
        "limit=0",
        "limit=501",
        "limit=x",
        "limit=-1",
        "limit=+1",
        "after=x",
        "limit=1&limit=2",
    ] {
        refused(&shop.get(&format!("/api/drops?{query}")).await, 400, "VALIDATION_ERROR");
    }
}

#[tokio::test]
async fn the_fields_of_a_drop_are_those_of_the_contract() {
    let shop = shop();
    shop.plain(1).await;
    let drops: Value = shop.get("/api/drops").await.json();
    let mut expected = vec![
        "id",
        "name",
        "price",
        "totalStock",
        "availableStock",
        "startsAt",
        "endsAt",
        "createdAt",
        "updatedAt",
        "topPurchasers",
        "userReservation",
        "status",
        "heldStock",
        "soldCount",
        "version",
        "maxPerCustomer",
        "variants",
    ];
    let mut found = members(&drops["drops"][0]);
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
}
