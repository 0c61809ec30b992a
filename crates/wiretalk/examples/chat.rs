//! A chat with rooms: the path is the room, and the query says who comes in.
//!
//! Try it: `cargo run -p wiretalk --features server --example chat`, then `wiretalk connect
//! "ws://127.0.0.1:4000/lobby?name=ann"`, and again as bob. The first argument is another address.
#![allow(clippy::print_stdout)]

use wiretalk::Error;
use wiretalk::server::{Client, Handshake, Reply, Server};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let address = std::env::args().nth(1);
    let server = Server::bind(address.as_deref().unwrap_or("127.0.0.1:4000")).await?;
    println!("listening on {}", server.url());
    server.check(name).serve(chat).await
}

async fn name(mut handshake: Handshake) -> Result<Handshake, Reply> {
    handshake.user = handshake.query("name").filter(|name| !name.is_empty());
    match handshake.user {
        Some(_) => Ok(handshake),
        None => Err(Reply::text(400, "say who you are: ?name=ann\n")),
    }
}

async fn chat(mut client: Client) {
    let name = client.user().unwrap_or_default();
    let _ = client.join(client.path());
    say(&client, &format!("{name} is here"));
    while let Some(message) = client.recv().await {
        let text = message.as_text().unwrap_or("(something binary)");
        say(&client, &format!("{name}: {text}"));
    }
    say(&client, &format!("{name} has left"));
}

fn say(client: &Client, text: &str) {
    client.room(client.path()).except(client).send(text);
}
