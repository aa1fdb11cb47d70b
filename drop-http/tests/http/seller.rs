//! What the seller does.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{KEY, NOW, admin, refused, refused_saying, shop};

#[tokio::test]
async fn creating_a_drop() {
    let shop = shop();
    let body = json!({
        "name": " Air One ",
        "price": 149.99,
        "totalStock": "5",
        "startsAt": "2026-01-01T14:30:00+02:00",
        "endsAt": "2026-01-02T00:00:00Z",
        "holdSeconds": 0.5,
        "longestHoldSeconds": "2.5",
        "maxPerCustomer": 2,
        "variants": null,
    });
    let response = admin(shop.post("/api/drops", &body)).await;
    assert_eq!(response.status_code(), 201);
    assert_eq!(response.header("location"), "drops/1");
    assert_eq!(response.header("etag"), "\"v1\"");
    let created: Value = response.json();
    let mut expected = json!({
        "id": 1, "name": "Air One", "price": "149.99", "totalStock": 5, "availableStock": 5,
        "startsAt": "2026-01-01T12:30:00.000Z", "endsAt": "2026-01-02T00:00:00.000Z",
        "createdAt": NOW, "updatedAt": NOW, "topPurchasers": [], "userReservation": null,
        "status": "upcoming", "heldStock": 0, "soldCount": 0, "version": 1, "maxPerCustomer": 2,
        "variants": [{
            "name": null, "totalStock": 5, "availableStock": 5, "heldStock": 0, "soldCount": 0,
        }],
        "serverTime": NOW,
    });
    assert_eq!(created, expected);
    let read: Value = shop.get("/api/drops/1").await.json();
    expected.as_object_mut().unwrap().remove("serverTime");
    assert_eq!(read, expected);
    shop.advance(Duration::from_secs(30 * 60)).await;
    let hold: Value = shop.reserve(1, "ann").await.json();
    assert_eq!(hold["reservation"]["expiresAt"], "2026-01-01T12:30:00.500Z");
}

