//! Our client on servers of others: the library, `wiretalk connect` and `wiretalk test`.

use std::fs;

use wiretalk_interop::{Program, Server};
use wiretalk_net::{
    Compression, Connector, DeflateConfig, Message, Request, TlsOptions, WebSocket,
};

use crate::payload::{message, text};
use crate::{Certificate, FRAGMENTING, KINDS, LIBRARIES, LINKS, Link, MIB, SIZES, script};

/// A server of others that speaks over such a link.
pub(crate) fn serve(
    library: &str,
    link: Link,
    certificate: &Certificate,
    arguments: &[&str],
) -> Server {
    let arguments = [link.deflate(), &certificate.served(link), arguments].concat();
    Server::peer(&script(library, "server"), &arguments)
}

/// Our client, connected to it.
async fn dial(server: &Server, link: Link, certificate: &Certificate) -> WebSocket {
    let mut connector = Connector::new();
    if link.tls {
        let pem = fs::read(&certificate.cert).expect("it was written");
        let tls = TlsOptions::new().root_certificates(&pem);
        connector = connector.tls(tls.expect("a certificate"));
    }
    let offer = link.compressed.then(DeflateConfig::with_context_takeover);
    let request = Request {
        deflate: offer.into_iter().collect(),
        ..Request::new(server.url())
    };
    let (socket, _) = connector.connect(&request).await.expect("a connection");
    assert_eq!(socket.deflate().is_some(), link.compressed);
    socket
}

/// Sends a message, which must come back.
pub(crate) async fn echo(socket: &mut WebSocket, message: Message, compression: Compression) {
    let sent = message.clone();
    socket.send_with(message, compression).await.expect("sent");
    expect(socket, &sent).await;
}

async fn expect(socket: &mut WebSocket, sent: &Message) {
    let came = socket.recv().await.expect("a message").expect("a message");
    assert!(
        came == *sent,
        "{:?} of {} bytes was sent, {:?} of {} came",
        sent.kind(),
        sent.as_bytes().len(),
        came.kind(),
        came.as_bytes().len()
    );
}

pub(crate) async fn close(mut socket: WebSocket, server: &mut Server) {
    socket.close(None, "").await.expect("a close");
    while socket.next_event().await.expect("an end").is_some() {}
    server.process.expect("closed ");
}

#[tokio::test]
async fn every_size_comes_back_over_every_link() {
    let certificate = Certificate::new();
    for library in LIBRARIES {
        for link in LINKS {
            let mut server = serve(library, link, &certificate, &[]);
            let mut socket = dial(&server, link, &certificate).await;
            for size in SIZES {
                for kind in KINDS {
                    for compression in [Compression::Auto, Compression::Always, Compression::Never]
                    {
                        echo(&mut socket, message(kind, size), compression).await;
                    }
                }
            }
            close(socket, &mut server).await;
        }
    }
}

#[tokio::test]
async fn large_messages_come_back() {
    let certificate = Certificate::new();
    for (library, link, kind, size) in [
        ("websockets", Link::new(false, false), "text", 16 * MIB),
        ("websockets", Link::new(true, true), "binary", 64 * MIB),
        ("aiohttp", Link::new(true, false), "binary", 16 * MIB),
        ("aiohttp", Link::new(false, true), "text", 16 * MIB),
        ("ws", Link::new(true, false), "text", 64 * MIB),
        ("ws", Link::new(false, false), "binary", 64 * MIB),
    ] {
        let mut server = serve(library, link, &certificate, &[]);
        let mut socket = dial(&server, link, &certificate).await;
        echo(&mut socket, message(kind, size), Compression::Auto).await;
        close(socket, &mut server).await;
    }
}

#[tokio::test]
async fn fragments_with_pings_between_them_both_ways() {
    let certificate = Certificate::new();
    for library in FRAGMENTING {
        for link in [Link::new(false, false), Link::new(true, false)] {
            let mut server = serve(library, link, &certificate, &["--fragments", "5"]);
            let mut socket = dial(&server, link, &certificate).await;
            for (kind, size, count) in [
                ("text", 10_000, 7),
                ("binary", 3, 3),
                ("text", 100_000, 2),
                ("binary", MIB, 16),
            ] {
                let message = message(kind, size);
                let bytes = message.as_bytes();
                for number in 0..count {
                    let fragment = &bytes[size * number / count..size * (number + 1) / count];
                    let fin = number + 1 == count;
                    let sent = socket.send_fragment(message.kind(), fragment, fin).await;
                    sent.expect("a fragment");
                    if !fin {
                        socket.ping(b"between").await.expect("a ping");
                    }
                }
                expect(&mut socket, &message).await;
            }
            close(socket, &mut server).await;
        }
    }
}

#[test]
fn connect_compresses_if_it_is_told_to() {
    let certificate = Certificate::new();
    // 16 MiB are one line as well.
    let lines: String = [0, 1, 126, 65_536, MIB, 16 * MIB, 1000, 1000]
        .map(|size| text(size) + "\n")
        .concat();
    for library in LIBRARIES {
        let link = Link::new(true, library == "ws");
        let server = serve(library, link, &certificate, &[]);
        for (offer, said) in [
            (&["--compress"][..], "(permessage-deflate"),
            (&[], "connected"),
        ] {
            let kinds: [&[&str]; 2] = [&[], &["-b"]];
            for kind in kinds {
                let url = server.url();
                let finished = Program::wiretalk()
                    .args(["connect", &url, "-n", "8", "-w", "60"])
                    .args(certificate.trusted(link))
                    .args([offer, kind].concat())
                    .finish(lines.as_str())
                    .with_code(0)
                    .saying(&[said]);
                let same = finished.stdout == lines.as_bytes();
                assert!(same, "{library} {offer:?} {kind:?}: other messages came");
                let compressed = finished.err().contains("permessage-deflate");
                assert_eq!(compressed, !offer.is_empty(), "{}", finished.err());
            }
        }
    }
}

#[test]
fn connect_says_if_the_server_does_not_compress() {
    let certificate = Certificate::new();
    for library in LIBRARIES {
        let server = serve(library, Link::new(false, false), &certificate, &[]);
        let url = server.url();
        let finished = Program::wiretalk()
            .args(["connect", &url, "--compress", "-x", "hi", "-n", "1"])
            .finish("")
            .with_code(0)
            .saying(&[&format!("connected to {url} (not compressed)\n")]);
        assert_eq!(finished.out(), "hi\n");
    }
}

/// A talk passes with compression and without, and a failure says which it was.
#[test]
fn test_compresses_if_it_is_told_to() {
    let certificate = Certificate::new();
    for library in LIBRARIES {
        let link = Link::new(true, library == "websockets");
        let server = serve(library, link, &certificate, &[]);
        let url = format!("url={}", server.url());
        let run = |talk: &str, arguments: &[&str]| {
            let test = Program::wiretalk().args(["test", talk, "--set", &url]);
            test.args(certificate.trusted(link))
                .args(arguments)
                .finish("")
        };
        for arguments in [&["--compress"][..], &[]] {
            let passed = run("tests/interop/talks/echoed.talk", arguments).with_code(0);
            assert!(passed.out().contains("1 passed, 0 failed"), "{passed:?}");
            let failed = run("tests/interop/talks/expects-json.talk", arguments).with_code(1);
            let compressed = failed.out().contains("(is open, with permessage-deflate");
            assert_eq!(compressed, !arguments.is_empty(), "{}", failed.out());
        }
    }
}
