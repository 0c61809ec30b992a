//! An echo over TLS, with a certificate and a key from PEM files.
//!
//! Try it: `cargo run -p wiretalk --features server --example tls -- 127.0.0.1:4000 certificate.pem key.pem`, then
//! `wiretalk connect --ca certificate.pem wss://localhost:4000/`. For a certificate: `openssl req -x509 -newkey
//! rsa:2048 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out
//! certificate.pem`.
#![allow(clippy::print_stdout)]

use std::fs;

use wiretalk::{
    Error,
    server::{Client, Server, TlsConfig},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:4000".to_owned());
    let certificate = arguments.next().unwrap_or("certificate.pem".to_owned());
    let key = arguments.next().unwrap_or("key.pem".to_owned());
    let tls = TlsConfig::from_pem(&fs::read(certificate)?, &fs::read(key)?)?;

    let server = Server::bind(address).await?.tls(tls);
    println!("listening on {}", server.url());
    Ok(server.serve(echo).await?)
}

async fn echo(mut client: Client) -> Result<(), Error> {
    while let Some(message) = client.recv().await {
        client.send(message).await?;
    }
    Ok(())
}
