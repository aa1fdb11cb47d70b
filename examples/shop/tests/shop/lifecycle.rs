//! Starting, watching, stopping.

use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::{Shop, Start, database};

/// A guard against hanging, not a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A WebSocket on a shop, after its snapshot.
pub(crate) struct Watch {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// Connects and reads the snapshot.
pub(crate) async fn watch(shop: &Shop) -> Watch {
    let (socket, _) = connect_async(shop.socket()).await.unwrap();
    let mut watch = Watch { socket };
    let first = watch.change().await;
    assert_eq!(first["event"], "snapshot");
    watch
}

impl Watch {
    /// The next frame.
    pub(crate) async fn change(&mut self) -> Value {
        loop {
            match self.message().await {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(close) => panic!("closed: {close:?}"),
                _ => {}
            }
        }
    }

    async fn message(&mut self) -> Message {
        let message = tokio::time::timeout(PATIENCE, self.socket.next()).await;
        message.expect("a frame").expect("an open socket").unwrap()
    }
}

#[tokio::test]
async fn the_first_line_tells_address_store_and_durability() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("file:{}", directory.path().display());
    let shop = Start::on(&store).run().await;
    assert!(shop.first_line.contains(&store), "{}", shop.first_line);
    assert!(shop.first_line.contains("durable"), "{}", shop.first_line);
    let shop = Start::on("memory").run().await;
    assert!(shop.first_line.contains("not durable"), "{}", shop.first_line);
}

#[tokio::test]
async fn a_directory_in_use_and_a_typo_are_told_clearly() {
    let directory = tempfile::tempdir().unwrap();
    let start = Start::on(&format!("file:{}", directory.path().display()));
    let _first = start.run().await;
    let second = start.command().output().await.unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success());
    assert!(said.contains("already open in another process"), "{said}");

    let typo = Start::on("fiel:data").command().output().await.unwrap();
    let said = String::from_utf8_lossy(&typo.stderr);
    assert_eq!(typo.status.code(), Some(2));
    assert!(said.contains("file:DIR, memory or postgres://"), "{said}");
}

#[tokio::test]
async fn a_mistyped_store_does_not_print_its_password() {
    let start = Start::on("postgress://u:hunter2@h/d");
    let typo = start.command().env("DATABASE_URL", "mysql://u:hunter2@h/d").output().await.unwrap();
    assert_eq!(typo.status.code(), Some(2));
    assert!(!String::from_utf8_lossy(&typo.stderr).contains("hunter2"), "{typo:?}");
}

/// Nothing at all, a beginning, and another protocol's beginning.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_never_ask_are_closed() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let shop = Start::on("memory").run().await;
    let address = shop.origin.trim_start_matches("http://").to_owned();
    let silent = ["", "P", "GET / HTTP/1.1\r\nhost:", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];
    let closed = silent.map(|bytes| {
        let address = address.clone();
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let end = stream.read_to_end(&mut answer);
            // A reset is an end too.
            let _ = tokio::time::timeout(PATIENCE, end).await.expect("the connection is closed");
        })
    });
    for connection in closed {
        connection.await.unwrap();
    }
}

