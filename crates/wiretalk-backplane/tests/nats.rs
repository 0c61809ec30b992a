//! The contract of a broker, kept by Nats.

#![cfg(feature = "nats")]

mod contract;

use contract::Server;
use wiretalk_backplane::Nats;

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract() {
    let server = Server::nats();
    let url = server.url();
    contract::keeps_the_contract(|log| Nats::new(&url, log).expect("it is right")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_outlives_a_kill() {
    let mut server = Server::nats();
    let url = server.url();
    let open = |log: &str| Nats::new(&url, log).expect("it is right");
    contract::outlives_a_kill(&mut server, open).await;
}
