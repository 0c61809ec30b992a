use super::Tally;

#[test]
fn only_result_lines_are_counted() {
    let counts = |passed, failed, ignored| {
        Some(Tally {
            passed,
            failed,
            ignored,
        })
    };
    for (line, expected) in [
        (
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.05s",
            counts(12, 0, 0),
        ),
        (
            "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.00s",
            counts(3, 2, 1),
        ),
        ("test result_lines ... ok", None),
        ("a program under test says 3 passed; 2 failed", None),
        ("test result: ok.", None),
        ("", None),
    ] {
        assert_eq!(Tally::of(line), expected, "{line}");
    }
}
