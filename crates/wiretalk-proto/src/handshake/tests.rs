use super::{Headers, accept_value};

#[test]
fn the_key_of_section_1_3_is_answered_as_it_says() {
    assert_eq!(
        accept_value("dGhlIHNhbXBsZSBub25jZQ=="),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
}

#[test]
fn headers_show_no_secret() {
    let headers: Headers = [
        ("Host", "a.com"),
        ("authorization", "Bearer s3cret"),
        ("Cookie", "session=s3cret"),
        ("Proxy-Authorization", "Basic s3cret"),
        ("Set-Cookie", "session=s3cret"),
    ]
    .into_iter()
    .collect();
    let shown = format!("{headers:?}");
    assert!(shown.contains(r#""Host": "a.com""#), "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
}
