//! Messages in fragments (section 5.4): suite 5.

use super::{BINARY, CLOSE, CONTINUATION as MORE, Case, Cut, FIN, PING, PONG, TEXT};

/// Three ways to cut the same bytes, and what to call them.
const CUTS: [(Cut, &str); 3] = [
    (Cut::Whole, "in one go"),
    (Cut::Frames, "frame by frame"),
    (Cut::Bytes(1), "byte by byte"),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("5.1", "5.5", "a ping in two fragments is refused")
            .frame(PING, "fragment1")
            .last(MORE, "fragment2")
            .closes(1002),
        Case::new("5.2", "5.5", "a pong in two fragments is refused")
            .frame(PONG, "fragment1")
            .last(MORE, "fragment2")
            .closes(1002),
        Case::new("", "5.5", "a close in two fragments is refused")
            .frame(CLOSE, [0x03, 0xe8])
            .last(MORE, "fragment2")
            .closes(1002),
    ];
    for (index, (cut, how)) in CUTS.into_iter().enumerate() {
        let name = format!("a text in two fragments is echoed as one ({how})");
        cases.push(
            Case::new(format!("5.{}", 3 + index), "5.4", name)
                .cut(cut)
                .frame(TEXT, "fragment1")
                .last(MORE, "fragment2")
                .echoes_text("fragment1fragment2")
                .ends_well(),
        );
        let name = format!("a ping between two fragments is answered first ({how})");
        cases.push(
            Case::new(format!("5.{}", 6 + index), "5.4", name)
                .cut(cut)
                .frame(TEXT, "fragment1")
                .last(PING, "ping")
                .last(MORE, "fragment2")
                .pongs("ping")
                .echoes_text("fragment1fragment2")
                .ends_well(),
        );
        for (number, first) in [(9, FIN | MORE), (12, MORE)] {
            let fin = if first == MORE { "without" } else { "with" };
            let name = format!("a continuation {fin} FIN of nothing is refused ({how})");
            cases.push(
                Case::new(format!("5.{}", number + index), "5.4", name)
                    .cut(cut)
                    .frame(first, "non-continuation")
                    .last(TEXT, "Hello, world!")
                    .closes(1002),
            );
        }
    }
    cases.push(
        Case::new(
            "5.15",
            "5.4",
            "a continuation behind a message that has ended is refused",
        )
        .frame(TEXT, "fragment1")
        .last(MORE, "fragment2")
        .frame(MORE, "fragment3")
        .last(TEXT, "fragment4")
        .echoes_text("fragment1fragment2")
        .closes(1002),
    );
    for (number, first) in [(16, MORE), (17, FIN | MORE)] {
        let name = format!("a continuation {first:#x} of nothing before each message is refused");
        let mut case = Case::new(format!("5.{number}"), "5.4", name);
        for _ in 0..2 {
            case = case
                .frame(first, "fragment1")
                .frame(TEXT, "fragment2")
                .last(MORE, "fragment3");
        }
        cases.push(case.closes(1002));
    }
    cases.push(
        Case::new(
            "5.18",
            "5.4",
            "a second fragment with an opcode of its own is refused",
        )
        .frame(TEXT, "fragment1")
        .last(TEXT, "fragment2")
        .closes(1002),
    );
    for (number, cut) in [(19, Cut::Whole), (20, Cut::Frames)] {
        let name =
            format!("pings between fragments are answered before the message ends ({cut:?})");
        cases.push(
            Case::new(format!("5.{number}"), "5.4", name)
                .cut(cut)
                .frame(TEXT, "fragment1")
                .frame(MORE, "fragment2")
                .last(PING, "pongme 1!")
                .pongs("pongme 1!")
                .then()
                .frame(MORE, "fragment3")
                .frame(MORE, "fragment4")
                .last(PING, "pongme 2!")
                .last(MORE, "fragment5")
                .pongs("pongme 2!")
                .echoes_text("fragment1fragment2fragment3fragment4fragment5")
                .ends_well(),
        );
    }
    let interleaved = [(TEXT, BINARY), (BINARY, TEXT), (BINARY, BINARY)];
    for (first, second) in interleaved {
        for fin in [0, FIN] {
            let second = fin | second;
            let name = format!("a frame {second:#x} within a message of opcode {first} is refused");
            let case = Case::new("", "5.4", name).frame(first, "begun");
            cases.push(case.frame(second, "interleaved").closes(1002));
        }
    }
    cases.push(
        Case::new(
            "",
            "5.4",
            "empty fragments are fragments, and may be all there is",
        )
        .frame(TEXT, "")
        .frame(MORE, "")
        .last(MORE, "")
        .echoes_text("")
        .frame(BINARY, "")
        .frame(MORE, "a")
        .last(MORE, "")
        .echoes_binary("a")
        .ends_well(),
    );
    cases.push(
        Case::new("", "5.5.3", "a pong between two fragments changes nothing")
            .frame(BINARY, "a")
            .last(PONG, "unsolicited")
            .last(MORE, "b")
            .echoes_binary("ab")
            .ends_well(),
    );
    cases
}
