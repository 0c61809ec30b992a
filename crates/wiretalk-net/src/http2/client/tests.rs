use wiretalk_proto::handshake::client;

use super::request;

#[test]
fn secrets_are_not_kept_to_compress_by() {
    let mut opening = client::Request::new("a.com", "/", [0; 16]).unwrap();
    for (name, value) in [
        ("Authorization", "Bearer s3cret"),
        ("Cookie", "session=31d4"),
        ("X-Trace", "17"),
    ] {
        opening.header(name, value).unwrap();
    }
    let request = request(&opening, true).unwrap();
    for (name, sensitive) in [
        ("authorization", true),
        ("cookie", true),
        ("x-trace", false),
    ] {
        assert_eq!(request.headers()[name].is_sensitive(), sensitive, "{name}");
    }
}
