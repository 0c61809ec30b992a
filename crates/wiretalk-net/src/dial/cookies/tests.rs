use std::fmt::Write;

use super::{CookieJar, MOST_OF_DOMAIN, Request, Target};

/// What a jar sends to a URL, after cookies that were set as `URL Set-Cookie`.
#[track_caller]
fn check(set: &[(&str, &str)], url: &str, expected: &str) {
    let jar = CookieJar::new();
    for (url, cookie) in set {
        jar.set(url, cookie).unwrap();
    }
    let sent = jar.header(url).unwrap().unwrap_or_default();
    assert_eq!(sent, expected, "{set:?} at {url}");
}

#[test]
fn which_cookie_goes_where() {
    let plain = [("ws://a.com/x", "k=v")];
    check(&plain, "ws://a.com/x", "k=v");
    check(&plain, "ws://a.com:81/x/y", "k=v");
    check(&plain, "wss://a.com/", "k=v");
    check(&plain, "ws://b.com/", "");
    check(&plain, "ws://x.a.com/", "");

    let domain = [("ws://x.a.com/", "k=v; Domain=.a.com")];
    for url in ["ws://a.com/", "ws://x.a.com/", "ws://y.x.a.com/"] {
        check(&domain, url, "k=v");
    }
    check(&domain, "ws://ba.com/", "");

    let path = [("ws://a.com/x/y", "k=v"), ("ws://a.com/", "l=w; Path=/x/z")];
    check(&path, "ws://a.com/x", "k=v");
    check(&path, "ws://a.com/x/z", "l=w; k=v");
    check(&path, "ws://a.com/xy", "");

    let secure = [("wss://a.com/", "k=v; Secure")];
    check(&secure, "wss://a.com/", "k=v");
    check(&secure, "ws://a.com/", "");
    check(
        &[("wss://localhost/", "k=v; Secure")],
        "ws://localhost/",
        "k=v",
    );

    check(
        &[("ws://127.0.0.1:9/", "k=v; HttpOnly")],
        "ws://127.0.0.1/",
        "k=v",
    );
    check(&[("ws://[::1]:9/", "k=v")], "ws://[::1]/", "k=v");
    check(&[("ws+unix:/a:/", "k=v")], "ws+unix:/b:/", "k=v");
}

#[test]
fn cookies_that_are_replaced_or_have_expired() {
    let first = ("ws://a.com/", "k=v");
    check(&[first, ("ws://a.com/", "k=w")], "ws://a.com/", "k=w");
    check(
        &[first, ("ws://a.com/", "k=; Max-Age=0")],
        "ws://a.com/",
        "",
    );
    check(
        &[
            first,
            ("ws://a.com/", "k=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"),
        ],
        "ws://a.com/",
        "",
    );
    check(
        &[("ws://a.com/", "k=v; Max-Age=3600")],
        "ws://a.com/",
        "k=v",
    );
}

#[test]
fn cookies_that_are_not_kept() {
    let jar = CookieJar::new();
    let long = format!("k={}", "v".repeat(4096));
    let long_path = format!("k=v; Path=/{}", "x".repeat(8192));
    for (url, cookie) in [
        ("ws://a.com/", "k=v; Domain=b.com"),
        ("ws://a.com/", "k=v; Domain=x.a.com"),
        ("ws://a.com/", "k=v; Domain=com"),
        ("ws://1.2.3.4/", "k=v; Domain=3.4"),
        ("ws://a.com/", "k=v; Secure"),
        ("ws://a.com/", "k"),
        ("ws://a.com/", ""),
        ("ws://a.com./", "k=v; Domain=com."),
        ("ws://a.com/", &long),
        ("ws://a.com/", &long_path),
    ] {
        assert!(!jar.set(url, cookie).unwrap(), "{url} {cookie}");
    }
    assert!(jar.is_empty());
    assert!(jar.set("ws://", "k=v").is_err());
}

#[test]
fn a_jar_is_bounded() {
    let jar = CookieJar::new();
    for number in 0..MOST_OF_DOMAIN + 10 {
        let kept = jar.set("ws://a.com/", &format!("k{number}=v")).unwrap();
        assert_eq!(kept, number < MOST_OF_DOMAIN, "{number}");
    }
    assert_eq!(jar.len(), MOST_OF_DOMAIN);
    // What is there can be replaced, another domain has its own room, and what has gone makes room.
    assert!(jar.set("ws://a.com/", "k7=w").unwrap());
    assert!(jar.set("ws://b.com/", "k=v").unwrap());
    assert!(!jar.set("ws://a.com/", "k7=; Max-Age=0").unwrap());
    assert!(jar.set("ws://a.com/", "new=v").unwrap());
    assert_eq!(format!("{jar:?}"), "CookieJar(181 cookies)");
    let shared = jar.clone();
    shared.clear();
    assert!(jar.is_empty());
}

#[test]
fn what_is_added_to_a_request() {
    let jar = CookieJar::new();
    jar.set("ws://a.com/", "k=v").unwrap();
    jar.set("ws://a.com/", "j=\u{fc} \"x\"").unwrap();
    for (own, expected) in [
        (None, "Cookie: j=\u{fc} \"x\"; k=v\n"),
        (Some("o=p"), "cookie: o=p; j=\u{fc} \"x\"; k=v\n"),
    ] {
        let mut request = Request::new("ws://a.com/");
        request
            .headers
            .extend(own.map(|own| ("cookie".to_owned(), own.to_owned())));
        jar.add(&mut request, &Target::parse("ws://a.com/").unwrap());
        let mut lines = String::new();
        for (name, value) in &request.headers {
            writeln!(lines, "{name}: {value}").unwrap();
        }
        assert_eq!(lines, expected);
    }
}
