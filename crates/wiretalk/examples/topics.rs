//! Live topics: whoever subscribes gets the newest value at once, and each one that is published from then on.
//!
//! Try it: `cargo run -p wiretalk --features server --example topics`, then `wiretalk connect ws://127.0.0.1:4000/` in
//! two terminals; send `subscribe weather` in one, and `publish weather sunny` in the other. The first argument is
//! another address.
#![allow(clippy::print_stdout)]

use wiretalk::{
    Error,
    server::{Client, Server},
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let address = std::env::args().nth(1);
    let server = Server::bind(address.as_deref().unwrap_or("127.0.0.1:4000")).await?;
    println!("listening on {}", server.url());
    server.serve(topics).await
}

async fn topics(mut client: Client) -> Result<(), Error> {
    while let Some(message) = client.recv().await {
        let text = message.as_text().unwrap_or_default();
        let mut words = text.splitn(3, ' ');
        let done = match (words.next(), words.next(), words.next()) {
            (Some("subscribe"), Some(topic), None) => client.join(topic).map_err(|e| e.to_string()),
            (Some("unsubscribe"), Some(topic), None) if client.leave(topic) => Ok(()),
            (Some("publish"), Some(topic), Some(value)) => {
                let sent = client.clients().publish(topic, format!("{topic}: {value}"));
                sent.map(drop).map_err(|e| e.to_string())
            }
            _ => Err("subscribe TOPIC, unsubscribe TOPIC or publish TOPIC VALUE".to_owned()),
        };
        if let Err(why) = done {
            client.send(format!("error: {why}")).await?;
        }
    }
    Ok(())
}