/// A header that comes byte by byte and never ends: each byte gives it no more time.
#[tokio::test(flavor = "multi_thread")]
async fn headers_that_drip_are_cut_off() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let shop = Start::on("memory").run().await;
    let address = shop.origin.trim_start_matches("http://").to_owned();
    let (mut from, mut to) = TcpStream::connect(&address).await.unwrap().into_split();
    let dripping = async {
        let bytes =
            b"GET / HTTP/1.1\r\nhost: shop\r\nslow: ".iter().chain(std::iter::repeat(&b'x'));
        for byte in bytes {
            if to.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    let cut = async {
        tokio::select! {
            // A reset is an end too.
            _ = from.read_to_end(&mut answer) => {}
            () = dripping => {}
        }
    };
    tokio::time::timeout(PATIENCE, cut).await.expect("the connection is closed");
    assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(shop.api.get("/healthz").await.status, 200);
}

/// A client that asks for events and reads none: once its buffers are full it has 30 seconds.
#[tokio::test(flavor = "multi_thread")]
async fn events_that_nobody_takes_are_cut_off() {
    use tokio::io::AsyncWriteExt;
    let shop = Start::on("memory").run().await;
    let address = shop.origin.trim_start_matches("http://").parse().unwrap();
    let small = tokio::net::TcpSocket::new_v4().unwrap();
    small.set_recv_buffer_size(4096).unwrap();
    let mut silent = small.connect(address).await.unwrap();
    silent.write_all(b"GET /api/events HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
    let seats = async || {
        let metrics = shop.api.get("/metrics").await.body;
        let metrics = metrics.as_str().unwrap().to_owned();
        let line = metrics
            .lines()
            .find(|line| line.starts_with("drop_http_sockets") && line.contains("sse"));
        line.and_then(|line| line.rsplit_once(' ')).map_or(0, |(_, seats)| seats.parse().unwrap())
    };
    let until = async |count: u32| {
        while seats().await != count {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, until(1)).await.expect("a seat");
    // Far more than the buffers of a connection hold: each drop is told of with its sizes.
    let size = |n| json!({"name": format!("{n:060}"), "totalStock": 1});
    let body =
        json!({"name": "Wide", "price": 1, "variants": (0..100).map(size).collect::<Vec<_>>()});
    for _ in 0..600 {
        shop.api.create_drop(body.clone()).await;
    }
    tokio::time::timeout(PATIENCE, until(0)).await.expect("the seat is free");
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_leave_room_for_requests() {
    let mut limited = Start::on("memory");
    limited.file_limit = Some(320);
    let shop = limited.run().await;
    let mut sockets = Vec::new();
    let refused = loop {
        match connect_async(shop.socket()).await {
            Ok((socket, _)) => sockets.push(socket),
            Err(refused) => break refused,
        }
        assert!(sockets.len() < 320, "every file descriptor went to a socket");
    };
    assert!(refused.to_string().contains("503"), "{refused}");
    assert_eq!(shop.api.get("/healthz").await.status, 200);
    let drop_id = shop.api.plain_drop(1).await;
    assert_eq!(shop.api.reserve(drop_id, "ann").await.unwrap().status, 201);
}

#[tokio::test]
async fn without_a_key_a_random_one_is_printed_once() {
    let mut start = Start::on("memory");
    let at = start.arguments.iter().position(|argument| argument == "--admin-key").unwrap();
    start.arguments.drain(at..at + 2);
    let mut keys = Vec::new();
    for _ in 0..2 {
        let mut shop = start.run().await;
        let line = shop.process.line().await.expect("a second line");
        let key = line.split_whitespace().last().unwrap().to_owned();
        assert!(key.len() >= 32, "{line}");
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let create = |key: &str| {
            let body = json!({"name": "Air One", "price": 1, "totalStock": 1});
            let request = client.post(format!("{}/api/drops", shop.origin));
            request.header("authorization", format!("Bearer {key}")).json(&body).send()
        };
        assert_eq!(create(&key).await.unwrap().status(), 201);
        assert_eq!(create("guess").await.unwrap().status(), 401);
        keys.push(key);
    }
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn a_restart_loses_nothing_and_the_demo_comes_once() {
    let directory = tempfile::tempdir().unwrap();
    let start = Start::on(&format!("file:{}", directory.path().display()));
    let at = start.arguments.iter().position(|argument| argument == "--demo").unwrap();
    let mut start = start;
    start.arguments.drain(at..at + 2);
    let mut shop = start.run().await;
    let before = shop.api.get("/api/drops?status=all").await.body;
    assert!(before["drops"].as_array().unwrap().len() >= 3, "{before}");
    shop.process.kill().await;
    let shop = start.run().await;
    let ids = |list: &Value| -> Vec<i64> {
        list["drops"].as_array().unwrap().iter().map(|drop| drop["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(ids(&shop.api.get("/api/drops?status=all").await.body), ids(&before));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_what_was_accepted_and_says_goodbye() {
    let directory = tempfile::tempdir().unwrap();
    let start = Start::on(&format!("file:{}", directory.path().display()));
    let mut shop = start.run().await;
    let drop_id = shop.api.plain_drop(1000).await;
    let mut watch = watch(&shop).await;
    let asked: Vec<_> = (0..200)
        .map(|client| {
            let api = shop.api.clone();
            tokio::spawn(async move { api.reserve(drop_id, &format!("client_{client}")).await })
        })
        .collect();
    // The first change is out: the herd is under way.
    watch.change().await;
    shop.process.signal("TERM").await;
    let mut held = 0_u64;
    for client in asked {
        // Who was not accepted any more has no answer; who was, has a right one.
        if let Ok(answer) = client.await.unwrap() {
            match answer.status {
                201 => held += 1,
                503 => {}
                _ => panic!("{answer:?}"),
            }
        }
    }
    assert!(held > 0);
    loop {
        if let Message::Close(close) = watch.message().await {
            assert_eq!(close.unwrap().code, CloseCode::Away);
            break;
        }
    }
    assert!(shop.process.wait().await.success());
    let shop = start.run().await;
    assert!(shop.api.drop(drop_id).await["heldStock"].as_u64().unwrap() >= held);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lapsed_hold_is_told_to_watchers_of_both_instances() {
    let database = database().await;
    let start = Start::on(&database.url()).with(&["--hold-seconds", "5"]);
    let (one, two) = (start.run().await, start.run().await);
    let drop_id = one.api.plain_drop(1).await;
    let mut watches = [watch(&one).await, watch(&two).await];
    assert_eq!(one.api.reserve(drop_id, "ann").await.unwrap().status, 201);
    for watch in &mut watches {
        let mut seen = Vec::new();
        while !seen.ends_with(&[0, 1]) {
            let change = watch.change().await;
            if change["event"] == "stockUpdated" && change["dropId"] == drop_id {
                seen.push(change["availableStock"].as_u64().unwrap());
            }
        }
    }
    assert_eq!(two.api.reserve(drop_id, "bob").await.unwrap().status, 201);
}

#[tokio::test]
async fn the_page_and_its_parts_are_served_with_a_policy() {
    let shop = Start::on("memory").run().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (path, kind) in [("/", "text/html"), ("/js/app.js", "text/javascript")] {
        let response = client.get(format!("{}{path}", shop.origin)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert!(header("content-type").starts_with(kind), "{}", header("content-type"));
        assert!(header("content-security-policy").contains("default-src 'self'"));
        let again = client.get(format!("{}{path}", shop.origin));
        let again = again.header("if-none-match", header("etag")).send().await.unwrap();
        assert_eq!(again.status(), 304, "{path}");
    }
    assert_eq!(shop.api.get("/js/none.js").await.status, 404);
}
