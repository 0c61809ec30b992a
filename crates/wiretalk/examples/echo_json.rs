//! A server that answers JSON with JSON, and says so if a message is none.
//!
//! Try it: `cargo run -p wiretalk --features server --example echo_json`, then `wiretalk connect ws://127.0.0.1:4000/`
//! and `{"message": "hi"}`. The first argument is another address.
#![allow(clippy::print_stdout)]

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use wiretalk::{
    Error,
    server::{Client, Server},
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let address = std::env::args().nth(1);
    let server = Server::bind(address.as_deref().unwrap_or("127.0.0.1:4000")).await?;
    println!("listening on {}", server.url());
    server.serve(echo).await
}

async fn echo(mut client: Client) -> Result<(), Error> {
    while let Some(message) = client.recv_json::<Value>().await {
        let answer = match message {
            Ok(value) => json!({
                "type": "echo",
                "message": format!("Received: {}", value["message"].as_str().unwrap_or("")),
                "timestamp": SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64()),
            }),
            Err(_) => json!({ "error": "Invalid JSON" }),
        };
        client.send_json(&answer).await?;
    }
    Ok(())
}
