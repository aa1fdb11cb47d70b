//! What operators see at `/metrics`.

use crate::support::{shop, soon};
use crate::ws::Socket;

#[tokio::test]
async fn requests_sockets_and_events_are_counted() {
    let shop = shop();
    let mut socket = Socket::open(&shop, "/ws").await;
    socket.event("snapshot").await;
    let id = shop.plain(1).await;
    shop.hold(id, "ann").await;
    shop.reserve(id, "bob").await;
    shop.get("/api/drops/1").await;
    shop.get("/api/drops/2").await;
    shop.get("/nothing/evil-label").await;
    shop.method("EVIL", "/api/drops").await;
    shop.get("/api/drops?username=evil-label").await;
    socket.event("dropChanged").await;
    socket.event("stockUpdated").await;
    let response = shop.get("/metrics").await;
    assert_eq!(response.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = response.text();
    for line in [
        r#"drop_http_requests_total{method="POST",route="/api/reservations",status="201",outcome="OK"} 1"#,
        r#"drop_http_requests_total{method="POST",route="/api/reservations",status="409",outcome="OUT_OF_STOCK"} 1"#,
        r#"drop_http_requests_total{method="GET",route="/api/drops/{id}",status="200",outcome="OK"} 1"#,
        r#"drop_http_requests_total{method="GET",route="/api/drops/{id}",status="404",outcome="DROP_NOT_FOUND"} 1"#,
        r#"drop_http_requests_total{method="GET",route="none",status="404",outcome="NOT_FOUND"} 1"#,
        r#"drop_http_requests_total{method="other",route="/api/drops",status="405",outcome="METHOD_NOT_ALLOWED"} 1"#,
        r#"drop_http_request_duration_seconds_count{method="POST",route="/api/reservations"} 2"#,
        r#"drop_http_sockets{transport="websocket"} 1"#,
        r#"drop_http_events_total{event="dropChanged"} 1"#,
        r#"drop_http_events_total{event="stockUpdated"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.to_ascii_lowercase().contains("evil"), "{text}");
    socket.0.close(None).await.unwrap();
    let gone = async {
        while !shop
            .get("/metrics")
            .await
            .text()
            .contains("drop_http_sockets{transport=\"websocket\"} 0")
        {
            tokio::task::yield_now().await;
        }
    };
    soon(gone).await;
}

#[tokio::test]
async fn two_routers_count_apart() {
    let [one, other] = [shop(), shop()];
    one.get("/api/drops").await;
    assert!(one.get("/metrics").await.text().contains("/api/drops"));
    assert!(!other.get("/metrics").await.text().contains("/api/drops"));
}
