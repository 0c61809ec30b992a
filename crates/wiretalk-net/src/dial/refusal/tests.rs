use super::dechunk;

#[track_caller]
fn check(raw: &str, body: &str, complete: bool) {
    assert_eq!(
        dechunk(raw.as_bytes()),
        (body.as_bytes().to_vec(), complete),
        "{raw:?}"
    );
}

#[test]
fn chunks() {
    check("", "", false);
    check("3\r\nabc\r\n0\r\n\r\n", "abc", true);
    check(
        "3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n",
        "abc0123456789",
        true,
    );
    check("3\r\nab", "ab", false);
    check("3\r\nabc\r\n", "abc", false);
    check("3\r\nabc\r\n2", "abc", false);
    check("zz\r\nabc", "", false);
    check("ffffffffffffffff\r\nabc", "abc", false);
    check("fffffffffffffffff\r\nabc", "", false);
}