#[tokio::test]
async fn prices_are_exact() {
    let shop = shop();
    for (price, expected) in [
        ("149.99", "149.99"),
        ("\"149.99\"", "149.99"),
        ("0.1", "0.1"),
        ("150.00", "150.00"),
        ("9007199254740993e-6", "9007199254.740993"),
        ("0", "0"),
    ] {
        let body = format!("{{\"name\":\"x\",\"price\":{price},\"totalStock\":1}}");
        let request = shop.post_text("/api/drops", "application/json", body.as_bytes());
        let response = admin(request).await;
        if expected.ends_with("740993") {
            refused(&response, 400, "VALIDATION_ERROR");
        } else {
            assert_eq!(response.json::<Value>()["price"], expected, "{price}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_created() {
    let shop = shop();
    let required = "name, price, and totalStock are required";
    for body in [
        json!({}),
        json!({"price": 1, "totalStock": 1}),
        json!({"name": "x", "totalStock": 1}),
        json!({"name": "x", "price": 1}),
        json!({"name": "x", "price": 1, "totalStock": null}),
        json!({"name": null, "price": 1, "totalStock": 1}),
        json!({"name": "x", "price": 1, "variants": []}),
    ] {
        let response = admin(shop.post("/api/drops", &body)).await;
        refused_saying(&response, 400, "VALIDATION_ERROR", required);
    }
    let with = |name: &str, value: Value| {
        let mut body = json!({"name": "x", "price": 1, "totalStock": 1});
        body[name] = value;
        body
    };
    for body in [
        with("unknown", json!(1)),
        with("id", json!(1)),
        with("name", json!("")),
        with("name", json!("a\u{0}b")),
        with("name", json!("x".repeat(201))),
        with("name", json!(7)),
        with("price", json!(-1)),
        with("price", json!("1e3")),
        with("price", json!("x")),
        with("price", json!(1e300)),
        with("price", json!(true)),
        with("totalStock", json!(0)),
        with("totalStock", json!(-1)),
        with("totalStock", json!(1.5)),
        with("totalStock", json!(1_000_000_001_i64)),
        with("startsAt", json!("tomorrow")),
        with("startsAt", json!(1_767_268_800)),
        with("startsAt", json!("2026-01-01T12:00:00")),
        with("endsAt", json!("2025-01-01T00:00:00Z")),
        with("endsAt", json!("10000-01-01T00:00:00Z")),
        with("holdSeconds", json!(0)),
        with("holdSeconds", json!(-1)),
        with("holdSeconds", json!(1e300)),
        with("holdSeconds", json!(86_401)),
        with("longestHoldSeconds", json!(0)),
        with("maxPerCustomer", json!(0)),
        with("variants", json!("EU 42")),
        with("variants", json!([{"name": "EU 42"}])),
        with("variants", json!([{"totalStock": 1}])),
        with("variants", json!([{"name": "EU 42", "totalStock": 2}])),
        with("variants", json!([{"name": "EU 42", "totalStock": 1, "colour": "red"}])),
        with("variants", json!([{"name": "a", "totalStock": 0}, {"name": "a", "totalStock": 1}])),
        with(
            "variants",
            json!(
                (0..101)
                    .map(|n| json!({"name": n.to_string(), "totalStock": 1}))
                    .collect::<Vec<_>>()
            ),
        ),
    ] {
        let response = admin(shop.post("/api/drops", &body)).await;
        refused(&response, 400, "VALIDATION_ERROR");
    }
    assert_eq!(shop.get("/api/drops?status=all").await.json::<Value>(), json!({"drops": []}));
}

#[tokio::test]
async fn only_the_seller_may() {
    let shop = shop();
    let id = shop.plain(1).await;
    let drop_path = format!("/api/drops/{id}");
    // Asked before anything is read, so that nobody learns what exists.
    let requests = || {
        [
            shop.post("/api/drops", &json!({})),
            shop.post_text("/api/drops", "text/plain", b"{"),
            shop.patch(&drop_path, &json!({})),
            shop.patch("/api/drops/99", &json!({})),
            shop.delete(&drop_path),
            shop.get(&format!("{drop_path}/reservations")),
            shop.get(&format!("{drop_path}/purchases")),
            shop.get(&format!("{drop_path}/audit")),
            shop.delete("/api/users/ann"),
        ]
    };
    for request in requests() {
        let response = request.await;
        refused(&response, 401, "UNAUTHORIZED");
        assert_eq!(response.header("www-authenticate"), "Bearer");
    }
    for request in requests() {
        refused(&request.add_header("x-api-key", "wrong").await, 401, "UNAUTHORIZED");
    }
    for request in requests() {
        let response = request.add_header("authorization", format!("Basic {KEY}")).await;
        refused(&response, 401, "UNAUTHORIZED");
    }
    let request =
        shop.patch(&drop_path, &json!({})).add_header("authorization", format!("Bearer {KEY}"));
    assert_eq!(request.await.status_code(), 200);
}

#[tokio::test]
async fn deleting_a_drop() {
    let shop = shop();
    let id = shop.plain(3).await;
    let path = format!("/api/drops/{id}");
    shop.hold(id, "ann").await;
    for query in ["", "?force=false", "?force=0"] {
        let response = admin(shop.delete(&format!("{path}{query}"))).await;
        refused(&response, 409, "DROP_HAS_SALES");
    }
    refused(&admin(shop.delete(&format!("{path}?force=maybe"))).await, 400, "VALIDATION_ERROR");
    let response = admin(shop.delete(&format!("{path}?force=true"))).await;
    assert_eq!((response.status_code().as_u16(), response.text().as_str()), (204, ""));
    refused(&admin(shop.delete(&path)).await, 404, "DROP_NOT_FOUND");
    refused(&shop.get(&path).await, 404, "DROP_NOT_FOUND");
    refused(&shop.reserve(id, "ann").await, 404, "DROP_NOT_FOUND");
}

#[tokio::test]
async fn live_holds_and_sales_of_a_drop() {
    let shop = shop();
    let id = shop.plain(9).await;
    shop.buy(id, "buyer").await;
    let [first, second] = [shop.hold(id, "ann").await, shop.hold(id, "bob").await];
    let list: Value = admin(shop.get(&format!("/api/drops/{id}/reservations"))).await.json();
    let holds = list["reservations"].as_array().unwrap();
    assert_eq!(
        holds[0],
        json!({
            "id": second, "dropId": id, "userId": 3, "username": "bob", "status": "active",
            "quantity": 1, "variant": null, "price": "149.99", "createdAt": NOW,
            "updatedAt": NOW, "expiresAt": "2026-01-01T12:01:00.000Z",
        })
    );
    assert_eq!((holds.len(), &holds[1]["id"]), (2, &json!(first)));
    let page = format!("/api/drops/{id}/reservations?limit=1&before={second}");
    let list: Value = admin(shop.get(&page)).await.json();
    assert_eq!(list["reservations"][0]["id"], first);
    let list: Value = admin(shop.get(&format!("/api/drops/{id}/purchases"))).await.json();
    assert_eq!(list["purchases"][0]["user"]["username"], "buyer");
    assert_eq!(list["purchases"].as_array().unwrap().len(), 1);
    for path in [
        "/api/drops/99/reservations",
        "/api/drops/99/purchases",
        "/api/drops/x/purchases",
        "/api/drops/99/audit",
    ] {
        refused(&admin(shop.get(path)).await, 404, "DROP_NOT_FOUND");
    }
    let path = format!("/api/drops/{id}/reservations?before=x");
    refused(&admin(shop.get(&path)).await, 400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn an_audit() {
    let shop = shop();
    let id = shop.plain(3).await;
    shop.buy(id, "ann").await;
    shop.hold(id, "bob").await;
    let audit: Value = admin(shop.get(&format!("/api/drops/{id}/audit"))).await.json();
    assert_eq!(
        audit,
        json!({
            "dropId": id,
            "sound": true,
            "variants": [{
                "name": null, "totalStock": 3, "availableStock": 1, "heldStock": 1,
                "soldCount": 1, "rows": {"held": 1, "completed": 1, "purchased": 1},
            }],
            "version": 4,
            "serverTime": NOW,
        })
    );
}

#[tokio::test]
async fn deleting_a_user() {
    let shop = shop();
    let id = shop.plain(1).await;
    shop.buy(id, "Ann").await;
    refused(&admin(shop.delete("/api/users/nobody")).await, 404, "USER_NOT_FOUND");
    refused(&admin(shop.delete("/api/users/a")).await, 400, "INVALID_USERNAME");
    refused(&admin(shop.delete("/api/users/ann")).await, 409, "USER_HAS_SALES");
    let response = admin(shop.delete("/api/users/ann?force=true")).await;
    assert_eq!(response.status_code(), 204);
    assert_eq!(shop.reserve(id, "bob").await.status_code(), 201);
}
