//! Abuse of the whole shop: smuggling, frame tricks, SQL in every field, odd names, numbers at
//! every edge, on the server and the database that customers meet; and secrets in its logs.

use std::process::Stdio;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::support::{Process, Shop, Start, database};

/// A guard against hanging, not a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends bytes and returns all that comes back until the server closes.
async fn exchange(shop: &Shop, bytes: &[u8]) -> Vec<u8> {
    let address = shop.origin.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may close before everything is sent.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer);
    // A reset is an end too.
    let _ = tokio::time::timeout(PATIENCE, end).await.expect("the connection is closed");
    answer
}

/// Each request hides another one behind a body whose end two readers would see in two places.
#[tokio::test(flavor = "multi_thread")]
async fn smuggling() {
    let shop = Start::on("memory").quiet().run().await;
    let drop_id = shop.api.plain_drop(10).await;
    let hidden_body = format!("{{\"dropId\":{drop_id},\"username\":\"smuggled\"}}");
    let hidden = format!(
        "POST /api/reservations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{hidden_body}",
        hidden_body.len()
    );
    let length = hidden.len();
    let chunk = format!("{length:x}\r\n{hidden}\r\n0\r\n\r\n");
    let tricks = [
        // Both, in either order: whoever believes the length sees the rest as a request.
        format!("content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n{chunk}"),
        // Two lengths.
        format!("content-length: 0\r\ncontent-length: {length}\r\n\r\n{hidden}"),
        format!("content-length: {length}, 0\r\n\r\n{hidden}"),
        // Lengths that are read in two ways.
        format!("content-length: +0\r\n\r\n{hidden}"),
        format!("content-length: 0x0\r\n\r\n{hidden}"),
        format!("content-length: -1\r\n\r\n{hidden}"),
        format!("content-length : 0\r\n\r\n{hidden}"),
        format!("content-length:\r\n 0\r\n\r\n{hidden}"),
        // Codings that are none, or no longer the last.
        format!("transfer-encoding: xchunked\r\n\r\n{chunk}"),
        format!("transfer-encoding: chunked, identity\r\n\r\n{chunk}"),
        format!("transfer-encoding: identity, chunked, x\r\n\r\n{chunk}"),
        format!("transfer-encoding:\u{b}chunked\r\n\r\n{chunk}"),
        // Chunk sizes that overflow, or are none.
        format!("transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{hidden}"),
        format!("transfer-encoding: chunked\r\n\r\n-1\r\n{hidden}"),
        format!("transfer-encoding: chunked\r\n\r\n0x0\r\n\r\n{hidden}"),
    ];
    for trick in &tricks {
        let request = format!(
            "POST /api/purchases HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{trick}"
        );
        let answer = exchange(&shop, request.as_bytes()).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains(" 201 ") && !answer.contains(" 200 "), "{trick:?}: {answer}");
        assert!(!answer.contains("HTTP/1.1 5"), "{trick:?}: {answer}");
        let held = &shop.api.drop(drop_id).await["heldStock"];
        assert_eq!(held, 0, "smuggled in by {trick:?}: {answer}");
    }
    // The same request on its own is one.
    exchange(&shop, hidden.as_bytes()).await;
    assert_eq!(shop.api.drop(drop_id).await["heldStock"], 1);
}

/// Frames that no client sends: the socket is closed, and everybody else is served.
#[tokio::test(flavor = "multi_thread")]
async fn websocket_frame_tricks() {
    let shop = Start::on("memory").quiet().run().await;
    let mut watch = crate::lifecycle::watch(&shop).await;
    let handshake = "GET /ws HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                     sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                     sec-websocket-version: 13\r\n\r\n";
    let masked = |first: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).unwrap();
        [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
    };
    let tricks: Vec<(&str, Vec<u8>)> = vec![
        ("not masked", vec![0x81, 0x02, b'h', b'i']),
        ("reserved bits", masked(0xf1, b"hi")),
        ("a reserved opcode", masked(0x83, b"hi")),
        ("a reserved control opcode", masked(0x8b, b"hi")),
        ("2^63 bytes announced", [&[0x82, 0xff][..], &[0xff; 8], &[0; 4]].concat()),
        ("2^62 bytes announced", [&[0x82, 0xff, 0x40][..], &[0; 7], &[0; 4]].concat()),
        ("64 MiB announced", [&[0x82, 0xff, 0, 0, 0, 0, 4, 0, 0, 0][..], &[0; 4]].concat()),
        ("a ping in parts", masked(0x09, b"hi")),
        ("a ping too long", [&[0x89, 0xfe, 0, 126, 0, 0, 0, 0][..], &[0; 126]].concat()),
        ("a continuation of nothing", masked(0x80, b"hi")),
        ("a text in a text", [masked(0x01, b"a"), masked(0x81, b"b")].concat()),
        ("text that is none", masked(0x81, b"\xff\xfe")),
        ("a close of one byte", masked(0x88, b"\x03")),
        ("a close with a code that may not be", masked(0x88, &[0x03, 0xed])),
        ("a close whose reason is no text", masked(0x88, &[0x03, 0xe8, 0xff])),
    ];
    for (name, frames) in tricks {
        let bytes = [handshake.as_bytes(), &frames].concat();
        let answer = exchange(&shop, &bytes).await;
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{name}: {answer:?}");
        assert_eq!(shop.api.get("/healthz").await.status, 200, "{name}");
    }
    // Whoever watched all along still does.
    let drop_id = shop.api.plain_drop(1).await;
    while watch.change().await["dropId"] != drop_id {}
}

