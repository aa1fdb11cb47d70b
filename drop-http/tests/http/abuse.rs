//! Whatever is sent, the answer is a clean refusal, and nothing is sold twice.

use std::time::Duration;

use futures::future::join_all;
use proptest::prelude::{Strategy, any, prop, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{shop, shop_with, soon};

/// Bodies that are nearly right: each part drawn from what has hurt somebody before.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let odd = prop::sample::select(vec![
        "1",
        "0",
        "-1",
        "1.5",
        "1e3",
        "1e400",
        "-1e-400",
        "9007199254740993",
        "99999999999999999999",
        "null",
        "true",
        "\"\"",
        "\"1\"",
        "\"ann\"",
        "\"a\\u0000b\"",
        "\"\\ud800\"",
        "\"\\udbff\\udfff\"",
        "\"' OR 1=1 --\"",
        "\"\u{202e}ann\"",
        "\"\u{200b}\"",
        "[]",
        "[1]",
        "{}",
        "{\"a\":{}}",
        "NaN",
        "Infinity",
        "undefined",
        "\"x\"\"y\"",
        "\"149.99\"",
        "149.99",
        "\"2026-01-01T00:00:00Z\"",
        "[{\"name\":\"a\",\"totalStock\":1}]",
        "[{\"name\":null}]",
        "[[\"a\",1]]",
    ]);
    let name = prop::sample::select(vec![
        "dropId",
        "username",
        "reservationId",
        "variant",
        "quantity",
        "name",
        "price",
        "totalStock",
        "startsAt",
        "endsAt",
        "holdSeconds",
        "longestHoldSeconds",
        "maxPerCustomer",
        "variants",
        "__proto__",
        "",
    ]);
    let member = (name, odd).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    let object = prop::collection::vec(member, 0..6)
        .prop_map(|members| format!("{{{}}}", members.join(",")).into_bytes());
    prop_oneof![4 => object, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

#[test]
fn no_body_is_a_fault() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let shop = runtime.block_on(async {
        let shop = shop();
        shop.plain(1_000_000).await;
        shop
    });
    let mut runner =
        TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let checked = runner.run(&bodies(), |body| {
        runtime.block_on(async {
            for path in ["/api/reservations", "/api/purchases", "/api/drops"] {
                let request = shop.post_text(path, "application/json", &body);
                let response = crate::support::admin(request).await;
                let status = response.status_code().as_u16();
                let text = response.text();
                assert!(status < 500, "{path}: {status}: {text}");
                let answer: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(status < 300, answer.get("error").is_none(), "{text}");
            }
            let request = shop.method("PATCH", "/api/drops/1").content_type("application/json");
            let response = crate::support::admin(request.bytes(body.clone().into())).await;
            assert!(response.status_code().as_u16() < 500, "{}", response.text());
        });
        Ok(())
    });
    checked.unwrap();
}

#[tokio::test]
async fn odd_queries_and_paths_are_no_fault() {
    let shop = shop();
    shop.plain(1).await;
    let odd = [
        "%00",
        "%ff",
        "%F0%9F%91%9F",
        "..%2f..",
        "'%20OR%201=1",
        "%E2%80%AE",
        "a%0d%0ab",
        "1e400",
        "%25",
        "%",
    ];
    for text in odd {
        for path in [
            format!("/api/drops?username={text}"),
            format!("/api/drops?limit={text}"),
            format!("/api/drops?after={text}"),
            format!("/api/drops?status={text}"),
            format!("/api/drops/{text}"),
            format!("/api/reservations/{text}"),
            format!("/api/purchases?username={text}"),
            format!("/api/events?drops={text},"),
        ] {
            let status = raw(&shop, "GET", &path, "", b"").await;
            assert!((200..500).contains(&status), "{path}: {status}");
        }
        let path = format!("/api/users/{text}");
        let key = format!("x-api-key: {}\r\n", crate::support::KEY);
        let status = raw(&shop, "DELETE", &path, &key, b"").await;
        assert!([400, 404].contains(&status), "{path}: {status}");
    }
}

/// A request in raw HTTP; the status of its answer.
async fn raw(
    shop: &crate::support::Shop,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> u16 {
    let mut stream = TcpStream::connect(shop.address().await).await.unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    status(&mut stream).await
}

async fn status(stream: &mut TcpStream) -> u16 {
    let mut head = [0_u8; 12];
    soon(stream.read_exact(&mut head)).await.unwrap();
    std::str::from_utf8(&head[9..]).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_body_that_is_announced_too_large_or_never_comes() {
    let shop = shop_with(|builder| builder.request_timeout(Duration::from_millis(400)));
    shop.plain(1).await;
    let json = "Content-Type: application/json\r\n";
    let large = format!("{json}Content-Length: {}\r\n", 64 << 20);
    assert_eq!(raw(&shop, "POST", "/api/reservations", &large, &[b' '; 20_000]).await, 413);
    let chunked = format!("{json}Transfer-Encoding: chunked\r\n");
    let mut chunks = Vec::new();
    for _ in 0..20 {
        chunks.extend_from_slice(b"400\r\n");
        chunks.extend_from_slice(&[b' '; 1024]);
        chunks.extend_from_slice(b"\r\n");
    }
    assert_eq!(raw(&shop, "POST", "/api/reservations", &chunked, &chunks).await, 413);
    let never = format!("{json}Content-Length: 100\r\n");
    assert_eq!(raw(&shop, "POST", "/api/reservations", &never, b"{\"dropId\":1").await, 408);
}

#[tokio::test]
async fn of_a_crowd_for_one_unit_one_gets_it() {
    let shop = shop();
    let id = shop.plain(1).await;
    let crowd = (0..300).map(|n| {
        let shop = &shop;
        async move {
            let response = shop.reserve(id, &format!("user{n}")).await;
            (response.status_code().as_u16(), response.json::<Value>()["error"].clone())
        }
    });
    let mut answers = join_all(crowd).await;
    answers.sort_by_key(|answer| answer.0);
    assert_eq!(answers[0], (201, Value::Null));
    assert!(answers[1..].iter().all(|answer| *answer == (409, json!("OUT_OF_STOCK"))));
}
