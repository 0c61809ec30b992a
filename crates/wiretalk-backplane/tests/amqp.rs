//! The contract of a broker, kept by Amqp.

#![cfg(feature = "amqp")]

mod contract;

use contract::Server;
use wiretalk_backplane::Amqp;

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract() {
    let server = Server::rabbitmq();
    let url = server.url();
    contract::keeps_the_contract(|log| Amqp::new(&url, log).expect("it is right")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_outlives_a_kill() {
    let mut server = Server::rabbitmq();
    let url = server.url();
    let open = |log: &str| Amqp::new(&url, log).expect("it is right");
    contract::outlives_a_kill(&mut server, open).await;
}
