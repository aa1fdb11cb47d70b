//! A client written for the seed's server, with the real socket.io-client.

use tokio::process::Command;

use crate::support::{Shop, Start};

async fn content_by(transport: &str) {
    let shop = Start::on("memory").run().await;
    let client = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/seed-client");
    let installed = std::path::Path::new(client).join("node_modules").exists();
    assert!(installed, "run `npm ci` in {client} first, as .ci/test does");
    let output = Command::new("node")
        .arg("client.mjs")
        .args([shop.origin.as_str(), transport, Shop::KEY])
        .current_dir(client)
        .kill_on_drop(true)
        .output()
        .await
        .expect("node");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[tokio::test]
async fn the_seeds_client_works_by_websocket() {
    content_by("websocket").await;
}

#[tokio::test]
async fn the_seeds_client_works_by_polling() {
    content_by("polling").await;
}
