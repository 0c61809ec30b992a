use super::accept_value;

#[test]
fn the_key_of_section_1_3_is_answered_as_it_says() {
    assert_eq!(
        accept_value("dGhlIHNhbXBsZSBub25jZQ=="),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
}
