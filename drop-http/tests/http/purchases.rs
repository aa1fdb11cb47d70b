//! Buying: every row of it, and each refusal.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{NOW, refused, refused_saying, shop};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn purchasing() {
    let shop = shop();
    let id = shop.plain(1).await;
    let hold = shop.hold(id, "Ann").await;
    let response = shop.purchase(hold, "ann").await;
    assert_eq!(response.status_code(), 201);
    let first: Value = response.json();
    assert_eq!(
        first,
        json!({
            "success": true,
            "purchase": {
                "id": hold,
                "dropId": id,
                "userId": 1,
                "reservationId": hold,
                "amountPaid": "149.99",
                "createdAt": NOW,
                "updatedAt": NOW,
                "user": {"username": "Ann"},
                "User": {"username": "Ann"},
                "quantity": 1,
                "variant": null,
            },
            "version": 3,
            "serverTime": NOW,
        })
    );
    shop.advance(MINUTE * 60).await;
    let body = json!({"reservationId": hold.to_string(), "username": "ANN"});
    let again = shop.post("/api/purchases", &body).await;
    assert_eq!(again.status_code(), 200);
    assert_eq!(again.json::<Value>()["purchase"], first["purchase"]);
    assert_eq!(again.json::<Value>()["version"], 3);
    let listed: Value = shop.get("/api/purchases?username=ANN").await.json();
    assert_eq!(listed, json!({"purchases": [first["purchase"]]}));
}

#[tokio::test]
async fn what_cannot_be_purchased() {
    let shop = shop();
    let id = shop.plain(3).await;
    let hold = shop.hold(id, "ann").await;
    let required = "reservationId and username are required";
    for body in [
        json!({}),
        json!({"reservationId": hold}),
        json!({"username": "ann"}),
        json!({"reservationId": 0, "username": "ann"}),
        json!({"reservationId": hold, "username": ""}),
    ] {
        let response = shop.post("/api/purchases", &body).await;
        refused_saying(&response, 400, "VALIDATION_ERROR", required);
    }
    for body in [
        json!({"reservationId": "x", "username": "ann"}),
        json!({"reservationId": 1.5, "username": "ann"}),
        json!({"reservationId": hold, "username": {}}),
    ] {
        refused(&shop.post("/api/purchases", &body).await, 400, "VALIDATION_ERROR");
    }
    refused(&shop.purchase(hold, "a b").await, 400, "INVALID_USERNAME");
    let message = "This reservation belongs to another user";
    refused_saying(&shop.purchase(hold, "bob").await, 403, "UNAUTHORIZED", message);
    for id in [1, hold + 99, hold + (1 << 29), i64::MAX] {
        refused(&shop.purchase(id, "ann").await, 410, "RESERVATION_NOT_FOUND");
    }
    let released = shop.hold(id, "cat").await;
    shop.delete(&format!("/api/reservations/{released}?username=cat")).await;
    refused(&shop.purchase(released, "cat").await, 410, "RESERVATION_EXPIRED");
    shop.advance(MINUTE).await;
    let message = "Your reservation has expired";
    refused_saying(&shop.purchase(hold, "ann").await, 410, "RESERVATION_EXPIRED", message);
}

#[tokio::test]
async fn the_list_of_purchases() {
    let shop = shop();
    let id = shop.plain(9).await;
    let nobody: Value = shop.get("/api/purchases?username=nobody").await.json();
    assert_eq!(nobody, json!({"purchases": []}));
    for _ in 0..3 {
        shop.buy(id, "ann").await;
    }
    shop.buy(id, "bob").await;
    let numbers = |query: &'static str| {
        let request = shop.get(&format!("/api/purchases?username=ann{query}"));
        async move {
            let list: Value = request.await.json();
            let each = list["purchases"].as_array().unwrap().clone();
            each.iter().map(|one| one["id"].as_i64().unwrap() & 0xff).collect::<Vec<_>>()
        }
    };
    assert_eq!(numbers("").await, [3, 2, 1]);
    assert_eq!(numbers("&limit=1").await, [3]);
    assert_eq!(numbers("&before=536870915&limit=5").await, [2, 1]);
    refused(&shop.get("/api/purchases").await, 400, "VALIDATION_ERROR");
    refused(&shop.get("/api/purchases?username=").await, 400, "VALIDATION_ERROR");
    refused(&shop.get("/api/purchases?username=a").await, 400, "INVALID_USERNAME");
    refused(&shop.get("/api/purchases?username=ann&limit=0").await, 400, "VALIDATION_ERROR");
}
