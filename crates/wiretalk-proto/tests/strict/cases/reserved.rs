//! Bits and opcodes that stand for nothing (section 5.2): suite 3 and 4.

use super::{BINARY, CLOSE, CONTINUATION, Case, Cut, FIN, PING, PONG, TEXT};

const HELLO: &str = "Hello, world!";

pub(super) fn bits() -> Vec<Case> {
    let case = |suite: &str, name: &str| Case::new(suite, "5.2", name);
    let mut cases = vec![
        case("3.1", "a text with RSV 1 is refused").last(0x10 | TEXT, HELLO),
        behind_a_message(
            case("3.2", "a text with RSV 2 behind a message is refused"),
            0x20 | TEXT,
            HELLO,
        ),
        behind_a_message(
            case(
                "3.3",
                "a text with RSV 3 behind a message is refused, frame by frame",
            ),
            0x30 | TEXT,
            HELLO,
        )
        .cut(Cut::Frames),
        behind_a_message(
            case(
                "3.4",
                "a text with RSV 4 behind a message is refused, byte by byte",
            ),
            0x40 | TEXT,
            HELLO,
        )
        .cut(Cut::Bytes(1)),
        case("3.5", "a binary message with RSV 5 is refused")
            .last(0x50 | BINARY, b"\x00\xff\xfe\xfd"),
        case("3.6", "a ping with RSV 6 is refused").last(0x60 | PING, HELLO),
        case("3.7", "a close with RSV 7 is refused").last(0x70 | CLOSE, [0x03, 0xe8]),
    ];
    for opcode in [TEXT, BINARY, CLOSE, PING, PONG] {
        for rsv in 1..8u8 {
            let name = format!("opcode {opcode:#x} with RSV {rsv} is refused");
            cases.push(Case::new("", "5.2", name).last(rsv << 4 | opcode, ""));
        }
    }
    for rsv in 1..8u8 {
        let name = format!("a continuation with RSV {rsv} is refused");
        let case = Case::new("", "5.2", name).frame(TEXT, "begun");
        cases.push(case.last(rsv << 4 | CONTINUATION, "ended"));
    }
    cases.into_iter().map(|case| case.closes(1002)).collect()
}

pub(super) fn opcodes() -> Vec<Case> {
    let mut cases = Vec::new();
    // Five of them for data, five for control.
    for (chapter, opcodes, kind) in [(1, 0x3..=0x7, "data"), (2, 0xB..=0xF, "control")] {
        for (number, opcode) in (1..).zip(opcodes) {
            let payload = if matches!(number, 1 | 3) { "" } else { HELLO };
            let suite = format!("4.{chapter}.{number}");
            let place = if number < 3 { "" } else { " behind a message" };
            let name = format!("the reserved {kind} opcode {opcode:#x}{place} is refused");
            let case = Case::new(suite, "5.2", name);
            let case = if number < 3 {
                case.last(opcode, payload)
            } else {
                behind_a_message(case, FIN | opcode, payload)
            };
            cases.push(case.closes(1002));

            let name = format!("the reserved {kind} opcode {opcode:#x} without FIN is refused");
            cases.push(
                Case::new("", "5.2", name)
                    .frame(opcode, payload)
                    .closes(1002),
            );
            let name =
                format!("the reserved {kind} opcode {opcode:#x} within a message is refused");
            let within = Case::new("", "5.2", name).frame(TEXT, "begun");
            cases.push(within.last(opcode, payload).closes(1002));
        }
    }
    cases
}

/// A message, which is echoed, the frame in question, and a ping, which is not answered.
fn behind_a_message(case: Case, first: u8, payload: &str) -> Case {
    case.last(TEXT, HELLO)
        .echoes_text(HELLO)
        .frame(FIN | first, payload)
        .last(PING, "")
}
