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
        unix: None,
        credentials: None,
    };
    assert_eq!(Target::parse(url).unwrap(), expected, "{url}");
    let scheme = if secure { "wss" } else { "ws" };
    assert_eq!(expected.url(), format!("{scheme}://{authority}{resource}"));
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
    check("ws:4000/a", false, "ws", 4000, "ws:4000", "/a");
    check("http/a", false, "http", 80, "http", "/a");
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
    refuse("ws:example.com", "`ws://`");
    refuse("WSS:/example.com:9", "`wss://`");
    refuse("ws//example.com", "`ws://`");
    refuse("http:/example.com", "`http://`");
    refuse("/chat", "names no host");
    refuse("//example.com/", "names no host");
}

#[test]
fn a_user_name_and_a_password_are_kept_apart() {
    let cases = [
        ("ws://me:secret@example.com/a", "me", "secret"),
        ("wss://me@example.com", "me", ""),
        ("ws://:secret@example.com", "", "secret"),
        ("me%40home:s%3Aecret%2F@example.com/", "me@home", "s:ecret/"),
        ("ws://m\u{fc}@example.com", "m\u{fc}", ""),
    ];
    for (url, user, password) in cases {
        let target = Target::parse(url).unwrap();
        let credentials = target.credentials.as_ref().unwrap();
        assert_eq!(
            (credentials.user.as_str(), credentials.password.as_str()),
            (user, password),
            "{url}"
        );
        assert_eq!(target.authority, "example.com");
        assert!(!target.url().contains('@'), "{}", target.url());
        assert!(!format!("{target:?}").contains("secret"));
    }
    // RFC 7617 2.
    let target = Target::parse("ws://Aladdin:open%20sesame@x").unwrap();
    assert_eq!(
        target.credentials.unwrap().basic(),
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    );
}

#[test]
fn no_error_shows_a_password() {
    let cases = [
        "ws://me:secret@example.com/#top",
        "ws://me:secret@",
        "ftp://me:secret@example.com",
        "me:secret@example.com:99999",
        "ws://me:sec/ret@example.com:99999",
        "me:secret://@example.com:99999",
        "me:secret://x@example.com:99999",
        "ws://a%3Ab:secret@example.com",
        "ws://me:secret%0A@example.com",
        "ws://me:secret%FF@example.com",
        "ws://me:secret\n@example.com",
        "ws:me:secret@example.com",
        "wss:/me:secret@example.com",
        "ws//me:secret@example.com",
        "//me:secret@example.com",
        "/me:sec@ret@example.com",
    ];
    for url in cases {
        let error = Target::parse(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
        let sentence = error.to_string();
        assert!(!sentence.contains("ret"), "{url}: {sentence}");
    }
}

#[test]
fn unix_sockets() {
    // The URL, the socket and the resource as they are told again, and the scheme's security.
    let cases = [
        (
            "ws+unix:///run/a.sock:/chat?room=1",
            "/run/a.sock",
            "/chat?room=1",
        ),
        ("ws+unix:/run/a.sock:/chat", "/run/a.sock", "/chat"),
        ("WS+UNIX:/run/a.sock", "/run/a.sock", "/"),
        ("ws+unix:a.sock:?q", "a.sock", "/?q"),
        ("ws+unix:/a%3Ab%20c%25:/x:y", "/a%3Ab%20c%25", "/x:y"),
        ("ws+unix:@name:/p", "@name", "/p"),
        ("ws+unix://@name", "@name", "/"),
        ("ws+unix:@a%00b:/", "@a%00b", "/"),
    ];
    for (url, socket, resource) in cases {
        let target = Target::parse(url).unwrap();
        assert!(!target.secure);
        assert_eq!(
            (target.authority.as_str(), target.resource.as_str()),
            ("localhost", resource),
            "{url}"
        );
        assert_eq!(
            target.url(),
            format!("ws+unix:{socket}:{resource}"),
            "{url}"
        );
        assert_eq!(Target::parse(&target.url()).unwrap(), target, "{url}");
    }
    let target = Target::parse("wss+unix:/a:/").unwrap();
    assert_eq!((target.secure, target.host.as_str()), (true, "localhost"));

    refuse("ws+unix:", "names no Unix socket");
    refuse("ws+unix:@:/", "names no Unix socket");
    refuse("ws+unix://run/a.sock:/", "no host before a Unix socket");
    refuse("ws+unix:/a.sock?q=1", "behind a colon");
    refuse("ws+unix:/a.sock:chat", "must begin with `/`");
    refuse("ws+unix:/a.sock:/#top", "fragment");
}
