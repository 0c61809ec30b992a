//! The close handshake (sections 5.5.1 and 7): suite 7.

use super::{BINARY, CLOSE, CONTINUATION, Case, FIN, PING, TEXT};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = after_close();
    cases.extend(payloads());
    for (number, code) in (1..).zip([
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
    ]) {
        let suite = format!("7.7.{number}");
        let name = format!("close code {code} is answered with itself");
        cases.push(Case::new(suite, "7.4", name).close(code, "").closes(code));
    }
    for code in [1012, 1013, 1014] {
        let name = format!("close code {code} of the registry is answered with itself");
        cases.push(Case::new("", "7.4.2", name).close(code, "why").closes(code));
    }
    let refused = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
    for (number, code) in (1..).zip(refused) {
        cases.push(invalid_code(format!("7.9.{number}"), code));
    }
    for (number, code) in (1..).zip([5000, 65_535]) {
        cases.push(invalid_code(format!("7.13.{number}"), code));
    }
    for code in [1, 998, 1015, 1017, 1999] {
        cases.push(invalid_code(String::new(), code));
    }
    cases
}

fn invalid_code(suite: String, code: u16) -> Case {
    let name = format!("close code {code} is refused");
    Case::new(suite, "7.4", name).close(code, "").closes(1002)
}

/// What comes behind a close frame is not looked at, and the close frame is answered once.
fn after_close() -> Vec<Case> {
    let case = |number: u32, name| Case::new(format!("7.1.{number}"), "5.5.1", name);
    let long = "BAsd7&jh23".repeat(26_215);
    vec![
        case(
            1,
            "a message before the close is echoed, then the close answered",
        )
        .last(TEXT, "Hello World!")
        .echoes_text("Hello World!")
        .ends_well(),
        case(2, "two close frames have one answer")
            .close(1000, "")
            .last(CLOSE, "")
            .closes(1000),
        case(3, "a ping behind a close frame is not answered")
            .close(1000, "")
            .last(PING, "")
            .closes(1000),
        case(4, "a text behind a close frame is not echoed")
            .close(1000, "")
            .last(TEXT, "Hello World!")
            .closes(1000),
        case(5, "a close frame within a message ends it")
            .frame(TEXT, "fragment1")
            .close(1000, "")
            .last(CONTINUATION, "fragment2")
            .closes(1000),
        case(
            6,
            "long messages before a close are echoed, a ping behind it is not answered",
        )
        .last(TEXT, &long)
        .last(TEXT, &long)
        .last(TEXT, "Hello World!")
        .close(1000, "")
        .last(PING, "")
        .echoes_text(&long)
        .echoes_text(&long)
        .echoes_text("Hello World!")
        .closes(1000),
        Case::new(
            "",
            "5.5.1",
            "bytes that are no frame behind a close frame change nothing",
        )
        .close(1001, "bye")
        .frame(0x7f, [0xff; 300])
        .frame(FIN | BINARY, "more")
        .closes(1001),
    ]
}

fn payloads() -> Vec<Case> {
    let case = |number: u32, name| Case::new(format!("7.3.{number}"), "5.5.1", name);
    let not_utf_8 =
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64\x69\x74\x65\x64";
    let code = |reason: &[u8]| [&[0x03, 0xe8], reason].concat();
    vec![
        case(1, "an empty close frame is answered with an empty one")
            .last(CLOSE, "")
            .answers(super::Said::Close(None)),
        case(2, "a close frame with one byte is refused")
            .last(CLOSE, "a")
            .closes(1002),
        case(3, "a close frame with a code alone is answered")
            .close(1000, "")
            .closes(1000),
        case(4, "a close frame with a reason is answered")
            .close(1000, "Hello World!")
            .closes(1000),
        case(5, "a reason of 123 bytes is taken")
            .close(1000, &"*".repeat(123))
            .closes(1000),
        case(6, "a reason of 124 bytes is refused")
            .close(1000, &"*".repeat(124))
            .closes(1002),
        Case::new("7.5.1", "5.5.1", "a reason that is not UTF-8 is refused")
            .last(CLOSE, code(not_utf_8))
            .closes(1007),
        Case::new(
            "",
            "5.5.1",
            "a reason that is cut within a character is refused",
        )
        .last(CLOSE, code(b"caf\xc3"))
        .closes(1007),
        Case::new(
            "",
            "5.5.1",
            "a reason in UTF-8 is taken, and may hold a NUL",
        )
        .close(4000, "\u{3ba}\u{f3}\u{3c3}\u{3bc}\u{3b5}\0\u{10ffff}")
        .closes(4000),
    ]
}