/// What has been SQL, a format, a name that looks like another, or a limit, somewhere.
const ODD: [&str; 22] = [
    "'; DROP TABLE drops; --",
    "' OR '1'='1",
    "\"; DROP TABLE users; --",
    "$1",
    "$$; SELECT pg_sleep(30); $$",
    "\\'; SELECT 1; --",
    "E'\\x00'",
    "%s%n%p",
    "{0} {} ${jndi:ldap://x}",
    "\u{202e}nna",
    "a\u{200b}nn",
    "\u{feff}ann",
    "an\u{303}a",
    "a\u{f1}a",
    "\u{1f45f}",
    "Ａｎｎ",
    "NULL",
    "null",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "a\tb",
    "DEFAULT",
];

/// What no text may have, because PostgreSQL cannot keep it or nobody can see it.
const NEVER: [&str; 3] = ["\0", "a\0b", "\u{1}"];

#[tokio::test(flavor = "multi_thread")]
async fn names_with_nul_rtl_zero_width_nfd_and_sql_in_every_field() {
    let database = database().await;
    let shop = Start::on(&database.url()).quiet().run().await;
    let first = shop.api.plain_drop(5).await;
    for text in ODD.into_iter().chain(NEVER) {
        let ask = async |method: Method, path: &str, body: Value| {
            let answer = shop.api.ask(method, path, Some(body)).await.unwrap();
            assert!(answer.status < 500, "{text:?} to {path}: {answer:?}");
            answer
        };
        let never = NEVER.contains(&text);
        // A drop's name and a variant's come back as they were sent, or are refused.
        let new = json!({"name": text, "price": "1", "totalStock": 1});
        let named = ask(Method::POST, "/api/drops", new).await;
        assert!(!(never && named.status < 300), "{text:?}: {named:?}");
        if named.status < 300 {
            let path = format!("/api/drops/{}", named.body["id"]);
            assert_eq!(shop.api.get(&path).await.body["name"], named.body["name"], "{text:?}");
            assert_eq!(named.body["name"].as_str().unwrap(), text.trim(), "{text:?}");
        }
        let variants = json!([{"name": text, "totalStock": 1}]);
        let new = json!({"name": "Air One", "price": "1", "variants": variants});
        let varied = ask(Method::POST, "/api/drops", new).await;
        assert!(!(never && varied.status < 300), "{text:?}: {varied:?}");
        if varied.status < 300 {
            let variant = varied.body["variants"][0]["name"].clone();
            let hold = json!({"dropId": varied.body["id"], "username": "ann", "variant": variant});
            assert_eq!(ask(Method::POST, "/api/reservations", hold).await.status, 201, "{text:?}");
        }
        // Everything else is a refusal, or means somebody who is called so.
        for field in ["name", "price", "startsAt", "endsAt", "totalStock", "variants"] {
            let path = format!("/api/drops/{first}");
            ask(Method::PATCH, &path, json!({ field: text })).await;
            let mut new = json!({"name": "Air One", "price": "1", "totalStock": 1});
            new[field] = json!(text);
            ask(Method::POST, "/api/drops", new).await;
        }
        for field in ["username", "variant", "quantity", "dropId"] {
            let mut hold = json!({"dropId": first, "username": "bob"});
            hold[field] = json!(text);
            ask(Method::POST, "/api/reservations", hold).await;
        }
        for field in ["username", "reservationId"] {
            let mut purchase = json!({"reservationId": 1, "username": "bob"});
            purchase[field] = json!(text);
            ask(Method::POST, "/api/purchases", purchase).await;
        }
    }
    // Nothing of it was SQL.
    let audit = shop.api.get(&format!("/api/drops/{first}/audit")).await;
    assert_eq!(audit.status, 200, "{audit:?}");
    assert_eq!(shop.api.get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_at_every_edge() {
    let database = database().await;
    let shop = Start::on(&database.url()).quiet().run().await;
    let id = shop.api.plain_drop(5).await;
    let edges = [
        "0",
        "-0",
        "-1",
        "1",
        "2147483647",
        "2147483648",
        "4294967295",
        "4294967296",
        "-2147483649",
        "9007199254740991",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "18446744073709551616",
        "0.1",
        "1e0",
        "1e18",
        "1e308",
        "99999999.99",
        "1234567890.123456789",
        "0.005",
        "0.0000000000000000000000000001",
        "79228162514264337593543950335",
        "79228162514264337593543950336",
    ];
    for edge in edges {
        let number: Value = serde_json::from_str(edge).unwrap();
        let asks = [
            (Method::POST, "/api/drops".to_owned(), "totalStock"),
            (Method::POST, "/api/drops".to_owned(), "price"),
            (Method::POST, "/api/drops".to_owned(), "maxPerCustomer"),
            (Method::POST, "/api/drops".to_owned(), "holdSeconds"),
            (Method::POST, "/api/drops".to_owned(), "longestHoldSeconds"),
            (Method::PATCH, format!("/api/drops/{id}"), "totalStock"),
            (Method::PATCH, format!("/api/drops/{id}"), "maxPerCustomer"),
            (Method::PATCH, format!("/api/drops/{id}"), "price"),
            (Method::POST, "/api/reservations".to_owned(), "quantity"),
            (Method::POST, "/api/reservations".to_owned(), "dropId"),
            (Method::POST, "/api/purchases".to_owned(), "reservationId"),
        ];
        for (method, path, field) in asks {
            for value in [number.clone(), json!(edge)] {
                let mut body = match (path.as_str(), &method) {
                    ("/api/drops", _) => json!({"name": "Edge", "price": "1", "totalStock": 1}),
                    ("/api/reservations", _) => json!({"dropId": id, "username": "ann"}),
                    ("/api/purchases", _) => json!({"reservationId": 1, "username": "ann"}),
                    _ => json!({}),
                };
                body[field] = value;
                let answer = shop.api.ask(method.clone(), &path, Some(body)).await.unwrap();
                assert!(answer.status < 500, "{field} = {edge}: {answer:?}");
            }
        }
        for path in ["drops", "reservations", "drops?limit=", "drops?after="] {
            let path = match path.strip_suffix('=') {
                Some(query) => format!("/api/{query}={edge}"),
                None => format!("/api/{path}/{edge}"),
            };
            let answer = shop.api.get(&path).await;
            assert!(answer.status < 500, "{path}: {answer:?}");
        }
        let drop = shop.api.drop(id).await;
        let count = |field: &str| drop[field].as_u64().unwrap_or_else(|| panic!("{drop}"));
        let total = count("availableStock") + count("heldStock") + count("soldCount");
        assert_eq!(total, count("totalStock"), "after {edge}");
    }
}

/// The admin key and the database's password are in no line that the shop writes, however much
/// it is asked to write.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_in_logs() {
    const PASSWORD: &str = "hunter2-of-the-database";
    let database = database().await;
    let url = database.url().replacen('@', &format!(":{PASSWORD}@"), 1);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let start = Start::on(&url).set("RUST_LOG", "debug,drop_core=trace,drop_http=trace,sqlx=trace");
    // Both outputs into one file, but for the line that tells where it listens.
    let command = start.command();
    let command = command.as_std();
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$0\" \"$@\" 2>\"$LOG\""]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.env("LOG", &log).env("RUST_LOG", "debug,drop_core=trace,drop_http=trace,sqlx=trace");
    shell.stdin(Stdio::null());
    let mut process = Process::start(shell);
    let line = tokio::time::timeout(PATIENCE, process.line()).await.unwrap().unwrap();
    let origin = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let origin = origin.trim_end_matches([',', '/']);
    let api = crate::support::Api::new(origin, Shop::KEY);
    let id = api.plain_drop(5).await;
    let held = api.reserve(id, "ann").await.unwrap();
    api.purchase(held.body["reservation"]["id"].as_i64().unwrap(), "ann").await.unwrap();
    // Faults are where secrets like to come out.
    let wrong = crate::support::Api::new(origin, "wrong-key-of-somebody");
    let new = json!({"name": "Air One", "price": "1", "totalStock": 1});
    assert_eq!(wrong.ask(Method::POST, "/api/drops", Some(new)).await.unwrap().status, 401);
    let mut other = crate::support::Session::open(&database.url());
    other.run("ALTER TABLE drops RENAME TO gone;").await.unwrap();
    assert!(api.reserve(id, "bob").await.unwrap().status >= 500);
    process.kill().await;
    let mut written = std::fs::read_to_string(&log).unwrap();
    written.push_str(&line);
    assert!(written.lines().count() > 20, "it was asked to write:\n{written}");
    for secret in [PASSWORD, Shop::KEY, "wrong-key-of-somebody"] {
        let found = written.lines().find(|line| line.contains(secret));
        assert!(found.is_none(), "{secret} is in the log: {found:?}");
    }
}
