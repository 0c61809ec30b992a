//! Text that is UTF-8, and text that is not (sections 5.6 and 8.1): suite 6.

use super::{CONTINUATION as MORE, Case, FIN, TEXT};

/// U+03BA U+1F79 U+03C3 U+03BC U+03B5.
const GREEK: &[u8] = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
/// A surrogate, which UTF-8 does not have.
const SURROGATE: &[u8] = b"\xed\xa0\x80";
/// What would be U+110000. The second byte shows it.
const TOO_HIGH: &[u8] = b"\xf4\x90\x80\x80";
const EDITED: &[u8] = b"edited";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = messages();
    cases.extend(fail_fast());
    for (chapter, (name, sequences)) in (5..).zip(sequences()) {
        for (number, (valid, bytes)) in (1..).zip(sequences) {
            let suite = format!("6.{chapter}.{number}");
            let shown: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let verdict = if valid { "echoed" } else { "refused" };
            let case = Case::new(suite, "8.1", format!("{name}: {shown} is {verdict}"));
            let case = case.last(TEXT, &bytes);
            cases.push(if valid {
                case.echoes_text(&bytes).ends_well()
            } else {
                case.closes(1007)
            });
        }
    }
    cases
}

fn messages() -> Vec<Case> {
    let case = |suite: &str, name: &str| Case::new(suite, "5.6", name);
    let broken = [GREEK, SURROGATE, EDITED].concat();
    let first = "Hello-\u{b5}@\u{df}\u{f6}\u{e4}";
    let second = "\u{fc}\u{e0}\u{e1}-UTF-8!!";
    let both = format!("{first}{second}");
    vec![
        case("6.1.1", "an empty text is echoed")
            .last(TEXT, "")
            .echoes_text("")
            .ends_well(),
        case("6.1.2", "a text of three empty fragments is echoed")
            .frame(TEXT, "")
            .frame(MORE, "")
            .last(MORE, "")
            .echoes_text("")
            .ends_well(),
        case(
            "6.1.3",
            "a text whose first and last fragments are empty is echoed",
        )
        .frame(TEXT, "")
        .frame(MORE, "middle frame payload")
        .last(MORE, "")
        .echoes_text("middle frame payload")
        .ends_well(),
        case("6.2.1", "a text of several alphabets is echoed")
            .last(TEXT, &both)
            .echoes_text(&both)
            .ends_well(),
        case("6.2.2", "a text cut between characters is echoed")
            .frame(TEXT, first)
            .last(MORE, second)
            .echoes_text(&both)
            .ends_well(),
        in_single_bytes(
            case("6.2.3", "a text in fragments of one byte is echoed"),
            both.as_bytes(),
        )
        .echoes_text(&both)
        .ends_well(),
        in_single_bytes(
            case("6.2.4", "a Greek text in fragments of one byte is echoed"),
            GREEK,
        )
        .echoes_text(GREEK)
        .ends_well(),
        case("6.3.1", "a text that is not UTF-8 is refused")
            .last(TEXT, &broken)
            .closes(1007),
        in_single_bytes(
            case(
                "6.3.2",
                "a text in fragments of one byte that is not UTF-8 is refused",
            ),
            &broken,
        )
        .closes(1007),
    ]
}

/// One byte a frame, and an empty frame at the end.
fn in_single_bytes(mut case: Case, text: &[u8]) -> Case {
    for (index, byte) in text.iter().enumerate() {
        case = case.frame(if index == 0 { TEXT } else { MORE }, [*byte]);
    }
    case.last(MORE, "")
}

