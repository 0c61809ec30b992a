//! The server under the strictness cases: bytes by hand over TCP, an echo behind them. What each chapter is about is
//! in `wiretalk-proto/tests/strict`.

mod common;
mod strict;

use std::net::SocketAddr;

use common::{Server, header, quiet, raw_client, read_head, upgrade_request};
use strict::{Exchange, agreements, conforms, echo, echo_on_the_spot, exchanges_conform, kinds};
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// A server that echoes messages where they lie, or hands them out and gets them back.
async fn serve(on_the_spot: bool) -> SocketAddr {
    let mut server = Server::start(quiet()).await;
    let address = server.address;
    tokio::spawn(async move {
        loop {
            let socket = server.next().await;
            if on_the_spot {
                tokio::spawn(echo_on_the_spot(socket));
            } else {
                tokio::spawn(echo(socket));
            }
        }
    });
    address
}

/// The server echoes as the cases of these numbers want it, in both ways; what is large, in the one that the client is
/// not tested with.
async fn server_conforms(chapter: u32, numbers: &[&str]) {
    let ways = if chapter < 9 {
        &[true, false][..]
    } else {
        &[true]
    };
    for on_the_spot in ways.iter().copied() {
        let address = serve(on_the_spot).await;
        conforms(true, chapter, numbers, || raw_client(address)).await;
    }
}

/// The server echoes what is compressed as it agreed to.
async fn server_exchanges(on_the_spot: bool, exchanges: Vec<Exchange>) {
    let address = serve(on_the_spot).await;
    exchanges_conform(true, exchanges, async |agreement| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let offer = format!("Sec-WebSocket-Extensions: {}\r\n", agreement.offer());
        stream.write_all(&upgrade_request(&offer)).await.unwrap();
        let head = read_head(&mut stream).await;
        let answer = header(&head, "Sec-WebSocket-Extensions");
        (stream, answer.expect("the offer is accepted").to_owned())
    })
    .await;
}

/// RFC 6455 5.2, 5.6; suite 1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_all_length_forms_are_echoed() {
    server_conforms(1, &[""]).await;
}

/// RFC 6455 5.5.2, 5.5.3; suite 2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_are_answered_each_and_pongs_are_not() {
    server_conforms(2, &[""]).await;
}

/// RFC 6455 5.2; suite 3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reserved_bits_fail_the_connection() {
    server_conforms(3, &[""]).await;
}

/// RFC 6455 5.2; suite 4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reserved_opcodes_fail_the_connection() {
    server_conforms(4, &[""]).await;
}

/// RFC 6455 5.4; suite 5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fragments_make_one_message_and_nothing_comes_between_but_control_frames() {
    server_conforms(5, &[""]).await;
}

/// RFC 6455 8.1; suite 6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_is_utf_8_or_failed_at_its_first_bad_byte() {
    server_conforms(6, &[""]).await;
}

/// RFC 6455 5.5.1, 7; suite 7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_is_answered_once_and_ends_all() {
    server_conforms(7, &[""]).await;
}

/// RFC 6455 5.2; suite 9.1 and 9.2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_are_echoed() {
    server_conforms(9, &["9.1.", "9.2."]).await;
}

/// RFC 6455 5.4; suite 9.3 and 9.4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_in_fragments_are_echoed() {
    server_conforms(9, &["9.3.", "9.4."]).await;
}

/// RFC 6455 5.2; suite 9.5 and 9.6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_in_small_pieces_are_echoed() {
    server_conforms(9, &["9.5.", "9.6."]).await;
}

/// RFC 6455 5.2; suite 9.7 and 9.8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_messages_one_after_another_are_echoed() {
    server_conforms(9, &["9.7.", "9.8."]).await;
}

/// RFC 6455 5.4; suite 10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_its_sender_fragmented_is_echoed() {
    server_conforms(10, &[""]).await;
}

/// RFC 7692 7.2, 8; suite 12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_payloads_of_all_kinds_and_lengths_are_echoed() {
    server_exchanges(true, kinds()).await;
}

/// RFC 7692 7.1; suite 13.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compression_is_as_was_agreed_on() {
    server_exchanges(false, agreements()).await;
}
