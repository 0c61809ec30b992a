use proptest::prelude::*;
use zlib_rs::{Inflate, InflateFlush};

use super::super::TAIL;
use super::{LONGEST, Table, compress, room};

fn compressed(payload: &[u8], window_bits: u8) -> Vec<u8> {
    let mut output = vec![0; room(payload.len())];
    let length = compress(payload, window_bits, &mut Table::default(), &mut output);
    output.truncate(length);
    output
}

/// What another decompressor reads, with a window of that size.
fn inflated(data: &[u8], window_bits: u8) -> Vec<u8> {
    let data = [data, &TAIL].concat();
    let mut output = vec![0; LONGEST + 1];
    let mut inflate = Inflate::new(false, window_bits);
    inflate
        .decompress(&data, &mut output, InflateFlush::SyncFlush)
        .unwrap();
    assert_eq!(inflate.total_in(), data.len() as u64);
    output.truncate(inflate.total_out() as usize);
    output
}

fn check(payload: &[u8], window_bits: u8) {
    let data = compressed(payload, window_bits);
    let read = inflated(&data, window_bits);
    assert!(read == payload, "{payload:x?} became {read:x?}");
}

/// Bytes that hardly come again in the same order.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn the_example_of_section_7_2_3_1() {
    let expected = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    assert_eq!(compressed(b"Hello", 15), expected);
}

#[test]
fn every_byte() {
    let all: Vec<u8> = (0..=255).collect();
    for byte in 0..=255 {
        check(&[byte], 15);
    }
    for length in 0..=256 {
        check(&all[..length], 15);
    }
}

#[test]
fn every_length_of_a_match() {
    for length in 1..=600 {
        let run = vec![7; length];
        check(&run, 15);
        let payload = [&run, &b"between"[..], &run].concat();
        check(&payload, 15);
    }
}

#[test]
fn every_distance_within_the_window_and_none_beyond() {
    let noise = noise(LONGEST);
    for distance in (4..300).chain((300..LONGEST - 8).step_by(61)) {
        let mut payload = noise[..distance].to_vec();
        payload.extend_from_within(..distance.min(8));
        for window_bits in [9, 10, 12, 15] {
            check(&payload, window_bits);
        }
    }
    for window_bits in 9..=13 {
        let window = 1 << window_bits;
        for (distance, is_shorter) in [(window - 1, true), (window, true), (window + 1, false)] {
            let mut payload = noise[..distance].to_vec();
            let alone = compressed(&payload, window_bits).len();
            payload.extend_from_within(..200);
            let again = compressed(&payload, window_bits).len();
            assert_eq!(again - alone < 100, is_shorter, "{distance} of {window}");
        }
    }
}

#[test]
fn the_longest_message_becomes_no_longer_than_there_is_room() {
    let noise: Vec<u8> = noise(LONGEST).iter().map(|byte| 0x90 | byte).collect();
    for length in [0, 1, 7, 8, 9, LONGEST - 1, LONGEST] {
        check(&noise[..length], 15);
        check(&vec![0; length], 15);
    }
}

#[test]
fn text_that_repeats_itself_becomes_small() {
    let text = r#"{"id":17,"name":"thing","price":250},"#.repeat(100);
    let length = compressed(text.as_bytes(), 15).len();
    assert!(length < 150, "{length}");
}

proptest! {
    #[test]
    fn whatever_is_compressed_is_read(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                prop::collection::vec(97..101u8, 0..200),
                (any::<u8>(), 0..400usize).prop_map(|(byte, length)| vec![byte; length]),
            ],
            0..20,
        ),
        window_bits in 9..=15u8,
    ) {
        check(&pieces.concat(), window_bits);
    }
}
