use super::*;

fn shown(expected: &[u8], came: &[u8]) -> (String, String) {
    match same_bytes(expected, came) {
        Err(Mismatch::Text(difference)) => (difference.expected, difference.came),
        other => panic!("{other:?}"),
    }
}

#[test]
fn bytes_that_differ_are_shown_from_where_they_part_and_not_all_of_them() {
    assert!(same_bytes(b"ab", b"ab").is_ok());
    let (expected, came) = shown(b"\x0a\x0b", b"\x0a\xff\x00");
    assert_eq!((&*expected, &*came), ("0a 0b", "0a ff 00"));
    let long = vec![0; 100_000];
    let mut other = long.clone();
    other[50_000] = 1;
    let (expected, came) = shown(&long, &other);
    assert!(expected.starts_with("(49984 bytes) 00 00 "), "{expected}");
    assert!(expected.ends_with(" 00 (48992 more bytes)"), "{expected}");
    assert!(came.contains(" 00 01 00 "), "{came}");
    let (expected, came) = shown(&long, &long[..99_990]);
    assert_eq!(expected.matches(" 00").count(), BYTES_BEFORE + 10);
    assert_eq!(came.matches(" 00").count(), BYTES_BEFORE);
    let (expected, came) = shown(b"", &long);
    assert_eq!(expected, "");
    assert!(came.len() < 4 * MOST_BYTES, "{}", came.len());
}
