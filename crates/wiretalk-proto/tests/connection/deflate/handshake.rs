//! How both sides come to agree: RFC 7692 section 5, in the handshake of RFC 6455.

use wiretalk_proto::handshake::client::{Request, Response, ResponseErrorKind};
use wiretalk_proto::handshake::{Progress, server};
use wiretalk_proto::{Agreed, AnswerError, Config, DeflateConfig};

use crate::pair::{Pair, text};

fn takeover() -> DeflateConfig {
    DeflateConfig::with_context_takeover()
}

fn request(offers: &[DeflateConfig]) -> Request {
    let mut request = Request::new("h", "/", *b"the sample nonce").unwrap();
    for offer in offers {
        request.deflate(*offer);
    }
    request
}

fn encoded(request: &Request) -> Vec<u8> {
    let mut wire = Vec::new();
    request.encode(&mut wire);
    wire
}

/// The server's side: what it answers to that request, and what it takes to be agreed.
fn answer(wire: &[u8], config: Option<&DeflateConfig>) -> (Vec<u8>, Option<Agreed>) {
    let Ok(Progress::Complete { head, .. }) = server::Request::parse(wire) else {
        panic!("it is a request")
    };
    let acceptance = head.check().unwrap().accept(None, config).unwrap();
    let headers = acceptance
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()));
    let mut wire = Vec::new();
    server::encode_response(101, "Switching Protocols", headers, &mut wire).unwrap();
    (wire, acceptance.deflate)
}

fn judge(request: &Request, wire: &[u8]) -> Result<Response, (ResponseErrorKind, &'static str)> {
    match request.parse_response(wire) {
        Ok(Progress::Complete { head, .. }) => Ok(head),
        Ok(Progress::Partial) => panic!("the response is whole"),
        Err(error) => Err((error.kind().clone(), error.section())),
    }
}

