//! Chromium on the page: what shoppers see.

use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;
use tokio::process::Command;

use crate::support::{Process, Shop, Start};

/// A guard against hanging, not a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A driver and the browsers that it drives.
struct Browsers {
    origin: String,
    _driver: Process,
    _profiles: tempfile::TempDir,
}

impl Browsers {
    async fn start() -> Self {
        let profiles = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver");
        // Chromium keeps its profile in a folder of its own below this one.
        driver.arg("--port=0").env("TMPDIR", profiles.path());
        let mut driver = Process::start(driver);
        loop {
            let line = driver.line().await.expect("chromedriver says its port");
            let port: String = match line.split_once("successfully on port ") {
                Some((_, port)) => port.chars().take_while(char::is_ascii_digit).collect(),
                None => continue,
            };
            let origin = format!("http://127.0.0.1:{port}");
            return Self { origin, _driver: driver, _profiles: profiles };
        }
    }

    /// A browser of its own, with nothing remembered, on the shop's page.
    async fn open(&self, shop: &Shop) -> Client {
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1200,1400",
        ];
        let capabilities = json!({"goog:chromeOptions": {"args": arguments}});
        let serde_json::Value::Object(capabilities) = capabilities else { unreachable!() };
        let mut builder =
            ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&self.origin).await.unwrap();
        client.goto(&shop.origin).await.unwrap();
        client
    }
}

fn card(drop_id: i64, part: &str) -> String {
    format!("[data-drop-id='{drop_id}'] [data-testid='{part}']")
}

/// Waits until the first element that `css` finds has exactly this text.
async fn shows(client: &Client, css: &str, text: &str) {
    let script = "const found = document.querySelector(arguments[0]); \
                  return found !== null && found.textContent.trim() === arguments[1];";
    holds(client, script, vec![json!(css), json!(text)]).await;
}

/// Waits until a script of the page answers true.
async fn holds(client: &Client, script: &str, arguments: Vec<serde_json::Value>) {
    let met = async {
        while client.execute(script, arguments.clone()).await.unwrap() != json!(true) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, met).await.is_err() {
        let page = client.source().await.unwrap();
        panic!("never true: {script} {arguments:?}\n{page}");
    }
}

async fn press(client: &Client, css: &str) {
    client
        .wait()
        .at_most(PATIENCE)
        .for_element(Locator::Css(css))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
}

async fn call_oneself(client: &Client, name: &str) {
    let field = Locator::Css("[data-testid='username']");
    let field = client.wait().at_most(PATIENCE).for_element(field).await.unwrap();
    field.clear().await.unwrap();
    field.send_keys(name).await.unwrap();
    press(client, "[data-testid='save-name']").await;
}

const DISABLED: &str = "const found = document.querySelector(arguments[0]); \
                        return found !== null && found.disabled;";

#[tokio::test(flavor = "multi_thread")]
async fn two_browsers_see_one_stock() {
    let shop = Start::on("memory").run().await;
    let drop_id = shop.api.plain_drop(2).await;
    let browsers = Browsers::start().await;
    let (ann, bob) = (browsers.open(&shop).await, browsers.open(&shop).await);
    for client in [&ann, &bob] {
        shows(client, &card(drop_id, "stock"), "2").await;
    }
    call_oneself(&ann, "ann").await;
    press(&ann, &card(drop_id, "reserve")).await;
    // Without reloading.
    shows(&bob, &card(drop_id, "stock"), "1").await;
    press(&ann, &card(drop_id, "buy")).await;
    holds(
        &bob,
        "const feed = document.querySelector(arguments[0]); return feed !== null && feed.textContent.includes('ann');",
        vec![json!(card(drop_id, "activity"))],
    )
    .await;
    call_oneself(&bob, "bob").await;
    press(&bob, &card(drop_id, "reserve")).await;
    shows(&ann, &card(drop_id, "stock"), "0").await;
    press(&bob, &card(drop_id, "buy")).await;
    // Sold out: nothing is held any more, and the button cannot be pressed.
    holds(&ann, DISABLED, vec![json!(card(drop_id, "reserve"))]).await;
    let drop = shop.api.drop(drop_id).await;
    assert_eq!(drop["status"], "soldOut", "{drop}");
    for client in [ann, bob] {
        client.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_lapses_on_screen_and_the_name_is_remembered() {
    let shop = Start::on("memory").with(&["--hold-seconds", "9"]).run().await;
    let drop_id = shop.api.plain_drop(1).await;
    let browsers = Browsers::start().await;
    let client = browsers.open(&shop).await;
    call_oneself(&client, "ann").await;
    press(&client, &card(drop_id, "reserve")).await;
    // Under ten seconds from the start: the countdown is red.
    let urgent = "const found = document.querySelector(arguments[0]); \
                  return found !== null && found.dataset.urgent === 'true';";
    holds(&client, urgent, vec![json!(card(drop_id, "countdown"))]).await;
    shows(&client, &card(drop_id, "stock"), "0").await;
    // The deadline passes: stock is back and the hold is gone from the screen.
    shows(&client, &card(drop_id, "stock"), "1").await;
    let gone = "return [...document.querySelectorAll(arguments[0])].every((found) => found.hidden || found.offsetParent === null);";
    holds(&client, gone, vec![json!(card(drop_id, "buy"))]).await;
    client.refresh().await.unwrap();
    let named = "const field = document.querySelector(arguments[0]); return document.body.textContent.includes('ann') || (field !== null && field.value === 'ann');";
    holds(&client, named, vec![json!("[data-testid='username']")]).await;
    client.close().await.unwrap();
}
