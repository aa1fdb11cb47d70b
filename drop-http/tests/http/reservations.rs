//! What shoppers hold: every row of theirs, and each refusal.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{NOW, admin, refused, refused_saying, shop};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn reserving() {
    let shop = shop();
    let id = shop.plain(2).await;
    let response = shop.reserve(id, " Ann ").await;
    assert_eq!(response.status_code(), 201);
    let reservation = id * (1 << 29) + 1;
    let first: Value = response.json();
    assert_eq!(
        first,
        json!({
            "success": true,
            "reservation": {
                "id": reservation,
                "dropId": id,
                "userId": 1,
                "status": "active",
                "expiresAt": "2026-01-01T12:01:00.000Z",
                "createdAt": NOW,
                "updatedAt": NOW,
                "quantity": 1,
                "variant": null,
                "price": "149.99",
            },
            "version": 2,
            "serverTime": NOW,
        })
    );
    shop.advance(Duration::from_secs(10)).await;
    // The same again is the same hold, with a fresh deadline; ids may be strings.
    let body = json!({"dropId": id.to_string(), "username": "ANN", "unknown": {"deep": [1]}});
    let again = shop.post("/api/reservations", &body).await;
    assert_eq!(again.status_code(), 201);
    let again: Value = again.json();
    assert_eq!(again["extended"], true);
    assert_eq!(again["reservation"]["id"], reservation);
    assert_eq!(again["reservation"]["expiresAt"], "2026-01-01T12:01:10.000Z");
    assert_eq!(again["serverTime"], "2026-01-01T12:00:10.000Z");
    assert_eq!(again["version"], 3);
}

#[tokio::test]
async fn what_cannot_be_reserved() {
    let shop = shop();
    let id = shop.plain(1).await;
    let limited = shop
        .create(json!({"name": "Two", "price": 1, "totalStock": 9, "maxPerCustomer": 2}))
        .await["id"]
        .as_i64()
        .unwrap();
    let upcoming = shop
        .create(json!({"name": "Later", "price": 1, "totalStock": 9, "startsAt": "2027-01-01T00:00:00Z"}))
        .await["id"]
        .as_i64()
        .unwrap();
    let required = "dropId and username are required";
    for body in [
        json!({}),
        json!({"dropId": id}),
        json!({"username": "ann"}),
        json!({"dropId": null, "username": "ann"}),
        json!({"dropId": id, "username": null}),
        json!({"dropId": id, "username": ""}),
        json!({"dropId": 0, "username": "ann"}),
    ] {
        let response = shop.post("/api/reservations", &body).await;
        refused_saying(&response, 400, "VALIDATION_ERROR", required);
    }
    for body in [
        json!({"dropId": "x", "username": "ann"}),
        json!({"dropId": 1.5, "username": "ann"}),
        json!({"dropId": -1, "username": "ann"}),
        json!({"dropId": true, "username": "ann"}),
        json!({"dropId": [1], "username": "ann"}),
        json!({"dropId": id, "username": 7}),
        json!({"dropId": id, "username": ["ann"]}),
        json!({"dropId": id, "username": "ann", "quantity": 0}),
        json!({"dropId": id, "username": "ann", "quantity": -1}),
        json!({"dropId": id, "username": "ann", "quantity": 1.5}),
        json!({"dropId": id, "username": "ann", "quantity": "x"}),
        json!({"dropId": id, "username": "ann", "quantity": 1_000_000_001_i64}),
        json!({"dropId": id, "username": "ann", "variant": "EU 42"}),
        json!({"dropId": id, "username": "ann", "variant": ""}),
        json!({"dropId": id, "username": "ann", "variant": 42}),
    ] {
        refused(&shop.post("/api/reservations", &body).await, 400, "VALIDATION_ERROR");
    }
    let message = "Username must be 3-50 alphanumeric characters";
    for name in [
        "ab",
        " a ",
        "a b",
        "a-b",
        "a\u{0}b",
        "änn",
        "ann\u{200b}",
        "\u{202e}ann",
        "a'; DROP TABLE users;--",
    ] {
        refused_saying(&shop.reserve(id, name).await, 400, "INVALID_USERNAME", message);
    }
    for id in [99, 16_777_216, i64::MAX] {
        refused(&shop.reserve(id, "ann").await, 404, "DROP_NOT_FOUND");
    }
    let message = "This drop is not currently active";
    refused_saying(&shop.reserve(upcoming, "ann").await, 400, "DROP_NOT_ACTIVE", message);
    let two = json!({"dropId": limited, "username": "ann", "quantity": 3});
    refused(&shop.post("/api/reservations", &two).await, 409, "LIMIT_REACHED");
    shop.hold(limited, "ann").await;
    let two = json!({"dropId": limited, "username": "ann", "quantity": 2});
    refused(&shop.post("/api/reservations", &two).await, 409, "ALREADY_HOLDING");
    let two = json!({"dropId": id, "username": "ann", "quantity": 2});
    refused_saying(
        &shop.post("/api/reservations", &two).await,
        409,
        "OUT_OF_STOCK",
        "This item is sold out",
    );
    shop.hold(id, "ann").await;
    refused_saying(&shop.reserve(id, "bob").await, 409, "OUT_OF_STOCK", "This item is sold out");
}

