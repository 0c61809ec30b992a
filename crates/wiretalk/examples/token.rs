//! A server for the pages of one origin, and for clients with the right token: `Authorization: Bearer swordfish`, or
//! `?token=swordfish` from a browser, which can send no such header.
//!
//! Try it: `cargo run -p wiretalk --features server --example token`, then `wiretalk connect
//! "ws://127.0.0.1:4000/?token=swordfish"`, and the same without the token. The first argument is another address.
#![allow(clippy::print_stdout)]

use wiretalk::{
    Error,
    server::{Client, Handshake, Origins, Reply, Server},
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let address = std::env::args().nth(1);
    let server = Server::bind(address.as_deref().unwrap_or("127.0.0.1:4000")).await?;
    println!("listening on {}", server.url());
    let server = server.origins(Origins::list(["https://app.example"])?);
    server.check(token).serve(greet).await
}

/// A real server would look the token up.
async fn token(mut handshake: Handshake) -> Result<Handshake, Reply> {
    let in_query = handshake.query("token");
    if handshake.bearer().or(in_query.as_deref()) != Some("swordfish") {
        return Err(Reply::text(401, "the token is missing or wrong\n"));
    }
    handshake.user = Some("ann".to_owned());
    Ok(handshake)
}

async fn greet(mut client: Client) -> Result<(), Error> {
    let user = client.user().unwrap_or_default();
    client.send(format!("welcome, {user}")).await?;
    while client.recv().await.is_some() {}
    Ok(())
}
