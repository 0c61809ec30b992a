use proptest::prelude::*;

use super::{Decoder, decode_whole};

/// Decodes `bytes` cut into pieces of the given sizes (again and again), and gives the text, or where it is broken and
/// how many bytes had been handed in when that was told.
fn decode(bytes: &[u8], sizes: &[usize]) -> Result<String, (u64, usize)> {
    let mut decoder = Decoder::new();
    let mut text = String::new();
    let mut rest = bytes;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(rest.len().min(*size));
        rest = after;
        decoder
            .decode(piece, |piece| text.push_str(piece))
            .map_err(|error| (error.at, bytes.len() - rest.len()))?;
    }
    decoder.finish().map_err(|error| (error.at, bytes.len()))?;
    Ok(text)
}

/// How many bytes it takes to see that `bytes` are not UTF-8; all of them if only the end shows it.
fn shown_after(bytes: &[u8]) -> usize {
    let broken = |end: &usize| {
        std::str::from_utf8(&bytes[..*end]).is_err_and(|error| error.error_len().is_some())
    };
    (0..=bytes.len()).find(broken).unwrap_or(bytes.len())
}

#[test]
fn broken_sequences_are_told_with_the_byte_that_shows_them() {
    // Bytes; valid bytes before the broken sequence; bytes that it takes to see it.
    let cases: [(&[u8], u64, usize); 12] = [
        (b"\x80", 0, 1),                                 // a continuation at the beginning
        (b"ab\xff", 2, 3),                               // never in UTF-8
        (b"\xc0\x80", 0, 1),                             // overlong NUL
        (b"\xe0\x80\x80", 0, 2),                         // overlong in three bytes
        (b"\xf0\x80\x80\x80", 0, 2),                     // overlong in four
        (b"\xed\xa0\x80", 0, 2),                         // a surrogate
        (b"\xf4\x90\x80\x80", 0, 2),                     // beyond U+10FFFF
        (b"\xf5\x80\x80\x80", 0, 1),                     // no such beginning
        (b"\xe2\x82", 0, 2),                             // unfinished
        (b"\xe2\x82A", 0, 3),                            // cut short
        (b"caf\xc3\xa9 \xf0\x9f\x92", 6, 9),             // unfinished after good text
        (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0", 7, 9), // a surrogate's first half after Greek
    ];
    for (bytes, at, shown) in cases {
        assert_eq!(decode(bytes, &[1]), Err((at, shown)), "{bytes:x?}");
        assert_eq!(
            decode(bytes, &[2]).map_err(|error| error.0),
            Err(at),
            "{bytes:x?}"
        );
        assert_eq!(
            decode_whole(bytes).map_err(|error| error.at),
            Err(at),
            "{bytes:x?}"
        );
    }
}

/// Text with a few bytes changed, cut out or put in, so that faults are near to what is valid.
fn nearly_text() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..3);
    ("\\PC{0,80}", prop::collection::vec(change, 0..3)).prop_map(|(text, changes)| {
        let mut bytes = text.into_bytes();
        for (index, byte, kind) in changes {
            let at = index.index(bytes.len() + 1);
            match kind {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                _ => bytes.truncate(at),
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn agrees_with_std_however_it_is_cut(
        bytes in prop_oneof![nearly_text(), prop::collection::vec(any::<u8>(), 0..40)],
        sizes in prop::collection::vec(1..9usize, 1..6),
    ) {
        let expected = std::str::from_utf8(&bytes).map(str::to_owned).map_err(|error| error.valid_up_to() as u64);
        prop_assert_eq!(decode(&bytes, &sizes).map_err(|error| error.0), expected.clone());
        prop_assert_eq!(decode_whole(&bytes).map(str::to_owned).map_err(|error| error.at), expected);
    }

    #[test]
    fn tells_with_the_first_byte_that_shows_it(bytes in nearly_text()) {
        if let Err((_, told)) = decode(&bytes, &[1]) {
            prop_assert_eq!(told, shown_after(&bytes));
        }
    }
}
