use proptest::prelude::*;

use super::{BLOCK, LONG, apply};

/// Section 5.3 to the letter: byte i is XORed with byte i modulo 4 of the key.
fn by_the_letter(payload: &[u8], key: [u8; 4], offset: u64) -> Vec<u8> {
    (offset..)
        .zip(payload)
        .map(|(i, byte)| byte ^ key[(i % 4) as usize])
        .collect()
}

#[test]
fn the_example_of_section_5_7_unmasks_to_hello() {
    let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
    apply(&mut payload, [0x37, 0xfa, 0x21, 0x3d], 0);
    assert_eq!(&payload, b"Hello");
}

proptest! {
    #[test]
    fn agrees_with_the_letter_at_any_offset(
        payload in prop::collection::vec(any::<u8>(), 0..300),
        key: [u8; 4],
        offset: u64,
        skip in 0..70usize,
    ) {
        // `skip` moves the beginning off any alignment.
        let skip = skip.min(payload.len());
        let offset = offset / 2;
        let mut masked = payload.clone();
        apply(&mut masked[skip..], key, offset);
        prop_assert_eq!(&masked[..skip], &payload[..skip]);
        prop_assert_eq!(&masked[skip..], by_the_letter(&payload[skip..], key, offset));
    }

    #[test]
    fn twice_is_not_at_all(payload in prop::collection::vec(any::<u8>(), 0..300), key: [u8; 4], offset: u64) {
        let mut masked = payload.clone();
        apply(&mut masked, key, offset);
        apply(&mut masked, key, offset);
        prop_assert_eq!(masked, payload);
    }

    #[test]
    fn in_two_pieces_is_as_in_one(
        payload in prop::collection::vec(any::<u8>(), 0..300),
        key: [u8; 4],
        cut: prop::sample::Index,
    ) {
        let cut = cut.index(payload.len() + 1);
        let mut whole = payload.clone();
        apply(&mut whole, key, 0);
        let mut pieces = payload;
        let (left, right) = pieces.split_at_mut(cut);
        apply(left, key, 0);
        apply(right, key, cut as u64);
        prop_assert_eq!(pieces, whole);
    }
}

/// The loop for wide registers against the definition, at lengths around its blocks and at any alignment.
#[test]
fn long_payloads_are_masked_byte_for_byte_as_section_5_3_says() {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    for length in [LONG - 1, LONG, LONG + 1, LONG + BLOCK - 1, 3 * LONG + 5] {
        for skip in 0..4 {
            let original: Vec<u8> = (0..length + skip).map(|at| (at * 7) as u8).collect();
            let mut payload = original.clone();
            apply(&mut payload[skip..], key, 3);
            for (at, (masked, byte)) in payload[skip..].iter().zip(&original[skip..]).enumerate() {
                assert_eq!(
                    *masked,
                    byte ^ key[(at + 3) % 4],
                    "length {length}, byte {at}"
                );
            }
        }
    }
}
