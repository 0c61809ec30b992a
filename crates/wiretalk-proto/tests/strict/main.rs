//! The behaviours that a public conformance suite tests, and more of their kind, each in both roles and with the bytes
//! cut in several ways: see `README.md`.

mod cases;
mod deflate;
mod index;
mod subject;

use std::collections::BTreeSet;

use wiretalk_proto::Role;

use cases::{Case, Cut};

/// Plays the cases of a chapter in both roles, cut as they say and in the other ways.
fn conforms(chapter: u32, other_cuts: &[Cut], chosen: impl Fn(&Case) -> bool) {
    let mut names = BTreeSet::new();
    for case in cases::chapter(chapter).filter(chosen) {
        assert!(
            names.insert(case.name.clone()),
            "{} is there twice",
            case.name
        );
        for role in [Role::Server, Role::Client] {
            subject::play(&case, role, case.cut);
            for cut in other_cuts.iter().filter(|cut| **cut != case.cut) {
                subject::play(&case, role, *cut);
            }
        }
    }
    assert!(!names.is_empty(), "there is no such case");
}

/// Answers do not hang on how the bytes come.
const EVERY_CUT: [Cut; 5] = [
    Cut::Whole,
    Cut::Frames,
    Cut::Bytes(1),
    Cut::Bytes(3),
    Cut::Bytes(7),
];

/// RFC 6455 5.2, 5.6; suite 1.
#[test]
fn messages_of_all_length_forms_are_echoed() {
    conforms(
        1,
        &[Cut::Whole, Cut::Frames, Cut::Bytes(1), Cut::Bytes(4096)],
        |_| true,
    );
}

/// RFC 6455 5.5.2, 5.5.3; suite 2.
#[test]
fn pings_are_answered_each_and_pongs_are_not() {
    conforms(2, &EVERY_CUT, |_| true);
}

/// RFC 6455 5.2; suite 3.
#[test]
fn reserved_bits_fail_the_connection() {
    conforms(3, &EVERY_CUT, |_| true);
}

/// RFC 6455 5.2; suite 4.1.
#[test]
fn reserved_data_opcodes_fail_the_connection() {
    conforms(4, &EVERY_CUT, |case| case.name.contains("reserved data"));
}

/// RFC 6455 5.2; suite 4.2.
#[test]
fn reserved_control_opcodes_fail_the_connection() {
    conforms(4, &EVERY_CUT, |case| case.name.contains("reserved control"));
}

/// RFC 6455 5.4; suite 5.
#[test]
fn fragments_make_one_message_and_nothing_comes_between_but_control_frames() {
    conforms(5, &EVERY_CUT, |_| true);
}

/// RFC 6455 8.1; suite 6.4 is a part of them.
#[test]
fn text_is_failed_at_the_first_byte_that_cannot_be() {
    let is_partial = |case: &Case| {
        case.turns
            .iter()
            .flat_map(|turn| &turn.send)
            .any(|piece| matches!(piece, cases::Piece::Begin { .. }))
    };
    conforms(6, &EVERY_CUT, |case| {
        is_partial(case) || case.suite.starts_with("6.4.")
    });
}

/// RFC 6455 5.6, 8.1; suite 6.
#[test]
fn text_is_utf_8() {
    conforms(6, &EVERY_CUT, |_| true);
}

/// RFC 6455 5.5.1, 7; suite 7.
#[test]
fn a_close_is_answered_once_and_ends_all() {
    conforms(7, &[Cut::Whole, Cut::Frames, Cut::Bytes(7)], |_| true);
}

/// RFC 6455 5.2; suite 9.1 and 9.2.
#[test]
fn large_messages_are_echoed() {
    conforms(9, &[], |case| matches!(&case.suite[..4], "9.1." | "9.2."));
}

/// RFC 6455 5.4; suite 9.3 and 9.4.
#[test]
fn large_messages_in_fragments_are_echoed() {
    conforms(9, &[], |case| matches!(&case.suite[..4], "9.3." | "9.4."));
}

/// RFC 6455 5.2; suite 9.5 and 9.6.
#[test]
fn large_messages_in_small_pieces_are_echoed() {
    conforms(9, &[], |case| matches!(&case.suite[..4], "9.5." | "9.6."));
}

/// RFC 6455 5.2; suite 9.7 and 9.8.
#[test]
fn many_messages_one_after_another_are_echoed() {
    conforms(9, &[], |case| matches!(&case.suite[..4], "9.7." | "9.8."));
}

/// RFC 6455 5.4; suite 10.
#[test]
fn a_message_that_its_sender_fragmented_is_echoed() {
    conforms(10, &EVERY_CUT, |_| true);
}
