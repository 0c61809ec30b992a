//! The client under the strictness cases: a server by hand over TCP, an echo behind the client. What each chapter is
//! about is in `wiretalk-proto/tests/strict`.

mod common;
mod strict;

use common::{accept, dial, header, quiet, read_head, switching};
use strict::{Exchange, agreements, conforms, echo, exchanges_conform, kinds};
use tokio::{io::AsyncWriteExt, net::TcpListener};
use wiretalk_net::{Connector, DeflateConfig, Request};

/// The client echoes as the cases of these numbers want it.
async fn client_conforms(chapter: u32, numbers: &[&str]) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    conforms(false, chapter, numbers, async || {
        let url = url.clone();
        tokio::spawn(async move { echo(dial(&url, quiet()).await).await });
        let (mut stream, _) = listener.accept().await.unwrap();
        accept(&mut stream).await;
        stream
    })
    .await;
}

/// The client echoes what is compressed as it agreed to.
async fn client_exchanges(exchanges: Vec<Exchange>, deflate: DeflateConfig) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let request = Request {
        deflate: vec![deflate],
        ..Request::new(format!("ws://{}/", listener.local_addr().unwrap()))
    };
    exchanges_conform(false, exchanges, async |agreement| {
        let request = request.clone();
        tokio::spawn(async move {
            let dialed = Connector::new().config(quiet()).connect(&request).await;
            echo(dialed.unwrap().0).await;
        });
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let head = read_head(&mut stream).await;
        let offer = header(&head, "Sec-WebSocket-Extensions").expect("an offer");
        let answer = agreement.answer(offer);
        let more = format!("Sec-WebSocket-Extensions: {answer}\r\n");
        let response = switching(&head, &more);
        stream.write_all(response.as_bytes()).await.unwrap();
        (stream, answer)
    })
    .await;
}

/// RFC 6455 5.2, 5.6; suite 1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_all_length_forms_are_echoed() {
    client_conforms(1, &[""]).await;
}

/// RFC 6455 5.5.2, 5.5.3; suite 2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_are_answered_each_and_pongs_are_not() {
    client_conforms(2, &[""]).await;
}

/// RFC 6455 5.2; suite 3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reserved_bits_fail_the_connection() {
    client_conforms(3, &[""]).await;
}

/// RFC 6455 5.2; suite 4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reserved_opcodes_fail_the_connection() {
    client_conforms(4, &[""]).await;
}

/// RFC 6455 5.4; suite 5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fragments_make_one_message_and_nothing_comes_between_but_control_frames() {
    client_conforms(5, &[""]).await;
}

/// RFC 6455 8.1; suite 6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_is_utf_8_or_failed_at_its_first_bad_byte() {
    client_conforms(6, &[""]).await;
}

/// RFC 6455 5.5.1, 7; suite 7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_is_answered_once_and_ends_all() {
    client_conforms(7, &[""]).await;
}

/// RFC 6455 5.2; suite 9.1 and 9.2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_are_echoed() {
    client_conforms(9, &["9.1.", "9.2."]).await;
}

/// RFC 6455 5.4; suite 9.3 and 9.4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_in_fragments_are_echoed() {
    client_conforms(9, &["9.3.", "9.4."]).await;
}

/// RFC 6455 5.2; suite 9.5 and 9.6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_in_small_pieces_are_echoed() {
    client_conforms(9, &["9.5.", "9.6."]).await;
}

/// RFC 6455 5.2; suite 9.7 and 9.8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_messages_one_after_another_are_echoed() {
    client_conforms(9, &["9.7.", "9.8."]).await;
}

/// RFC 6455 5.4; suite 10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_its_sender_fragmented_is_echoed() {
    client_conforms(10, &[""]).await;
}

/// RFC 7692 7.2, 8; suite 12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_payloads_of_all_kinds_and_lengths_are_echoed() {
    client_exchanges(kinds(), DeflateConfig::with_context_takeover()).await;
}

/// RFC 7692 7.1; suite 13.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compression_is_as_was_agreed_on() {
    client_exchanges(agreements(), DeflateConfig::default()).await;
}
