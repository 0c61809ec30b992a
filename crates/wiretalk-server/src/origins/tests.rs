use super::Origins;
use http::{HeaderMap, HeaderValue};

#[test]
fn the_same_origin_is_host_and_port() {
    for (origin, host, allowed) in [
        (None, "chat.example", true),
        (Some("https://chat.example"), "chat.example", true),
        (Some("http://chat.example"), "chat.example", true),
        (Some("https://chat.example"), "chat.example:443", true),
        (Some("https://chat.example:443"), "chat.example", true),
        (Some("http://chat.example"), "chat.example:443", false),
        (Some("https://Chat.Example"), "chat.EXAMPLE", true),
        (Some("http://localhost:3000"), "localhost:3000", true),
        (Some("http://localhost:3000"), "localhost:4000", false),
        (Some("http://[::1]:3000"), "[::1]:3000", true),
        (Some("http://[::1]"), "[::1]", true),
        (Some("http://[::1]"), "[::1]:80", true),
        (Some("https://evil.example"), "chat.example", false),
        (
            Some("https://chat.example.evil.example"),
            "chat.example",
            false,
        ),
        (Some("null"), "chat.example", false),
        (Some(""), "", false),
        (Some("https://"), "", false),
        (Some("https://chat.example/page"), "chat.example", false),
        (Some("https://user@chat.example"), "chat.example", false),
        (Some("https://chat.example:0x50"), "chat.example", false),
    ] {
        assert_eq!(
            Origins::same().allow(origin, host),
            allowed,
            "{origin:?} {host}"
        );
        assert!(Origins::any().allow(origin, host));
    }
}

#[test]
fn a_list_names_each_origin_in_full() {
    let origins = Origins::list([
        "https://chat.example",
        "http://localhost:3000",
        "https://*.eu.example:8443",
        "capacitor://localhost",
        "null",
    ])
    .expect("origins");
    for (origin, allowed) in [
        (None, true),
        (Some("https://chat.example"), true),
        (Some("https://chat.example:443"), true),
        (Some("HTTPS://CHAT.example"), true),
        (Some("https://chat.example:8443"), false),
        (Some("http://chat.example"), false),
        (Some("https://www.chat.example"), false),
        (Some("http://localhost:3000"), true),
        (Some("http://localhost"), false),
        (Some("https://a.eu.example:8443"), true),
        (Some("https://a.b.eu.example:8443"), true),
        (Some("https://a.eu.example"), false),
        (Some("https://eu.example:8443"), false),
        (Some("https://.eu.example:8443"), false),
        (Some("https://noteu.example:8443"), false),
        (Some("capacitor://localhost"), true),
        (Some("null"), true),
        (Some("nonsense"), false),
    ] {
        assert_eq!(
            origins.allow(origin, "server.example"),
            allowed,
            "{origin:?}"
        );
    }
    let other = Origins::list(["https://a.example"]).expect("origins");
    assert!(!other.allow(Some("null"), "a.example"));
}

#[test]
fn what_is_no_origin_is_refused_at_once() {
    for text in [
        "",
        "chat.example",
        "https://",
        "https://chat.example/",
        "https://chat.example/path",
        "https://chat.example:port",
        "https://*",
        "*",
        "://chat.example",
        "https://a b",
    ] {
        let error = Origins::list([text]).expect_err(text);
        assert_eq!(error.kind(), wiretalk_net::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("is no origin"), "{error}");
    }
}

#[test]
fn a_request_names_its_origin_once() {
    for (uri, host, origins, allowed) in [
        ("/", Some("a.example"), &[][..], true),
        ("/", Some("a.example"), &["https://a.example"], true),
        (
            "/",
            Some("a.example"),
            &["https://a.example", "https://a.example"],
            false,
        ),
        ("/", Some("a.example"), &["https://b.example"], false),
        ("/", None, &["https://a.example"], false),
        // As HTTP/2 has it.
        ("https://a.example/", None, &["https://a.example"], true),
        ("https://b.example/", None, &["https://a.example"], false),
    ] {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert("host", HeaderValue::from_static(host));
        }
        for origin in origins {
            headers.append("origin", HeaderValue::from_static(origin));
        }
        let refusal = Origins::same().refusal(&uri.parse().expect("a URI"), &headers);
        let status = refusal.map(|reply| reply.status().as_u16());
        assert_eq!(
            status,
            (!allowed).then_some(403),
            "{uri} {host:?} {origins:?}"
        );
    }
}
