use super::Target;
use crate::ErrorKind;

#[track_caller]
fn check(url: &str, secure: bool, host: &str, port: u16, authority: &str, resource: &str) {
    let expected = Target {
        secure,
        host: host.to_owned(),
        port,
        authority: authority.to_owned(),
        resource: resource.to_owned(),
    };
    assert_eq!(Target::parse(url).unwrap(), expected, "{url}");
}

#[track_caller]
fn refuse(url: &str, why: &str) {
    let error = Target::parse(url).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
    assert!(error.to_string().contains(why), "{url}: {error}");
}

#[test]
fn urls() {
    check(
        "ws://example.com",
        false,
        "example.com",
        80,
        "example.com",
        "/",
    );
    check(
        "wss://example.com/chat?room=1",
        true,
        "example.com",
        443,
        "example.com",
        "/chat?room=1",
    );
    check(
        "ws://example.com:80/",
        false,
        "example.com",
        80,
        "example.com",
        "/",
    );
    check(
        "wss://example.com:80/",
        true,
        "example.com",
        80,
        "example.com:80",
        "/",
    );
    check(
        "http://127.0.0.1:9/a",
        false,
        "127.0.0.1",
        9,
        "127.0.0.1:9",
        "/a",
    );
    check(
        "HTTPS://Example.com?q",
        true,
        "example.com",
        443,
        "example.com",
        "/?q",
    );
    check(
        "localhost:4000/ws",
        false,
        "localhost",
        4000,
        "localhost:4000",
        "/ws",
    );
    check("example.com", false, "example.com", 80, "example.com", "/");
    check("ws://[::1]:4000", false, "::1", 4000, "[::1]:4000", "/");
    check(
        "ws://bücher.example/ü",
        false,
        "xn--bcher-kva.example",
        80,
        "xn--bcher-kva.example",
        "/%C3%BC",
    );
}

#[test]
fn refused_urls() {
    refuse("", "empty host");
    refuse("ws://", "empty host");
    refuse("ftp://example.com", "`ftp:`");
    refuse("ws://example.com:99999", "port");
    refuse("ws://exa mple.com", "invalid");
    refuse("ws://example.com/#top", "fragment");
    refuse("ws://me:secret@example.com", "Authorization");
}