#[tokio::test]
async fn variants_are_reserved_by_name() {
    let shop = shop();
    let sizes = json!([{"name": "EU 42", "totalStock": 2}, {"name": "EU 43", "totalStock": 1}]);
    let created = shop.create(json!({"name": "Sizes", "price": "10.50", "variants": sizes})).await;
    assert_eq!(created["totalStock"], 3);
    let id = created["id"].as_i64().unwrap();
    refused(&shop.reserve(id, "ann").await, 400, "VALIDATION_ERROR");
    let body = json!({"dropId": id, "username": "ann", "variant": "EU 42", "quantity": "2"});
    let response = shop.post("/api/reservations", &body).await;
    assert_eq!(response.status_code(), 201);
    let reservation = response.json::<Value>()["reservation"].clone();
    assert_eq!((&reservation["variant"], &reservation["quantity"]), (&json!("EU 42"), &json!(2)));
    assert_eq!(reservation["price"], "10.50");
    let bought = shop.purchase(reservation["id"].as_i64().unwrap(), "ann").await;
    let purchase = bought.json::<Value>()["purchase"].clone();
    assert_eq!((&purchase["variant"], &purchase["amountPaid"]), (&json!("EU 42"), &json!("21.00")));
    let listed: Value = shop.get("/api/purchases?username=ann").await.json();
    assert_eq!(listed, json!({"purchases": [purchase]}));
    let one: Value = shop.get(&format!("/api/drops/{id}")).await.json();
    let sold: Vec<_> =
        one["variants"].as_array().unwrap().iter().map(|size| &size["soldCount"]).collect();
    assert_eq!(sold, [2, 0]);
}

#[tokio::test]
async fn reading_a_reservation() {
    let shop = shop();
    let id = shop.plain(5).await;
    let [lapsing, released] = [shop.hold(id, "ann").await, shop.hold(id, "bob").await];
    let response = shop.get(&format!("/api/reservations/{lapsing}")).await;
    assert_eq!(
        response.json::<Value>(),
        json!({
            "id": lapsing,
            "dropId": id,
            "status": "active",
            "expiresAt": "2026-01-01T12:01:00.000Z",
            "userId": 1,
        })
    );
    shop.delete(&format!("/api/reservations/{released}?username=bob")).await;
    refused(&shop.get(&format!("/api/reservations/{released}")).await, 410, "EXPIRED");
    shop.advance(MINUTE - Duration::from_micros(1)).await;
    assert_eq!(shop.get(&format!("/api/reservations/{lapsing}")).await.status_code(), 200);
    shop.advance(Duration::from_micros(1)).await;
    let response = shop.get(&format!("/api/reservations/{lapsing}")).await;
    refused_saying(&response, 410, "EXPIRED", "Your reservation has expired");
    let bought = shop.hold(id, "cat").await;
    shop.purchase(bought, "cat").await;
    refused(&shop.get(&format!("/api/reservations/{bought}")).await, 410, "EXPIRED");
    for id in ["1", "x", "-1", "99999999999999999999", &(lapsing + 99).to_string()] {
        refused(&shop.get(&format!("/api/reservations/{id}")).await, 404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn giving_a_reservation_back() {
    let shop = shop();
    let id = shop.plain(1).await;
    let hold = shop.hold(id, "ann").await;
    let path = format!("/api/reservations/{hold}");
    refused(&shop.delete(&path).await, 400, "VALIDATION_ERROR");
    refused(&shop.delete(&path).add_header("x-api-key", "wrong").await, 401, "UNAUTHORIZED");
    refused(&shop.delete(&format!("{path}?username=a")).await, 400, "INVALID_USERNAME");
    let response = shop.delete(&format!("{path}?username=eve")).await;
    refused_saying(&response, 403, "UNAUTHORIZED", "This reservation belongs to another user");
    refused(&shop.delete("/api/reservations/7?username=ann").await, 404, "NOT_FOUND");
    for version in [3, 3] {
        let response = shop.delete(&format!("{path}?username=ann")).await;
        let body = json!({"success": true, "version": version, "serverTime": NOW});
        assert_eq!((response.status_code().as_u16(), response.json::<Value>()), (200, body));
    }
    // The seller gives back anybody's.
    let hold = shop.hold(id, "bob").await;
    let response = admin(shop.delete(&format!("/api/reservations/{hold}"))).await;
    assert_eq!(response.status_code(), 200);
    let bought = shop.hold(id, "cat").await;
    shop.purchase(bought, "cat").await;
    let response = shop.delete(&format!("/api/reservations/{bought}?username=cat")).await;
    refused(&response, 409, "ALREADY_PURCHASED");
}