/// The lines of `Sec-WebSocket-Extensions` in a head.
fn extensions(wire: &[u8]) -> Vec<String> {
    std::str::from_utf8(wire)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_is_agreed_is_spoken() {
    let narrow = DeflateConfig {
        server_max_window_bits: 10,
        client_max_window_bits: 9,
        ..takeover()
    };
    let cases: [(&[DeflateConfig], Option<DeflateConfig>, &str, &str); 7] = [
        (&[], Some(takeover()), "", ""),
        (
            &[takeover()],
            None,
            "permessage-deflate; client_max_window_bits",
            "",
        ),
        (
            &[takeover()],
            Some(DeflateConfig::default()),
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        (
            &[takeover()],
            Some(takeover()),
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate",
        ),
        (
            &[DeflateConfig::default()],
            Some(takeover()),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        (
            &[takeover()],
            Some(narrow),
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9",
        ),
        (
            &[narrow, takeover()],
            Some(takeover()),
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9, permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=10",
        ),
    ];
    for (offers, config, offered, answered) in cases {
        let request = request(offers);
        let wire = encoded(&request);
        assert_eq!(extensions(&wire).concat(), offered);
        let (wire, server_agreed) = answer(&wire, config.as_ref());
        assert_eq!(extensions(&wire).concat(), answered);
        let client_agreed = judge(&request, &wire).unwrap().deflate;
        assert_eq!(server_agreed.is_some(), !answered.is_empty());
        assert_eq!(client_agreed.is_some(), !answered.is_empty());

        let with = |deflate| Config {
            deflate,
            ..Config::default()
        };
        let mut pair = Pair::with(with(client_agreed), with(server_agreed));
        for i in 0..3 {
            let said = super::json(i, 3000);
            pair.client.text(&said).unwrap();
            pair.server.text(&said).unwrap();
            let heard = vec![text(&said)];
            assert_eq!(pair.client.outbox.len() < 2000, client_agreed.is_some());
            assert_eq!(pair.server.outbox.len() < 2000, server_agreed.is_some());
            assert_eq!(pair.heard(), (heard.clone(), heard));
        }
    }
}

/// A response that is right but for these values of `Sec-WebSocket-Extensions`.
fn response(values: &[&str]) -> Vec<u8> {
    let (mut wire, _) = answer(&encoded(&request(&[])), None);
    wire.truncate(wire.len() - 2);
    for value in values {
        wire.extend_from_slice(format!("Sec-WebSocket-Extensions: {value}\r\n").as_bytes());
    }
    wire.extend_from_slice(b"\r\n");
    wire
}

#[test]
fn answers_that_fail_the_handshake() {
    let unasked = |name: &str| ResponseErrorKind::UnaskedExtension(name.to_owned());
    let cases: [(&[DeflateConfig], &[&str], ResponseErrorKind, &str); 9] = [
        (
            &[],
            &["permessage-deflate"],
            unasked("permessage-deflate"),
            "RFC 6455 4.1",
        ),
        (&[takeover()], &["x"], unasked("x"), "RFC 6455 4.1"),
        (
            &[takeover()],
            &["permessage-deflate, x"],
            unasked("x"),
            "RFC 6455 4.1",
        ),
        (
            &[takeover()],
            &["permessage-deflate;"],
            ResponseErrorKind::Extensions("permessage-deflate;".to_owned()),
            "RFC 6455 9.1",
        ),
        (
            &[takeover()],
            &["permessage-deflate, permessage-deflate"],
            ResponseErrorKind::Deflate(AnswerError::AcceptedTwice),
            "RFC 7692 5.1",
        ),
        // A client may offer twice.
        (
            &[takeover(), takeover()],
            &["permessage-deflate, permessage-deflate"],
            ResponseErrorKind::Deflate(AnswerError::AcceptedTwice),
            "RFC 7692 5.1",
        ),
        (
            &[takeover()],
            &["permessage-deflate", "permessage-deflate"],
            ResponseErrorKind::RepeatedHeader("Sec-WebSocket-Extensions"),
            "RFC 6455 11.3.2",
        ),
        (
            &[takeover()],
            &["permessage-deflate; server_max_window_bits=16"],
            ResponseErrorKind::Deflate(AnswerError::InvalidValue {
                name: "server_max_window_bits",
                value: Some("16".to_owned()),
            }),
            "RFC 7692 7.1.2.1",
        ),
        // The last alternative says why.
        (
            &[
                DeflateConfig::default(),
                DeflateConfig {
                    server_max_window_bits: 10,
                    ..takeover()
                },
            ],
            &["permessage-deflate; server_max_window_bits=11"],
            ResponseErrorKind::Deflate(AnswerError::LargerThanOffered {
                name: "server_max_window_bits",
                offered: 10,
                answered: 11,
            }),
            "RFC 7692 7.1.2.1",
        ),
    ];
    for (offers, values, kind, section) in cases {
        let refusal = judge(&request(offers), &response(values)).unwrap_err();
        assert_eq!(refusal, (kind, section), "{values:?}");
    }
}

/// The server does not say which alternative it accepts: the first that its answer fits.
#[test]
fn an_answer_belongs_to_the_first_alternative_that_it_fits() {
    let demanding = DeflateConfig {
        level: 9,
        ..DeflateConfig::default()
    };
    let request = request(&[demanding, takeover()]);
    let agreed = |value| {
        judge(&request, &response(&[value]))
            .unwrap()
            .deflate
            .unwrap()
    };
    let first = agreed("permessage-deflate; server_no_context_takeover");
    assert_eq!(first, demanding.agreed());
    assert_eq!(agreed("permessage-deflate"), takeover().agreed());
}

/// Section 5.1: an offer that cannot be accepted is declined, which is no fault.
#[test]
fn offers_that_are_declined_leave_a_connection_without_compression() {
    for offer in [
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; x",
        "permessage-bzip2",
    ] {
        let mut wire = encoded(&request(&[]));
        wire.truncate(wire.len() - 2);
        wire.extend_from_slice(format!("Sec-WebSocket-Extensions: {offer}\r\n\r\n").as_bytes());
        let (wire, agreed) = answer(&wire, Some(&takeover()));
        assert_eq!((extensions(&wire), agreed), (vec![], None), "{offer}");
    }
    // Alternatives may stand in several lines (section 11.3.2 of RFC 6455).
    let mut wire = encoded(&request(&[]));
    wire.truncate(wire.len() - 2);
    for offer in ["permessage-deflate; x", "permessage-deflate"] {
        wire.extend_from_slice(format!("Sec-WebSocket-Extensions: {offer}\r\n").as_bytes());
    }
    wire.extend_from_slice(b"\r\n");
    let (wire, agreed) = answer(&wire, Some(&takeover()));
    assert_eq!(extensions(&wire), ["permessage-deflate"]);
    assert_eq!(agreed, Some(takeover().agreed()));
}
