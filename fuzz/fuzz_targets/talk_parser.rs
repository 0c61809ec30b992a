//! Whatever a talk's file holds: the parser comes to an end without a panic, and every diagnostic says what is wrong
//! and how to mend it, at a place that lies in the text and between its characters.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = match wiretalk_talk::decode(data) {
        Ok(text) => text,
        Err(error) => {
            assert!(
                std::str::from_utf8(data).is_err(),
                "text was taken for something else"
            );
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let parsed = wiretalk_talk::parse("fuzz.talk", text);
    // Both the reading of bytes and that of text pass over a byte order mark, and a file may have two.
    let without_mark = text.strip_prefix('\u{feff}').unwrap_or(text);
    assert_eq!(parsed.talk.source().text(), without_mark);
    for diagnostic in &parsed.diagnostics {
        let span = diagnostic.span;
        assert!(
            without_mark.get(span.start..span.end).is_some(),
            "{diagnostic:?} lies beside the text"
        );
        assert!(
            !diagnostic.what.is_empty() && !diagnostic.mend.is_empty(),
            "{diagnostic:?} says nothing"
        );
    }
    let in_order = parsed
        .diagnostics
        .is_sorted_by_key(|diagnostic| diagnostic.span.start);
    assert!(in_order, "diagnostics are not in the order of the text");
});
