//! HTTP itself: what is not a route, not a method, not JSON; tags, headers, origins, limits.

use std::num::NonZeroU32;

use serde_json::{Value, json};

use crate::support::{admin, refused, refused_saying, shop, shop_with};

#[tokio::test]
async fn what_is_no_route_and_no_method() {
    let shop = shop();
    for path in [
        "/",
        "/api",
        "/api/",
        "/api/nothing",
        "/api/drops/1/2",
        "/api/drops/",
        "//api/drops",
        "/api/%2e%2e/x",
    ] {
        refused(&shop.get(path).await, 404, "NOT_FOUND");
    }
    for (method, path, allow) in [
        ("PUT", "/api/drops", "GET,HEAD,POST"),
        ("POST", "/api/drops/1", "GET,HEAD,PATCH,DELETE"),
        ("GET", "/api/reservations", "POST"),
        ("PATCH", "/api/reservations/1", "GET,HEAD,DELETE"),
        ("DELETE", "/api/purchases", "GET,HEAD,POST"),
        ("POST", "/ws", "GET,HEAD"),
        ("POST", "/api/events", "GET,HEAD"),
        ("POST", "/api/health", "GET,HEAD"),
        ("BREW", "/api/drops", "GET,HEAD,POST"),
        ("OPTIONS", "/api/purchases", "GET,HEAD,POST"),
    ] {
        let response = shop.method(method, path).await;
        refused(&response, 405, "METHOD_NOT_ALLOWED");
        let mut found: Vec<_> =
            response.header("allow").to_str().unwrap().split(',').map(str::to_owned).collect();
        let mut expected: Vec<_> = allow.split(',').collect();
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{method} {path}");
    }
    let head = shop.method("HEAD", "/api/drops").await;
    assert_eq!((head.status_code().as_u16(), head.text().as_str()), (200, ""));
}

#[tokio::test]
async fn bodies_that_are_no_json_object() {
    let shop = shop();
    let id = shop.plain(1).await;
    let deep = format!("{}{}", "[".repeat(8000), "]".repeat(8000));
    let deep_field = format!("{{\"dropId\":1,\"username\":{deep}}}");
    let huge = format!("{{\"dropId\":{},\"username\":\"ann\"}}", "9".repeat(5000));
    let table: Vec<&[u8]> = vec![
        b"",
        b" ",
        b"null",
        b"1",
        b"\"ann\"",
        b"[1,\"ann\"]",
        b"[]",
        b"{",
        b"{\"dropId\":1",
        b"{\"dropId\":1,\"username\":\"ann\"}x",
        b"{\"dropId\":1,\"username\":\"ann\"}{}",
        b"{\"dropId\":1,\"username\":\"\xff\xfe\"}",
        b"{\"dropId\":1,\"username\":\"\\ud800\"}",
        b"{\"dropId\":1,\"username\":\"\\udc00\\ud800\"}",
        b"{\"dropId\":1,\"username\":\"a\\u0000nn\"}",
        b"{\"dropId\":1,\"username\":\"a\0nn\"}",
        b"{\"dropId\":NaN,\"username\":\"ann\"}",
        b"{\"dropId\":1e400,\"username\":\"ann\"}",
        b"{\"dropId\":1e3,\"username\":\"ann\"}",
        b"{\"dropId\":0x1,\"username\":\"ann\"}",
        b"{\"dropId\":01,\"username\":\"ann\"}",
        b"{\"dropId\":1,\"dropId\":1,\"username\":\"ann\"}",
        b"{'dropId':1,'username':'ann'}",
        b"{\"dropId\":1,\"username\":\"ann\",}",
        b"\xef\xbb\xbf{\"dropId\":1,\"username\":\"ann\"}",
        b"dropId=1&username=ann",
        deep.as_bytes(),
        deep_field.as_bytes(),
        huge.as_bytes(),
    ];
    for body in table {
        for path in ["/api/reservations", "/api/purchases", "/api/drops"] {
            let request = admin(shop.post_text(path, "application/json", body));
            let response = request.await;
            let text = response.text();
            assert_eq!(
                response.status_code(),
                400,
                "{path}: {}: {text}",
                String::from_utf8_lossy(body)
            );
            assert_eq!(response.header("content-type"), "application/problem+json");
            assert!(text.len() < 4096, "{text}");
        }
    }
    let one: Value = shop.get(&format!("/api/drops/{id}")).await.json();
    assert_eq!(one["version"], 1);
}

