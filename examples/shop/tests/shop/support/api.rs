//! The routes, as a client sees them.

use reqwest::{Client, Method};
use serde_json::{Value, json};

/// A client of one shop.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    client: Client,
    origin: String,
    key: String,
}

/// Status and body of an answer, and when to come back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) retry_after: Option<String>,
}

impl Api {
    pub(crate) fn new(origin: &str, key: &str) -> Self {
        let client = Client::builder().no_proxy().build().expect("a client");
        Self { client, origin: origin.to_owned(), key: key.to_owned() }
    }

    /// One that opens a connection for each request.
    pub(crate) fn unpooled(origin: &str, key: &str) -> Self {
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build();
        Self { client: client.expect("a client"), ..Self::new(origin, key) }
    }

    /// Asks, with the admin key; an error is a connection that broke.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.client.request(method, format!("{}{path}", self.origin));
        request = request.header("x-api-key", &self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.map(|value| value.to_str().expect("text").to_owned());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, body, retry_after })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await.expect("an answer")
    }

    /// Creates a drop and returns its id.
    pub(crate) async fn create_drop(&self, body: Value) -> i64 {
        let answer = self.ask(Method::POST, "/api/drops", Some(body)).await.expect("an answer");
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["id"].as_i64().expect("an id")
    }

    /// A plain drop of `total` units.
    pub(crate) async fn plain_drop(&self, total: u32) -> i64 {
        self.create_drop(json!({"name": "Air One", "price": "149.99", "totalStock": total})).await
    }

    pub(crate) async fn reserve(&self, drop: i64, name: &str) -> Result<Answer, reqwest::Error> {
        let body = json!({"dropId": drop, "username": name});
        self.ask(Method::POST, "/api/reservations", Some(body)).await
    }

    pub(crate) async fn purchase(&self, id: i64, name: &str) -> Result<Answer, reqwest::Error> {
        let body = json!({"reservationId": id, "username": name});
        self.ask(Method::POST, "/api/purchases", Some(body)).await
    }

    pub(crate) async fn drop(&self, id: i64) -> Value {
        self.get(&format!("/api/drops/{id}")).await.body
    }
}
