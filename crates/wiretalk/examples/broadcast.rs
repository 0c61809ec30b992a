//! A server that sends a message to everyone each second, and passes on to all what one of them sends. Ctrl-C closes
//! every client with 1001.
//!
//! Try it: `cargo run -p wiretalk --features server --example broadcast`, then `wiretalk connect ws://127.0.0.1:4000/`
//! in two terminals. The first argument is another address, the second the time between two messages, in milliseconds.
#![allow(clippy::print_stdout)]

use std::time::Duration;

use tokio::{signal, time::interval};
use wiretalk::server::{Client, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next();
    let period = arguments.next().map_or(Ok(1000), |text| text.parse())?;
    let server = Server::bind(address.as_deref().unwrap_or("127.0.0.1:4000")).await?;
    println!("listening on {}", server.url());

    let clients = server.clients();
    tokio::spawn(async move {
        let mut clock = interval(Duration::from_millis(period));
        for n in 0_u64.. {
            clock.tick().await;
            clients.broadcast(format!("hello world {n}"));
        }
    });
    let pass_on = async |mut client: Client| {
        while let Some(message) = client.recv().await {
            client.clients().broadcast(message);
        }
    };
    Ok(server.serve_until(signal::ctrl_c(), pass_on).await?)
}
