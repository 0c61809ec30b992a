//! Large messages, many fragments and many messages: suite 9 and 10.

use super::{BINARY, CONTINUATION, Case, Cut, FIN, TEXT};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

const LENGTHS: [usize; 6] = [64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB];
const FRAGMENTS: [usize; 9] = [
    64,
    256,
    KIB,
    4 * KIB,
    16 * KIB,
    64 * KIB,
    256 * KIB,
    MIB,
    4 * MIB,
];
const CHOPS: [usize; 6] = [64, 128, 256, 512, 1024, 2048];
const SMALL: [usize; 6] = [0, 16, 64, 256, 1024, 4096];

/// One at a time, for together they are large.
pub(super) fn cases() -> impl Iterator<Item = Case> {
    (1..9).flat_map(|chapter| (1..).map_while(move |number| case(chapter, number)))
}

/// Suite 9.`chapter`.`number`; odd chapters are of text, the even ones behind them the same of binary messages.
fn case(chapter: usize, number: usize) -> Option<Case> {
    let (opcode, byte, kind) = if chapter % 2 == 1 {
        (TEXT, b'*', "text")
    } else {
        (BINARY, 0xfe, "binary")
    };
    let echoes = |case: Case, payload: &[u8]| {
        if opcode == TEXT {
            case.echoes_text(payload)
        } else {
            case.echoes_binary(payload)
        }
    };
    let named = |section, name: String| Case::new(format!("9.{chapter}.{number}"), section, name);
    let index = number - 1;
    Some(match chapter {
        1 | 2 => {
            let payload = vec![byte; *LENGTHS.get(index)?];
            let name = format!("a {kind} message of {} KiB is echoed", payload.len() / KIB);
            echoes(named("5.2", name).last(opcode, &payload), &payload).ends_well()
        }
        3 | 4 => {
            let payload = vec![byte; 4 * MIB];
            let length = *FRAGMENTS.get(index)?;
            let name =
                format!("a {kind} message of 4 MiB in fragments of {length} bytes is echoed");
            let case = fragmented(named("5.4", name), opcode, &payload, length);
            echoes(case, &payload).ends_well()
        }
        5 | 6 => {
            let payload = vec![byte; MIB];
            let chop = *CHOPS.get(index)?;
            let name =
                format!("a {kind} message of 1 MiB that comes {chop} bytes at a time is echoed");
            let case = named("5.2", name)
                .cut(Cut::Bytes(chop))
                .last(opcode, &payload);
            echoes(case, &payload).ends_well()
        }
        _ => {
            let payload = vec![byte; *SMALL.get(index)?];
            let name = format!(
                "1000 {kind} messages of {} bytes are echoed, one after another",
                payload.len()
            );
            let mut case = named("5.2", name);
            for _ in 0..1000 {
                case = echoes(case.last(opcode, &payload), &payload).then();
            }
            case.ends_well()
        }
    })
}

pub(super) fn auto_fragmented() -> Vec<Case> {
    let payload = vec![b'*'; 65_536];
    let name = "a text of 65,536 bytes in fragments of 1,300 is echoed";
    let case = fragmented(Case::new("10.1.1", "5.4", name), TEXT, &payload, 1300);
    vec![case.echoes_text(&payload).ends_well()]
}

/// A message in fragments. One whose length is a multiple of theirs ends with an empty fragment.
fn fragmented(mut case: Case, opcode: u8, payload: &[u8], length: usize) -> Case {
    let mut first = opcode;
    for fragment in payload.chunks(length) {
        if fragment.len() < length {
            return case.frame(FIN | first, fragment);
        }
        case = case.frame(first, fragment);
        first = CONTINUATION;
    }
    case.frame(FIN | first, "")
}
