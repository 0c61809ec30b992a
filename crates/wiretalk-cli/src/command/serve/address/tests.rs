use super::{given, host_and_port};

#[test]
fn where_a_talk_listens() {
    for (url, tls, expected) in [
        ("ws://127.0.0.1:4000/chat", false, Ok("127.0.0.1:4000")),
        ("wss://[::1]:4000", true, Ok("[::1]:4000")),
        ("ws://localhost/chat", false, Ok("localhost:80")),
        ("wss://localhost", true, Ok("localhost:443")),
        ("4370", false, Ok("127.0.0.1:4370")),
        ("4370/chat", true, Ok("127.0.0.1:4370")),
        ("0.0.0.0:4370", false, Ok("0.0.0.0:4370")),
        ("wss://h:1", false, Err("needs a certificate")),
        ("ws://h:1", true, Err("write `wss:`")),
        ("http://h:1", false, Err("is not an address")),
        ("ws:///chat", false, Err("has no host")),
    ] {
        is(url, &host_and_port(url, tls), expected);
    }
}

#[test]
fn where_somebody_wants_it_to_listen() {
    for (address, tls, expected) in [
        ("4370", false, Ok("127.0.0.1:4370")),
        ("0", true, Ok("127.0.0.1:0")),
        ("[::1]:0", false, Ok("[::1]:0")),
        ("ws://127.0.0.1:4000", false, Ok("127.0.0.1:4000")),
        ("wss://127.0.0.1:4000/", true, Ok("127.0.0.1:4000")),
        (
            "wss://127.0.0.1:4000",
            false,
            Err("give `--cert` and `--key`"),
        ),
        (
            "ws://127.0.0.1:4000",
            true,
            Err("write `wss:`, or the address alone"),
        ),
        ("ws://127.0.0.1:4000/chat", false, Err("names a path")),
        ("ws://127.0.0.1:4000?a", false, Err("names a path")),
        ("http://127.0.0.1:4000", false, Err("is not an address")),
    ] {
        is(address, &given(address, tls), expected);
    }
}

#[track_caller]
fn is(of: &str, found: &Result<String, String>, expected: Result<&str, &str>) {
    match (found, expected) {
        (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{of}"),
        (Err(why), Err(part)) => assert!(why.contains(part), "{of}: {why}"),
        _ => panic!("{of}: {found:?}"),
    }
}