/// The connection fails with the first byte that cannot be, though neither the frame nor the message is whole. What is
/// before it passes.
fn fail_fast() -> Vec<Case> {
    let case = |suite: &str, name: &str| Case::new(suite, "8.1", name);
    let length = GREEK.len() + TOO_HIGH.len() + EDITED.len();
    let text = [GREEK, TOO_HIGH, EDITED].concat();
    let mut cases = vec![
        case(
            "6.4.1",
            "a fragment that cannot be UTF-8 is refused when it comes",
        )
        .frame(TEXT, GREEK)
        .then()
        .frame(MORE, TOO_HIGH)
        .closes(1007),
        case(
            "6.4.2",
            "a fragment of one byte that cannot be is refused when it comes",
        )
        .frame(TEXT, &text[..12])
        .then()
        .frame(MORE, &text[12..13])
        .closes(1007),
        case(
            "6.4.3",
            "a part of a frame that cannot be UTF-8 is refused when it comes",
        )
        .begin(FIN | TEXT, length, GREEK)
        .then()
        .more(GREEK.len(), TOO_HIGH)
        .closes(1007),
        case(
            "6.4.4",
            "the first byte that cannot be is refused when it comes",
        )
        .begin(FIN | TEXT, length, &text[..12])
        .then()
        .more(12, &text[12..13])
        .closes(1007),
        case("", "a text frame of 60 MiB is refused at its first byte")
            .begin(FIN | TEXT, 60 << 20, [0xff])
            .closes(1007),
    ];
    for (name, text, valid) in [
        ("a surrogate", &b"a\xed\xa0"[..], 2),
        ("an overlong form", b"ab\xe0\x9f", 3),
        ("a continuation byte", b"\x80", 0),
        ("0xc1", b"abc\xc1", 3),
        ("0xf5", b"\xf5", 0),
        ("a character that is broken off", b"\xf0\x9f\x92a", 3),
    ] {
        cases.push(
            case("", &format!("{name} is refused at the byte that shows it"))
                .begin(FIN | TEXT, 1000, &text[..valid])
                .then()
                .more(valid, &text[valid..])
                .closes(1007),
        );
    }
    cases
}

type Sequences = Vec<(bool, Vec<u8>)>;

