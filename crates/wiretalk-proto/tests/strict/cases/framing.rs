//! Messages of one frame (section 5.2): suite 1.

use super::{BINARY, Case, Cut, TEXT};

/// Around the lengths at which the header changes its form.
const LENGTHS: [usize; 7] = [0, 125, 126, 127, 128, 65_535, 65_536];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (chapter, opcode, byte, kind) in [(1, TEXT, b'*', "text"), (2, BINARY, 0xfe, "binary")] {
        let case = |number: usize, length: usize| {
            let payload = vec![byte; length];
            let case = Case::new(
                format!("1.{chapter}.{number}"),
                "5.6",
                format!("a {kind} message of {length} bytes is echoed"),
            )
            .last(opcode, &payload);
            let case = if opcode == TEXT {
                case.echoes_text(&payload)
            } else {
                case.echoes_binary(&payload)
            };
            case.ends_well()
        };
        cases.extend(
            (1..)
                .zip(LENGTHS)
                .map(|(number, length)| case(number, length)),
        );
        let mut in_pieces = case(8, 65_536).cut(Cut::Bytes(997));
        in_pieces.name += ", come as it may";
        cases.push(in_pieces);
    }
    cases
}
