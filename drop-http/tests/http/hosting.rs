//! Inside a host's own app.

use axum::Router;
use axum::routing::get;
use axum_test::TestServer;
use serde_json::{Value, json};

use crate::support::{KEY, Shop, refused, shop};

async fn works_under(shop: &Shop, app: Router, prefix: &str) {
    let server = TestServer::new(app);
    server.get(&format!("{prefix}/mine")).await.assert_text("mine");
    let body = json!({"name": "x", "price": 1, "totalStock": 1});
    let request =
        server.post(&format!("{prefix}/api/drops")).json(&body).add_header("x-api-key", KEY);
    let created: Value = request.await.json();
    let id = created["id"].as_i64().unwrap();
    let one = server.get(&format!("{prefix}/api/drops/{id}")).await;
    assert_eq!(one.json::<Value>()["id"], id);
    let deleted =
        server.delete(&format!("{prefix}/api/drops/{id}")).add_header("x-api-key", KEY).await;
    assert_eq!(deleted.status_code(), 204);
    refused(&server.get(&format!("{prefix}/api/nothing")).await, 404, "NOT_FOUND");
    refused(
        &server.method("PUT".parse().unwrap(), &format!("{prefix}/api/drops")).await,
        405,
        "METHOD_NOT_ALLOWED",
    );
    #[cfg(feature = "socketio")]
    {
        let request = server
            .get(&format!("{prefix}/socket.io/"))
            .add_raw_query_param("EIO=4&transport=polling");
        assert!(request.await.text().starts_with("0{\"sid\""));
    }
    assert_eq!(
        shop.service
            .drop_snapshots(&drop_core::store::DropPage { status: None, after: None, limit: 9 })
            .await
            .unwrap()
            .len(),
        0
    );
}

#[tokio::test]
async fn nested_under_a_prefix() {
    let shop = shop();
    let app = Router::new()
        .route("/shop/mine", get(|| async { "mine" }))
        .nest("/shop", shop.router.clone());
    works_under(&shop, app, "/shop").await;
}

#[tokio::test]
async fn beside_the_hosts_own_routes_at_the_root() {
    let shop = shop();
    let app = Router::new()
        .route("/mine", get(|| async { "mine" }))
        .fallback_service(shop.router.clone());
    works_under(&shop, app, "").await;
}

#[tokio::test]
async fn without_its_hub_sockets_are_refused_and_rest_works() {
    let (service, _workers) =
        drop_core::DropService::builder(drop_store_memory::MemoryStore::new()).build();
    let (router, hub) = drop_http::builder(service).admin_key(KEY.into()).build();
    assert!(!format!("{hub:?}").contains(KEY));
    drop(hub);
    let server = TestServer::new(router);
    assert_eq!(server.get("/api/drops").await.status_code(), 200);
    refused(&server.get("/api/events").await, 503, "BUSY");
}
