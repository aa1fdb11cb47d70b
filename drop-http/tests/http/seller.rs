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
async fn amending_a_drop() {
    let shop = shop();
    let id = shop.plain(3).await;
    let hold = shop.hold(id, "ann").await;
    let path = format!("/api/drops/{id}");
    let body = json!({
        "name": "Air Two", "price": "99.50", "totalStock": 5, "startsAt": "2025-12-31T00:00:00Z",
        "endsAt": "2026-06-01T00:00:00Z", "maxPerCustomer": 4,
    });
    let response = admin(shop.patch(&path, &body)).await;
    assert_eq!(response.status_code(), 200, "{}", response.text());
    let amended: Value = response.json();
    for (member, value) in [
        ("name", json!("Air Two")),
        ("price", json!("99.50")),
        ("totalStock", json!(5)),
        ("availableStock", json!(4)),
        ("startsAt", json!("2025-12-31T00:00:00.000Z")),
        ("endsAt", json!("2026-06-01T00:00:00.000Z")),
        ("maxPerCustomer", json!(4)),
        ("version", json!(3)),
        ("serverTime", json!(NOW)),
    ] {
        assert_eq!(amended[member], value, "{member}");
    }
    // What was held is paid at the price of the hold.
    let paid = shop.purchase(hold, "ann").await.json::<Value>()["purchase"]["amountPaid"].clone();
    assert_eq!(paid, "149.99");
    let body = json!({"endsAt": null, "maxPerCustomer": null, "name": null, "price": null});
    let amended: Value = admin(shop.patch(&path, &body)).await.json();
    assert_eq!((&amended["endsAt"], &amended["maxPerCustomer"]), (&Value::Null, &Value::Null));
    assert_eq!((&amended["name"], &amended["price"]), (&json!("Air Two"), &json!("99.50")));
    shop.hold(id, "bob").await;
    let response = admin(shop.patch(&path, &json!({"totalStock": 1}))).await;
    refused(&response, 409, "STOCK_BELOW_COMMITTED");
    for body in [
        json!({"totalStock": 0}),
        json!({"unknown": 1}),
        json!({"holdSeconds": 5}),
        json!({"price": "x"}),
        json!({"endsAt": "2025-01-01T00:00:00Z"}),
        json!({"maxPerCustomer": 0}),
        json!({"variants": [{"name": "EU 42", "totalStock": 1}]}),
    ] {
        let response = admin(shop.patch(&path, &body)).await;
        assert!(
            [400, 409].contains(&response.status_code().as_u16()),
            "{body}: {}",
            response.text()
        );
    }
    refused(
        &admin(shop.patch("/api/drops/99", &json!({"name": "x"}))).await,
        404,
        "DROP_NOT_FOUND",
    );
    refused(&admin(shop.patch("/api/drops/x", &json!({"name": "x"}))).await, 404, "DROP_NOT_FOUND");
}

#[tokio::test]
async fn variants_are_amended_by_name() {
    let shop = shop();
    let sizes = json!([{"name": "EU 42", "totalStock": 2}, {"name": "EU 43", "totalStock": 1}]);
    let created =
        shop.create(json!({"name": "Sizes", "price": 1, "totalStock": 3, "variants": sizes})).await;
    let path = format!("/api/drops/{}", created["id"]);
    let sizes = json!([{"name": "EU 43", "totalStock": 4}, {"name": "EU 44", "totalStock": 5}]);
    let amended: Value = admin(shop.patch(&path, &json!({"variants": sizes}))).await.json();
    let each = amended["variants"].as_array().unwrap();
    let each: Vec<_> = each.iter().map(|size| (&size["name"], &size["totalStock"])).collect();
    let expected = [("EU 42", 2), ("EU 43", 4), ("EU 44", 5)].map(|(n, t)| (json!(n), json!(t)));
    assert_eq!(each, expected.iter().map(|(n, t)| (n, t)).collect::<Vec<_>>());
    // A name that came later is known where a reservation is shown.
    let body = json!({"dropId": created["id"], "username": "ann", "variant": "EU 44"});
    let held: Value = shop.post("/api/reservations", &body).await.json();
    assert_eq!(held["reservation"]["variant"], "EU 44");
}

#[tokio::test]
async fn amending_what_one_has_read() {
    let shop = shop();
    let id = shop.plain(3).await;
    let path = format!("/api/drops/{id}");
    let tag = shop.get(&path).await.header("etag");
    let tag = tag.to_str().unwrap().to_owned();
    let prices = std::cell::Cell::new(1);
    let amend = |tag: &str| {
        // Another price each time: an amendment that changes nothing makes no version.
        prices.set(prices.get() + 1);
        let body = json!({"price": prices.get()});
        admin(shop.patch(&path, &body)).add_header("if-match", tag)
    };
    let response = amend(&tag).await;
    assert_eq!(response.status_code(), 200, "{tag}");
    refused(&amend(&tag).await, 412, "PRECONDITION_FAILED");
    let next = response.header("etag");
    assert_eq!(amend(next.to_str().unwrap()).await.status_code(), 200);
    for tag in ["\"3\"", "W/\"4\"", "5", "*"] {
        assert_eq!(amend(tag).await.status_code(), 200, "{tag}");
    }
    for tag in ["\"1\"", "\"nonsense\""] {
        refused(&amend(tag).await, 412, "PRECONDITION_FAILED");
    }
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
