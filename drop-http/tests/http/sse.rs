//! Server-sent events, with a client of our own: the bytes are the contract.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;

use crate::support::{NOW, Shop, refused, shop, shop_with, soon};

struct Events {
    head: String,
    lines: Lines<BufReader<TcpStream>>,
}

#[derive(Debug)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

impl Events {
    async fn open(shop: &Shop, path: &str, last: Option<&str>) -> Self {
        let address = shop.address().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        // HTTP/1.0: no chunks, the body as it is.
        let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n{last}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        let mut head = String::new();
        loop {
            let line = soon(lines.next_line()).await.unwrap().unwrap();
            if line.is_empty() {
                break;
            }
            head.push_str(&line.to_ascii_lowercase());
            head.push('\n');
        }
        Self { head, lines }
    }

    /// The next block that is not only a comment or `retry`; `None` at the end.
    async fn maybe(&mut self) -> Option<Event> {
        let (mut id, mut name, mut data) = (None, None, None);
        loop {
            let line = soon(self.lines.next_line()).await.unwrap()?;
            match line.split_once(": ") {
                Some(("id", value)) => id = Some(value.to_owned()),
                Some(("event", value)) => name = Some(value.to_owned()),
                Some(("data", value)) => data = Some(serde_json::from_str(value).unwrap()),
                Some(("retry", value)) => assert_eq!(value, "1000"),
                Some(("", _)) => {}
                None if line.is_empty() => {
                    if let (Some(id), Some(name), Some(data)) =
                        (id.take(), name.take(), data.take())
                    {
                        return Some(Event { id, name, data });
                    }
                }
                other => panic!("{other:?}: {line}"),
            }
        }
    }

    async fn next(&mut self) -> Event {
        self.maybe().await.expect("the stream has ended")
    }
}

const WINDOW: Duration = Duration::from_millis(50);

#[tokio::test]
async fn first_the_present_state_then_changes() {
    let shop = shop();
    let id = shop.plain(2).await;
    let mut events = Events::open(&shop, "/api/events", None).await;
    assert!(events.head.contains("content-type: text/event-stream\n"), "{}", events.head);
    assert!(events.head.contains("cache-control: no-store\n"), "{}", events.head);
    let first = events.next().await;
    let drops: Value = shop.get("/api/drops").await.json();
    assert_eq!(first.name, "snapshot");
    assert_eq!(first.data, json!({"drops": drops["drops"], "serverTime": NOW}));
    shop.hold(id, "ann").await;
    let event = events.next().await;
    assert_eq!(event.name, "stockUpdated");
    assert_eq!(
        event.data,
        json!({
            "dropId": id, "availableStock": 1, "heldStock": 1, "soldCount": 0, "version": 2,
            "variants": [{"name": null, "totalStock": 2, "availableStock": 1, "heldStock": 1, "soldCount": 0}],
        })
    );
    shop.cancel.cancel();
    assert!(events.maybe().await.is_none());
}

#[tokio::test]
async fn a_client_that_comes_back_hears_what_it_missed() {
    let shop = shop();
    let id = shop.plain(9).await;
    let other = shop.plain(9).await;
    let mut events = Events::open(&shop, "/api/events", None).await;
    let start = events.next().await.id;
    shop.hold(id, "ann").await;
    let seen = events.next().await;
    drop(events);
    shop.hold(other, "ann").await;
    shop.advance(WINDOW).await;
    shop.hold(id, "bob").await;
    // Behind what it saw, then behind its snapshot, then only of one drop.
    for (path, last, versions) in [
        ("/api/events".to_owned(), &seen.id, vec![(other, 2), (id, 3)]),
        ("/api/events".to_owned(), &start, vec![(id, 2), (other, 2), (id, 3)]),
        (format!("/api/events?drops={other}"), &start, vec![(other, 2)]),
    ] {
        let mut events = Events::open(&shop, &path, Some(last)).await;
        for (drop_id, version) in versions {
            let event = events.next().await;
            assert_eq!(event.name, "stockUpdated");
            assert_eq!(
                (&event.data["dropId"], &event.data["version"]),
                (&json!(drop_id), &json!(version))
            );
        }
        shop.advance(WINDOW).await;
        let live = shop.hold(other, &format!("u{}", path.len() + last.len())).await;
        let event = events.next().await;
        assert_eq!((event.name.as_str(), &event.data["dropId"]), ("stockUpdated", &json!(other)));
        shop.delete(&format!("/api/reservations/{live}?username=u{}", path.len() + last.len()))
            .await;
        shop.advance(WINDOW).await;
    }
}

#[tokio::test]
async fn what_is_not_to_be_had_any_more_is_the_present_state() {
    let shop = shop_with(|builder| builder.resume_events(3).conflate_within(Duration::ZERO));
    let id = shop.plain(99).await;
    let mut events = Events::open(&shop, "/api/events", None).await;
    let start = events.next().await.id;
    let mut last = start.clone();
    for n in 0..4 {
        shop.hold(id, &format!("user{n}")).await;
        last = events.next().await.id;
    }
    let epoch = start.rsplit_once('-').unwrap().0;
    let future = format!("{epoch}-99999");
    for unknown in [start.as_str(), "0000000000000000-1", &future, "x", "", "-1", "1-2-3"] {
        let mut events = Events::open(&shop, "/api/events", Some(unknown)).await;
        let first = events.next().await;
        assert_eq!(first.name, "snapshot", "{unknown}");
        assert_eq!(first.data["drops"][0]["version"], 5);
        assert_eq!(first.id, last);
    }
    // Three are kept: who has the first of four is not too late.
    let (epoch, seq) = start.rsplit_once('-').unwrap();
    let second = format!("{epoch}-{}", seq.parse::<u64>().unwrap() + 1);
    let mut events = Events::open(&shop, "/api/events", Some(&second)).await;
    assert_eq!(events.next().await.data["version"], 3);
}

#[tokio::test]
async fn a_silent_stream_says_that_it_is_there() {
    let shop = shop();
    let mut events = Events::open(&shop, "/api/events", None).await;
    events.next().await;
    let tick = async {
        loop {
            shop.advance(Duration::from_secs(20)).await;
        }
    };
    let line = async {
        tokio::select! {
            line = events.lines.next_line() => line.unwrap(),
            () = tick => None,
        }
    };
    assert_eq!(soon(line).await.as_deref(), Some(": still here"));
}

#[tokio::test]
async fn refusals() {
    let mut shop = shop();
    refused(&shop.get("/api/events?drops=x").await, 400, "VALIDATION_ERROR");
    let full = shop_with(|builder| builder.max_sockets(0));
    refused(&full.get("/api/events").await, 503, "BUSY");
    shop.cancel.cancel();
    soon(&mut shop.hub).await.unwrap();
    refused(&shop.get("/api/events").await, 503, "BUSY");
}
