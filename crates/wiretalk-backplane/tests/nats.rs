//! The contract of a broker, kept by Nats.

#![cfg(feature = "nats")]

mod contract;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use contract::{PATIENCE, Server, bytes, connect, numbered, take};
use tokio::time::timeout;
use wiretalk_backplane::{Nats, Reader, Writer};

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

/// Says something to the server in its own words, and waits until it has done that; gives its answer.
fn says(server: &Server, words: &str) -> String {
    let url = server.url();
    let mut stream = TcpStream::connect(url.trim_start_matches("nats://")).expect("it listens");
    let words = format!("CONNECT {{\"verbose\":false}}\r\n{words}PING\r\n");
    stream.write_all(words.as_bytes()).expect("it is written");
    let mut said = String::new();
    let mut bytes = [0; 4096];
    while !said.contains("PONG") {
        let count = stream.read(&mut bytes).expect("it answers");
        assert!(count > 0, "{said}");
        said += &String::from_utf8_lossy(&bytes[..count]);
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_record_that_was_cut_off_holds_up_nobody() {
    let server = Server::nats();
    let url = server.url();
    let open = || Nats::new(&url, "cut").expect("it is right");
    let (_, mut writer, mut reader) = connect(&mut open(), None).await;
    let records = numbered(0..3, 10);
    writer.append(&records).await.expect("they are appended");
    take(&mut reader, 3).await;
    // Its writer was killed behind the first part.
    says(&server, "PUB cut.part 5\r\nhello\r\n");
    let (begin, _, mut late) = connect(&mut open(), None).await;
    let up_to_date = async {
        let mut last = 0;
        while last < begin.last {
            let read = late.read().await.expect("it reads");
            last = read.last().map_or(last, |read| read.offset);
        }
    };
    let up_to_date = timeout(PATIENCE, up_to_date).await;
    up_to_date.expect("the end that it was told comes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_comes_behind_what_was_appended_and_is_not_kept() {
    let server = Server::nats();
    let url = server.url();
    let open = || Nats::new(&url, "told").expect("it is right");
    let (begin, mut writer, mut reader) = connect(&mut open(), None).await;
    let (_, _, mut other) = connect(&mut open(), None).await;
    let mut expected = Vec::new();
    for n in 0..200 {
        let records = numbered(n * 3..n * 3 + 3, 10);
        writer.append(&records).await.expect("they are appended");
        let told = format!("told {n}").into_bytes();
        writer.tell(told.clone()).await.expect("it is told");
        expected.extend(records);
        expected.push(told);
    }
    for reader in [&mut reader, &mut other] {
        let read = bytes(&take(reader, expected.len()).await);
        let place = |of: &Vec<u8>| read.iter().position(|read| read == of);
        for (at, one) in expected.iter().enumerate() {
            if one.starts_with(b"told") {
                assert!(place(one) > place(&expected[at - 1]), "{read:?}");
            }
        }
        let kept = read.iter().filter(|read| !read.starts_with(b"told"));
        assert!(kept.eq(&numbered(0..600, 10)));
    }
    let (late, _, mut reader) = connect(&mut open(), None).await;
    assert_eq!(late.last, begin.last + 600, "nothing else is in the log");
    assert!(bytes(&take(&mut reader, 600).await) == numbered(0..600, 10));
}
