//! Prints every change of a shop's stock: `drop-watch [ws://127.0.0.1:3001/ws]`.

use futures::StreamExt;
use serde_json::Value;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:3001/ws".to_owned());
    let (mut socket, _) = connect_async(&address)
        .await
        .map_err(|error| format!("cannot watch {address}: {error}"))?;
    while let Some(message) = socket.next().await {
        match message? {
            Message::Text(frame) => print_frame(&serde_json::from_str(&frame)?),
            Message::Close(_) => break,
            // Pings are answered by the library.
            _ => {}
        }
    }
    Ok(())
}

fn print_frame(frame: &Value) {
    let text = |value: &Value, field: &str| match value.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "?".to_owned(),
    };
    match frame.get("event").and_then(Value::as_str) {
        Some("snapshot") => {
            for drop in frame.get("drops").and_then(Value::as_array).into_iter().flatten() {
                println!(
                    "drop {} {}: {} of {} available",
                    text(drop, "id"),
                    text(drop, "name"),
                    text(drop, "availableStock"),
                    text(drop, "totalStock")
                );
            }
        }
        Some("stockUpdated") => println!(
            "drop {} version {}: {} available, {} held, {} sold",
            text(frame, "dropId"),
            text(frame, "version"),
            text(frame, "availableStock"),
            text(frame, "heldStock"),
            text(frame, "soldCount")
        ),
        Some("purchaseCompleted") => {
            println!("drop {}: {} bought", text(frame, "dropId"), text(frame, "username"));
        }
        Some(other) => println!("drop {}: {other}", text(frame, "dropId")),
        None => println!("{frame}"),
    }
}
