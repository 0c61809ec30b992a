//! Suite 12 and 13 against the protocol core, with what is agreed taken from the handshake's own headers.

use wiretalk_proto::handshake::{Progress, accept_value, client, server};
use wiretalk_proto::{Agreed, DeflateConfig, Role};

use crate::cases::{
    deflate::{Agreement, Exchange, Peer, agreements, kinds},
    write,
};
use crate::subject::Subject;

/// What the server under test agrees to, and its answer.
fn served(agreement: &Agreement, config: &DeflateConfig) -> (Agreed, String) {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Extensions: {}\r\n\r\n",
        agreement.offer()
    );
    let Ok(Progress::Complete { head, .. }) = server::Request::parse(request.as_bytes()) else {
        panic!("not a request: {request}")
    };
    let accepted = head.check().unwrap().accept(None, Some(config)).unwrap();
    let (_, answer) = accepted
        .headers
        .into_iter()
        .find(|(name, _)| *name == "Sec-WebSocket-Extensions")
        .expect("the offer is accepted");
    (accepted.deflate.expect("it was accepted"), answer)
}

/// What the client under test agrees to, and what it was answered.
fn dialed(agreement: &Agreement, config: DeflateConfig) -> (Agreed, String) {
    let mut request = client::Request::new("h", "/", [7; 16]).unwrap();
    request.deflate(config);
    let mut wire = Vec::new();
    request.encode(&mut wire);
    let head = String::from_utf8(wire).unwrap();
    let offer = head
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "))
        .expect("an offer");
    let answer = agreement.answer(offer);
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Extensions: {answer}\r\n\r\n",
        accept_value(request.key())
    );
    match request.parse_response(response.as_bytes()) {
        Ok(Progress::Complete { head, .. }) => (head.deflate.expect("it was agreed on"), answer),
        other => panic!("{answer}: {other:?}"),
    }
}

fn conforms(exchanges: Vec<Exchange>, role: Role) {
    for exchange in exchanges {
        for config in [
            DeflateConfig::default(),
            DeflateConfig::with_context_takeover(),
        ] {
            play(&exchange, role, config);
        }
    }
}

fn play(exchange: &Exchange, role: Role, config: DeflateConfig) {
    let (agreed, answer) = match role {
        Role::Server => served(&exchange.agreement, &config),
        Role::Client => dialed(&exchange.agreement, config),
    };
    let what = format!(
        "suite {}, RFC 7692: {} ({role:?}, {answer})",
        exchange.suite, exchange.name
    );
    let mut subject = Subject::new(role, Some(agreed));
    let mut peer = Peer::new(role == Role::Server, &answer);
    let messages = exchange.messages();
    for (index, message) in messages.iter().enumerate() {
        let mut wire = Vec::new();
        for piece in peer.frames(exchange, message) {
            write(&piece, role == Role::Server, &mut wire);
        }
        // In pieces of a length that fits nothing.
        for chunk in wire.chunks(4001) {
            subject.read(chunk);
        }
        let echo = peer.read(exchange, &mut subject.written);
        assert!(echo.as_ref() == Some(message), "{what}: message {index}");
        assert_eq!(subject.written.len(), 0, "{what}");
    }
    if messages[0].len() >= 1024 && !exchange.name.contains("compressed already") {
        assert!(peer.compressed > 0, "{what}: nothing was compressed");
    }
}

/// RFC 7692 7.2, 8; suite 12.
#[test]
fn a_server_echoes_compressed_payloads_of_all_kinds_and_lengths() {
    conforms(kinds(), Role::Server);
}

/// RFC 7692 7.2, 8; suite 12.
#[test]
fn a_client_echoes_compressed_payloads_of_all_kinds_and_lengths() {
    conforms(kinds(), Role::Client);
}

/// RFC 7692 7.1; suite 13.
#[test]
fn a_server_compresses_as_was_agreed_on() {
    conforms(agreements(), Role::Server);
}

/// RFC 7692 7.1; suite 13.
#[test]
fn a_client_compresses_as_was_agreed_on() {
    conforms(agreements(), Role::Client);
}
