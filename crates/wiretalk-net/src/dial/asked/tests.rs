use super::{Request, Target, asked};

/// Headers as `name: value`, joined by `; `, and the authority.
fn check(first: &str, headers: &[(&str, &str)], at: &str, expected: &str, authority: &str) {
    let first_target = Target::parse(first).unwrap();
    let mut target = Target::parse(at).unwrap();
    let request = Request {
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..Request::new(first)
    };
    let asked = asked(&request, &mut target, &first_target).unwrap();
    let lines: Vec<_> = asked
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    assert_eq!(
        (lines.join("; ").as_str(), target.authority.as_str()),
        (expected, authority),
        "{first} at {at}"
    );
}

#[test]
fn what_may_be_told_to_whom() {
    let secrets = [
        ("authorization", "Bearer t"),
        ("X-A", "b"),
        ("COOKIE", "a=b"),
        ("Proxy-Authorization", "p"),
    ];
    let all = "authorization: Bearer t; X-A: b; COOKIE: a=b; Proxy-Authorization: p";
    let first = "ws://a.com/x";
    check(first, &secrets, first, all, "a.com");
    check(first, &secrets, "ws://a.com:80/y", all, "a.com");
    for other in [
        "ws://b.com/x",
        "ws://a.com:81/x",
        "wss://a.com/x",
        "wss://a.com:80/x",
    ] {
        let authority = Target::parse(other).unwrap().authority;
        check(first, &secrets, other, "X-A: b", &authority);
    }
    check(first, &[], "ws+unix:/a:/x", "", "localhost");
}

#[test]
fn a_user_name_becomes_a_header() {
    let first = "ws://u:p@a.com/";
    let basic = "Authorization: Basic dTpw";
    check(first, &[], first, basic, "a.com");
    // After a redirect that stays there, too.
    check(first, &[], "ws://a.com/y", basic, "a.com");
    check(first, &[], "ws://b.com/", "", "b.com");
    // A header says it better.
    let bearer = [("Authorization", "Bearer t")];
    check(first, &bearer, first, "Authorization: Bearer t", "a.com");
}

#[test]
fn a_host_header_takes_the_place_of_the_urls() {
    let first = "ws://127.0.0.1:9/";
    check(first, &[("host", "a.com")], first, "", "a.com");
    check(
        first,
        &[("host", "a.com")],
        "ws://127.0.0.2:9/",
        "",
        "127.0.0.2:9",
    );
    let twice = Request {
        headers: vec![("Host".into(), "a".into()), ("host".into(), "b".into())],
        ..Request::new(first)
    };
    let target = Target::parse(first).unwrap();
    let error = asked(&twice, &mut target.clone(), &target).unwrap_err();
    assert_eq!(error.to_string(), "header `Host` is set twice");
}

#[test]
fn a_request_shows_no_secret() {
    let request = Request {
        headers: vec![
            ("authorization".into(), "Bearer secret".into()),
            ("X-A".into(), "b".into()),
        ],
        origin: Some("http://a.com".into()),
        ..Request::new("ws://me:secret@a.com/x")
    };
    assert_eq!(
        format!("{request:?}"),
        "Request { url: \"ws://…@a.com/x\", headers: [(\"authorization\", \"…\"), (\"X-A\", \"b\")], subprotocols: [], \
         origin: Some(\"http://a.com\"), deflate: [] }"
    );
}
