use super::{PseudoHeaders, check, is_connection_header};
use crate::DeflateConfig;
use crate::handshake::client::{Request, ResponseErrorKind};
use crate::handshake::server::{Offer, Refusal, RefusalKind as Kind};

/// The request of RFC 8441 5.1.
const PSEUDO: PseudoHeaders<'static> = PseudoHeaders {
    method: "CONNECT",
    protocol: Some("websocket"),
    scheme: Some("https"),
    authority: Some("server.example.com"),
    path: Some("/chat"),
};

const HEADERS: [(&str, &str); 4] = [
    ("sec-websocket-protocol", "chat, superchat"),
    ("sec-websocket-extensions", "permessage-deflate"),
    ("sec-websocket-version", "13"),
    ("origin", "http://www.example.com"),
];

fn judge(pseudo: PseudoHeaders<'_>, headers: &[(&str, &str)]) -> Result<Offer, Refusal> {
    check(
        &pseudo,
        headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes())),
    )
}

#[test]
fn the_request_of_section_5_1_is_taken_and_answered_without_headers_of_an_upgrade() {
    let offer = judge(PSEUDO, &HEADERS).unwrap();
    assert_eq!(offer.subprotocols, ["chat", "superchat"]);
    assert_eq!(offer.extensions.len(), 1);
    assert_eq!(offer.accept_value(), None);
    let accepted = offer.accept(Some("chat"), None).unwrap();
    assert_eq!(accepted.status, 200);
    let expected = [("Sec-WebSocket-Protocol", "chat".to_owned())];
    assert_eq!(accepted.headers, expected);
    assert!(offer.accept(Some("none"), None).is_err());
}

#[test]
fn a_host_stands_in_for_a_missing_authority() {
    let pseudo = PseudoHeaders {
        authority: None,
        ..PSEUDO
    };
    let mut headers = HEADERS.to_vec();
    assert_eq!(
        judge(pseudo, &headers).unwrap_err().kind(),
        &Kind::HostMissing
    );
    headers.push(("host", "h:1"));
    assert!(judge(pseudo, &headers).is_ok());
}

/// What is wrong, the refusal, its status and section.
#[test]
fn requests_that_are_refused() {
    let plain = PseudoHeaders {
        protocol: None,
        ..PSEUDO
    };
    let get = PseudoHeaders {
        method: "GET",
        ..PSEUDO
    };
    let udp = PseudoHeaders {
        protocol: Some("connect-udp"),
        ..PSEUDO
    };
    let scheme = |scheme| PseudoHeaders { scheme, ..PSEUDO };
    let path = |path| PseudoHeaders { path, ..PSEUDO };
    let host = PseudoHeaders {
        authority: Some("a b"),
        ..PSEUDO
    };
    let text = |kind: fn(String) -> Kind, text: &str| kind(text.to_owned());
    let cases = [
        (plain, Kind::NotUpgrade, 426),
        (get, Kind::NotUpgrade, 426),
        (udp, text(Kind::Protocol, "connect-udp"), 501),
        (scheme(None), text(Kind::Scheme, ""), 400),
        (scheme(Some("wss")), text(Kind::Scheme, "wss"), 400),
        (path(None), text(Kind::Target, ""), 400),
        (path(Some("*")), text(Kind::Target, "*"), 400),
        (host, text(Kind::Host, "a b"), 400),
    ];
    for (pseudo, kind, status) in cases {
        let refusal = judge(pseudo, &HEADERS).unwrap_err();
        assert_eq!((refusal.kind(), refusal.status()), (&kind, status));
    }
    let cases = [
        (vec![], Kind::VersionMissing, 426),
        (
            vec![("sec-websocket-version", "8")],
            text(Kind::Version, "8"),
            426,
        ),
        (
            vec![
                ("sec-websocket-version", "13"),
                ("sec-websocket-version", "13"),
            ],
            Kind::RepeatedHeader("Sec-WebSocket-Version"),
            400,
        ),
        (
            vec![("sec-websocket-version", "13"), ("content-length", "3")],
            Kind::Body,
            400,
        ),
        (
            vec![
                ("sec-websocket-version", "13"),
                ("sec-websocket-protocol", "a, a"),
            ],
            text(Kind::Subprotocol, "a"),
            400,
        ),
        (
            vec![
                ("sec-websocket-version", "13"),
                ("sec-websocket-extensions", ";"),
            ],
            text(Kind::Extensions, ";"),
            400,
        ),
    ];
    for (headers, kind, status) in cases {
        let refusal = judge(PSEUDO, &headers).unwrap_err();
        assert_eq!((refusal.kind(), refusal.status()), (&kind, status));
    }
}

#[test]
fn a_request_of_ours_has_no_headers_of_an_upgrade_and_is_one_that_we_take() {
    let mut request = Request::new("example.com:8080", "/chat?room=1", [7; 16]).unwrap();
    request.subprotocol("chat").unwrap();
    request.deflate(DeflateConfig::default());
    request.header("Origin", "http://example.com").unwrap();
    request.header("Keep-Alive", "timeout=5").unwrap();
    let pseudo = request.pseudo_headers(true);
    assert_eq!(pseudo.scheme, Some("https"));
    assert_eq!(pseudo.authority, Some("example.com:8080"));
    assert_eq!(pseudo.path, Some("/chat?room=1"));
    assert_eq!(request.pseudo_headers(false).scheme, Some("http"));
    let headers: Vec<_> = request.connect_headers().collect();
    let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "sec-websocket-version",
            "sec-websocket-protocol",
            "sec-websocket-extensions",
            "origin"
        ]
    );
    let headers = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_slice()));
    let offer = check(&pseudo, headers).unwrap();
    let accepted = offer.accept(Some("chat"), Some(&DeflateConfig::default()));
    let accepted = accepted.unwrap();
    let response = request
        .check_connect_response(accepted.status, accepted.headers.into_iter().collect())
        .unwrap();
    assert_eq!(response.subprotocol.as_deref(), Some("chat"));
    assert_eq!(response.deflate, accepted.deflate);
    assert!(response.deflate.is_some());
}

#[test]
fn responses_are_judged_by_status_and_by_what_was_offered() {
    let request = Request::new("h", "/", [0; 16]).unwrap();
    let judge = |status, headers: &[(&str, &str)]| {
        let headers = headers.iter().copied().collect();
        request.check_connect_response(status, headers)
    };
    for status in [200, 201, 299] {
        assert_eq!(judge(status, &[]).unwrap().status, status);
    }
    for status in [101, 199, 300, 403, 500] {
        let error = judge(status, &[("why", "because")]).unwrap_err();
        assert_eq!(error.kind(), &ResponseErrorKind::ConnectStatus(status));
        assert_eq!(error.section(), "RFC 8441 5");
        let response = error.response().unwrap();
        assert_eq!(response.headers.get("Why"), Some(&b"because"[..]));
    }
    let unasked = [
        (
            ("sec-websocket-protocol", "chat"),
            ResponseErrorKind::UnaskedSubprotocol("chat".to_owned()),
        ),
        (
            ("sec-websocket-extensions", "permessage-deflate"),
            ResponseErrorKind::UnaskedExtension("permessage-deflate".to_owned()),
        ),
    ];
    for (header, kind) in unasked {
        assert_eq!(judge(200, &[header]).unwrap_err().kind(), &kind);
    }
}

#[test]
fn headers_of_a_connection_are_known_in_any_case() {
    assert!(is_connection_header("UPGRADE"));
    assert!(is_connection_header("connection"));
    assert!(!is_connection_header("origin"));
}
