//! What the seller changes of a drop that is there.

use serde_json::{Value, json};

use crate::support::{NOW, admin, refused, shop};

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