#[tokio::test]
async fn bodies_of_another_kind_or_too_large() {
    let shop = shop();
    shop.plain(5).await;
    let body = br#"{"dropId":1,"username":"ann"}"#;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "json",
        "text/json",
        "application/octet-stream",
    ] {
        let response = shop.post_text("/api/reservations", kind, body).await;
        refused(&response, 415, "UNSUPPORTED_MEDIA_TYPE");
    }
    refused(&shop.method("POST", "/api/reservations").await, 415, "UNSUPPORTED_MEDIA_TYPE");
    for kind in ["application/json; charset=utf-8", "APPLICATION/JSON", "application/ld+json"] {
        assert_eq!(
            shop.post_text("/api/reservations", kind, body).await.status_code(),
            201,
            "{kind}"
        );
    }
    let large = |bytes: usize| {
        let rest = r#"{"dropId":1,"username":"bob","x":""}"#.len();
        format!(r#"{{"dropId":1,"username":"bob","x":"{}"}}"#, "x".repeat(bytes - rest))
    };
    let fits = large(16 * 1024);
    assert_eq!(
        shop.post_text("/api/reservations", "application/json", fits.as_bytes())
            .await
            .status_code(),
        201
    );
    let above = large(16 * 1024 + 1);
    let response = shop.post_text("/api/reservations", "application/json", above.as_bytes()).await;
    refused(&response, 413, "PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn tags() {
    let shop = shop();
    let id = shop.plain(2).await;
    for path in ["/api/drops".to_owned(), format!("/api/drops/{id}")] {
        let response = shop.get(&path).await;
        let tag = response.header("etag");
        assert!(tag.to_str().unwrap().starts_with('"'), "strong: {tag:?}");
        assert_eq!(response.header("cache-control"), "no-cache");
        assert_eq!(shop.get(&path).await.header("etag"), tag);
        let tag_text = tag.to_str().unwrap().to_owned();
        for condition in [
            tag_text.clone(),
            format!("W/{tag_text}"),
            format!("\"x\", {tag_text}"),
            "*".to_owned(),
        ] {
            let same = shop.get(&path).add_header("if-none-match", condition.clone()).await;
            assert_eq!(
                (same.status_code().as_u16(), same.text().as_str()),
                (304, ""),
                "{condition}"
            );
            assert_eq!(same.header("etag"), tag);
        }
        assert_eq!(shop.get(&path).add_header("if-none-match", "\"x\"").await.status_code(), 200);
        shop.hold(id, if path.ends_with("drops") { "ann" } else { "bob" }).await;
        let changed = shop.get(&path).add_header("if-none-match", tag_text).await;
        assert_eq!(changed.status_code(), 200);
        assert_ne!(changed.header("etag"), tag);
    }
    let own = shop.get("/api/drops?username=ann").await;
    assert_eq!(own.header("cache-control"), "private, no-cache");
}

#[tokio::test]
async fn headers_of_an_api() {
    let shop = shop();
    for response in [shop.get("/api/health").await, shop.get("/nothing").await] {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ] {
            assert_eq!(response.header(name), value, "{name}");
        }
        assert!(response.maybe_header("access-control-allow-origin").is_none());
    }
}

#[tokio::test]
async fn other_origins() {
    let mine = "https://shop.example";
    let some = shop_with(|builder| builder.cors("https://shop.example".parse().unwrap()));
    let preflight = |shop: &crate::support::Shop, origin: &str| {
        shop.method("OPTIONS", "/api/drops")
            .add_header("origin", origin)
            .add_header("access-control-request-method", "POST")
            .add_header("access-control-request-headers", "content-type,x-api-key")
    };
    let response = preflight(&some, mine).await;
    assert_eq!(response.status_code(), 200);
    assert_eq!(response.header("access-control-allow-origin"), mine);
    assert!(
        response.header("access-control-allow-headers").to_str().unwrap().contains("x-api-key")
    );
    let response = preflight(&some, "https://evil.example").await;
    assert!(response.maybe_header("access-control-allow-origin").is_none());
    // Refusals are readable too, or a page could not show them.
    let refusal = some.get("/api/drops/9").add_header("origin", mine).await;
    refused(&refusal, 404, "DROP_NOT_FOUND");
    assert_eq!(refusal.header("access-control-allow-origin"), mine);
    let all = shop_with(|builder| builder.cors("*".parse().unwrap()));
    let response = all.get("/api/health").add_header("origin", "https://any.example").await;
    assert_eq!(response.header("access-control-allow-origin"), "*");
    assert!(response.maybe_header("access-control-allow-credentials").is_none());
    for text in [
        "shop.example",
        "https://",
        "https://a/b",
        "https://a/",
        "ftp://a",
        "null",
        "https://a?b",
        "a, *",
    ] {
        assert!(text.parse::<drop_http::Cors>().is_err(), "{text}");
    }
}

#[tokio::test]
async fn too_many_requests() {
    let shop = shop_with(|builder| {
        builder
            .reserves_per_minute(NonZeroU32::new(2))
            .purchases_per_minute(NonZeroU32::new(1))
            .trusted_proxies(1)
    });
    let id = shop.plain(9).await;
    let body = json!({"dropId": id, "username": "ann"});
    let reserve = |address: &'static str| {
        shop.post("/api/reservations", &body).add_header("x-forwarded-for", address)
    };
    let first = reserve("1.1.1.1").await;
    assert_eq!(first.status_code(), 201);
    assert_eq!(first.header("ratelimit-limit"), "2");
    assert_eq!(first.header("ratelimit-remaining"), "1");
    // What is refused counts as well, and what a client writes into the header does not.
    assert_eq!(reserve("9.9.9.9, 1.1.1.1").await.status_code(), 201);
    let third = reserve("1.1.1.1").await;
    refused_saying(&third, 429, "RATE_LIMIT", "Too many requests. Please try again later.");
    let wait: u64 = third.header("retry-after").to_str().unwrap().parse().unwrap();
    assert!((1..=31).contains(&wait), "{wait}");
    assert_eq!(third.header("ratelimit-remaining"), "0");
    assert_eq!(reserve("2.2.2.2").await.status_code(), 201);
    // Purchases are counted apart, and reading is not counted.
    let purchase =
        || shop.post("/api/purchases", &json!({})).add_header("x-forwarded-for", "1.1.1.1");
    refused(&purchase().await, 400, "VALIDATION_ERROR");
    refused(&purchase().await, 429, "RATE_LIMIT");
    for _ in 0..5 {
        let response =
            shop.get("/api/purchases?username=ann").add_header("x-forwarded-for", "1.1.1.1").await;
        assert_eq!(response.status_code(), 200);
    }
}
