//! Pings and pongs (sections 5.5.2 and 5.5.3): suite 2.

use super::{Case, Cut, PING, PONG};

pub(super) fn cases() -> Vec<Case> {
    let case = |number: u32, section, name| Case::new(format!("2.{number}"), section, name);
    let longest = [0xfe; 125];
    let mut cases = vec![
        case(1, "5.5.2", "an empty ping has an empty pong")
            .last(PING, "")
            .pongs("")
            .ends_well(),
        case(2, "5.5.2", "a ping with text is answered with it")
            .last(PING, "Hello, world!")
            .pongs("Hello, world!")
            .ends_well(),
        case(
            3,
            "5.5.2",
            "a ping with bytes that are no text is answered with them",
        )
        .last(PING, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")
        .pongs(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")
        .ends_well(),
        case(4, "5.5", "a ping of 125 bytes is answered with them")
            .last(PING, longest)
            .pongs(longest)
            .ends_well(),
        case(5, "5.5", "a ping of 126 bytes is refused")
            .last(PING, [0xfe; 126])
            .closes(1002),
        case(
            6,
            "5.5.2",
            "a ping of 125 bytes that comes byte by byte is answered",
        )
        .cut(Cut::Bytes(1))
        .last(PING, longest)
        .pongs(longest)
        .ends_well(),
        case(
            7,
            "5.5.3",
            "an empty pong that nobody asked for is not answered",
        )
        .last(PONG, "")
        .ends_well(),
        case(8, "5.5.3", "a pong that nobody asked for is not answered")
            .last(PONG, "unsolicited")
            .ends_well(),
        case(9, "5.5.3", "a ping behind such a pong is answered")
            .last(PONG, "unsolicited")
            .last(PING, "asked")
            .pongs("asked")
            .ends_well(),
    ];
    for (number, cut) in [(10, Cut::Whole), (11, Cut::Bytes(1))] {
        let name = format!("ten pings have ten pongs, in their order ({cut:?})");
        let mut case = Case::new(format!("2.{number}"), "5.5.2", name).cut(cut);
        for ping in 0..10 {
            let payload = format!("payload-{ping}");
            case = case.last(PING, &payload).pongs(&payload);
        }
        cases.push(case.ends_well());
    }
    cases.push(
        Case::new("", "5.5.3", "a pong of 126 bytes is refused")
            .last(PONG, [0xfe; 126])
            .closes(1002),
    );
    cases
}
