//! The server under the strictness cases: bytes by hand over TCP, an echo behind them. What each chapter is about is
//! in `wiretalk-proto/tests/strict`.

mod common;
mod strict;

use common::{Server, quiet, raw_client};
use strict::{conforms, echo};

/// The server echoes as the cases of these numbers want it.
async fn server_conforms(chapter: u32, numbers: &[&str]) {
    let mut server = Server::start(quiet()).await;
    let address = server.address;
    let echoing = tokio::spawn(async move {
        loop {
            tokio::spawn(echo(server.next().await));
        }
    });
    conforms(true, chapter, numbers, || raw_client(address)).await;
    echoing.abort();
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
