//! Whatever a server answers and whatever a client asks: the verdict is the same whether the bytes come at once or one
//! by one, and a handshake that is accepted is one that the other side of this crate accepts too.
//!
//! The input's first byte chooses the side and what it wants of permessage-deflate, the rest is what came.

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use wiretalk_proto::DeflateConfig;
use wiretalk_proto::handshake::{HEAD_LIMIT, Progress, client, server};

fuzz_target!(|data: &[u8]| {
    let [choice, wire @ ..] = data else { return };
    let deflate = (choice & 2 != 0).then_some(DeflateConfig {
        server_no_context_takeover: choice & 4 != 0,
        client_no_context_takeover: choice & 8 != 0,
        server_max_window_bits: if choice & 16 != 0 { 12 } else { 15 },
        client_max_window_bits: if choice & 32 != 0 { 10 } else { 15 },
        ..DeflateConfig::default()
    });
    if choice & 1 == 0 {
        response(wire, deflate)
    } else {
        request(wire, deflate)
    }
});

fn response(wire: &[u8], deflate: Option<DeflateConfig>) {
    let mut request =
        client::Request::new("host", "/", *b"the sample nonce").expect("host and target are right");
    request.subprotocol("chat").expect("it is a token");
    if let Some(config) = deflate {
        request.deflate(config);
    }
    match whole_and_by_bytes(wire, |wire| request.parse_response(wire)) {
        Ok(Progress::Complete { consumed, head }) => {
            assert!(consumed <= wire.len().min(HEAD_LIMIT));
            assert_eq!(head.status, 101);
            assert!(head.subprotocol.is_none_or(|name| name == "chat"));
            if let Some(agreed) = head.deflate {
                let offered = deflate.expect("it was offered");
                assert!(agreed.server_max_window_bits() <= offered.server_max_window_bits);
                assert!(agreed.client_max_window_bits() <= offered.client_max_window_bits);
            }
        }
        Ok(Progress::Partial) => assert!(wire.len() < HEAD_LIMIT),
        Err(error) => {
            assert!(error.consumed() <= wire.len());
            assert!(!error.to_string().is_empty() && !error.section().is_empty());
        }
    }
}

fn request(wire: &[u8], deflate: Option<DeflateConfig>) {
    let request = match whole_and_by_bytes(wire, server::Request::parse) {
        Ok(Progress::Complete { consumed, head }) => {
            assert!(consumed <= wire.len().min(HEAD_LIMIT));
            head
        }
        Ok(Progress::Partial) => return assert!(wire.len() < HEAD_LIMIT),
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let offer = match request.check() {
        Ok(offer) => offer,
        Err(refusal) => {
            assert!((400..600).contains(&refusal.status()) && !refusal.to_string().is_empty());
            return;
        }
    };
    for subprotocol in offer
        .subprotocols
        .iter()
        .map(|name| Some(name.as_str()))
        .chain([None])
    {
        let headers = offer
            .accept(subprotocol, deflate.as_ref())
            .expect("it was offered")
            .headers;
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        let mut out = Vec::new();
        server::encode_response(101, "Switching Protocols", headers, &mut out)
            .expect("all values are tokens");
        assert!(out.ends_with(b"\r\n\r\n"));
    }
}

/// Gives what `parse` says to all of `wire`, having seen that it says the same to the first beginning that is enough.
fn whole_and_by_bytes<T, E>(
    wire: &[u8],
    parse: impl Fn(&[u8]) -> Result<Progress<T>, E>,
) -> Result<Progress<T>, E>
where
    T: PartialEq + Debug,
    E: PartialEq + Debug,
{
    let whole = parse(wire);
    // Every beginning of a long input would take the square of its length.
    let ends = (0..wire.len().min(512)).chain([wire.len()]);
    let by_bytes = ends
        .map(|end| parse(&wire[..end]))
        .find(|result| !matches!(result, Ok(Progress::Partial)))
        .unwrap_or(Ok(Progress::Partial));
    assert_eq!(whole, by_bytes);
    whole
}