/// Suite 6.5 to 6.23: what a chapter is about, and each of its sequences with whether it is UTF-8.
fn sequences() -> Vec<(&'static str, Sequences)> {
    let all = |valid: bool, list: &[&[u8]]| -> Sequences {
        list.iter().map(|bytes| (valid, bytes.to_vec())).collect()
    };
    // All that begins with a byte for a sequence of five or six: they never were characters.
    let cut_short: [&[u8]; 10] = [
        b"\xc0",
        b"\xe0\x80",
        b"\xf0\x80\x80",
        b"\xf8\x80\x80\x80",
        b"\xfc\x80\x80\x80\x80",
        b"\xdf",
        b"\xef\xbf",
        b"\xf7\xbf\xbf",
        b"\xfb\xbf\xbf\xbf",
        b"\xfd\xbf\xbf\xbf\xbf",
    ];
    let lonely =
        |bytes: std::ops::Range<u8>| (false, bytes.flat_map(|byte| [byte, b' ']).collect());
    let prefixes = (1..=GREEK.len())
        .map(|end| {
            (
                std::str::from_utf8(&GREEK[..end]).is_ok(),
                GREEK[..end].to_vec(),
            )
        })
        .collect();
    let mut boundaries = all(
        true,
        &[
            b"\xed\x9f\xbf",
            b"\xee\x80\x80",
            b"\xef\xbf\xbd",
            b"\xf4\x8f\xbf\xbf",
        ],
    );
    boundaries.extend(all(false, &[b"\xf4\x90\x80\x80"]));
    let mut continuations: Sequences = vec![(false, vec![0x80]), (false, vec![0xbf])];
    continuations.extend((2..7).map(|length| {
        let bytes = [0x80, 0xbf].iter().copied().cycle().take(length);
        (false, bytes.collect())
    }));
    continuations.push((false, (0x80..0xbf).collect()));
    // The last two code points of each plane stand for no character, and are UTF-8 all the same.
    let noncharacters = (0..=0x10u32)
        .flat_map(|plane| [plane << 16 | 0xfffe, plane << 16 | 0xffff])
        .filter_map(char::from_u32)
        .map(|character| (true, character.to_string().into_bytes()))
        .collect();
    let high = [0xd800u16, 0xdb7f, 0xdb80, 0xdbff];
    let pairs = high
        .iter()
        .flat_map(|high| [0xdc00, 0xdfff].map(|low| [surrogate(*high), surrogate(low)].concat()))
        .map(|bytes| (false, bytes))
        .collect();
    let singles = [0xd800, 0xdb7f, 0xdb80, 0xdbff, 0xdc00, 0xdf80, 0xdfff];
    vec![
        (
            "valid text",
            all(
                true,
                &[
                    b"hello\x24world",
                    b"hello\xc2\xa2world",
                    b"hello\xe2\x82\xacworld",
                    b"hello\xf0\xa4\xad\xa2world",
                    GREEK,
                ],
            ),
        ),
        ("a prefix of a valid text", prefixes),
        (
            "the first sequence of a length",
            all(
                true,
                &[b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"],
            ),
        ),
        (
            "the first sequence of five or six bytes",
            all(
                false,
                &[b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"],
            ),
        ),
        (
            "the last sequence of a length",
            all(
                true,
                &[b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"],
            ),
        ),
        (
            "the last sequence of four, five or six bytes",
            all(
                false,
                &[
                    b"\xf7\xbf\xbf\xbf",
                    b"\xfb\xbf\xbf\xbf\xbf",
                    b"\xfd\xbf\xbf\xbf\xbf\xbf",
                ],
            ),
        ),
        ("a boundary", boundaries),
        ("continuation bytes alone", continuations),
        (
            "first bytes alone",
            vec![
                lonely(0xc0..0xdf),
                lonely(0xe0..0xef),
                lonely(0xf0..0xf7),
                lonely(0xf8..0xfb),
                lonely(0xfc..0xfd),
            ],
        ),
        ("a last byte missing", all(false, &cut_short)),
        (
            "sequences broken off, one after another",
            vec![(false, cut_short.concat())],
        ),
        (
            "impossible bytes",
            all(false, &[b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"]),
        ),
        (
            "an overlong slash",
            all(
                false,
                &[
                    b"\xc0\xaf",
                    b"\xe0\x80\xaf",
                    b"\xf0\x80\x80\xaf",
                    b"\xf8\x80\x80\x80\xaf",
                    b"\xfc\x80\x80\x80\x80\xaf",
                ],
            ),
        ),
        (
            "the highest overlong sequence",
            all(
                false,
                &[
                    b"\xc1\xbf",
                    b"\xe0\x9f\xbf",
                    b"\xf0\x8f\xbf\xbf",
                    b"\xf8\x87\xbf\xbf\xbf",
                    b"\xfc\x83\xbf\xbf\xbf\xbf",
                ],
            ),
        ),
        (
            "an overlong NUL",
            all(
                false,
                &[
                    b"\xc0\x80",
                    b"\xe0\x80\x80",
                    b"\xf0\x80\x80\x80",
                    b"\xf8\x80\x80\x80\x80",
                    b"\xfc\x80\x80\x80\x80\x80",
                ],
            ),
        ),
        (
            "a surrogate alone",
            singles
                .map(|unit| (false, surrogate(unit).to_vec()))
                .to_vec(),
        ),
        ("a pair of surrogates", pairs),
        ("a code point without a character", noncharacters),
        (
            "a special character",
            (0xfff9..=0xffff)
                .filter_map(char::from_u32)
                .map(|character| (true, character.to_string().into_bytes()))
                .collect(),
        ),
    ]
}

/// A UTF-16 unit in the form of three bytes, which is not UTF-8.
fn surrogate(unit: u16) -> [u8; 3] {
    [
        0xe0 | (unit >> 12) as u8,
        0x80 | (unit >> 6 & 0x3f) as u8,
        0x80 | (unit & 0x3f) as u8,
    ]
}
