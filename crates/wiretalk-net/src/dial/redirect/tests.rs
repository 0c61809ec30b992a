use super::{Target, resolve};

#[track_caller]
fn check(from: &str, location: &str, to: &str) {
    let from = Target::parse(from).unwrap();
    let found = match resolve(&from, location) {
        Ok(target) => target.url(),
        Err(why) => why,
    };
    assert_eq!(found, to, "{location}");
}

#[test]
fn locations() {
    let from = "ws://a.com:81/x/y?q=1";
    check(from, "ws://b.com/z", "ws://b.com/z");
    check(from, "wss://a.com/z", "wss://a.com/z");
    check(from, "http://b.com:8080/z?r#f", "ws://b.com:8080/z?r");
    check(from, "https://b.com", "wss://b.com/");
    check(from, "/z", "ws://a.com:81/z");
    check(from, "z", "ws://a.com:81/x/z");
    check(from, "../z", "ws://a.com:81/z");
    check(from, "?r", "ws://a.com:81/x/y?r");
    check(from, "", "ws://a.com:81/x/y?q=1");
    check(from, "//b.com/z", "ws://b.com/z");
    check("wss://a.com/x", "//b.com/z", "wss://b.com/z");
    check(from, "/\u{fc} x", "ws://a.com:81/%C3%BC%20x");
    check(from, "ftp://b.com/", "it leads to `ftp:`");
    check(from, "ws+unix:/etc/s:/", "it leads to `ws+unix:`");
    check(from, "http://", "empty host");
}

#[test]
fn behind_a_unix_socket() {
    let from = "ws+unix:/a.sock:/x";
    check(from, "/y", "ws+unix:/a.sock:/y");
    check(from, "http://localhost/y", "ws+unix:/a.sock:/y");
    check(from, "http://localhost:81/y", "ws://localhost:81/y");
    check(from, "http://b.com/y", "ws://b.com/y");
}

#[test]
fn a_server_that_calls_itself_as_the_host_header_did() {
    let mut from = Target::parse("ws://127.0.0.1:9/x").unwrap();
    from.authority = "a.com".to_owned();
    assert_eq!(
        resolve(&from, "http://a.com/y").unwrap().url(),
        "ws://127.0.0.1:9/y"
    );
    assert_eq!(resolve(&from, "/y").unwrap().url(), "ws://127.0.0.1:9/y");
    assert_eq!(
        resolve(&from, "http://b.com/y").unwrap().url(),
        "ws://b.com/y"
    );
}
