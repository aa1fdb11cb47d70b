//! A request that the shop has certainly accepted, and that is not complete yet.

use drop_core::conformance::history::Ticket;
use drop_core::model::DropId;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::witness::{Told, Witness};
use crate::support::{Answer, Shop};

/// A reserve whose handler waits for its body: the shop has said `100 Continue`.
#[derive(Debug)]
pub(crate) struct Accepted {
    stream: TcpStream,
    body: String,
    ticket: Ticket,
    witness: Witness,
}

impl Accepted {
    /// Sends the head, and waits until the handler asks for the rest.
    pub(crate) async fn begin(witness: Witness, shop: &Shop, drop_id: DropId, name: &str) -> Self {
        let body = json!({"dropId": drop_id.get(), "username": name}).to_string();
        let ticket = witness.begin_reserve(drop_id, name);
        let address = shop.origin.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let head = format!(
            "POST /api/reservations HTTP/1.1\r\nhost: {address}\r\nexpect: 100-continue\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.expect("the head is sent");
        let mut said = Vec::new();
        while !said.ends_with(b"\r\n\r\n") {
            said.push(stream.read_u8().await.expect("the shop asks for the body"));
        }
        assert!(said.starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&said));
        Self { stream, body, ticket, witness }
    }

    /// Sends the body, and reads until the shop closes the connection.
    ///
    /// # Panics
    /// Where there is no whole answer.
    pub(crate) async fn finish(mut self) -> Told {
        self.stream.write_all(self.body.as_bytes()).await.expect("the body is sent");
        let mut said = String::new();
        self.stream.read_to_string(&mut said).await.expect("an answer, then the end");
        let (head, body) = said.split_once("\r\n\r\n").expect("an answer with a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = serde_json::from_str(body).expect("an answer with a whole body");
        let answer = Answer { status: status.expect("a status"), body, retry_after: None };
        self.witness.end_reserve(self.ticket, answer)
    }
}
