//! What is refused, by which section, with which code, and that it is refused with the byte that shows it.

use wiretalk_proto::{CloseCode, Config, Limits, OpCode, ProtocolErrorKind as Kind, Role, State};

use crate::pair::{Endpoint, Heard, frame_to};

/// An endpoint takes `wire` until its last byte, with which it refuses; or all of it at once, with the same verdict.
/// The close frame that it sends carries `code`.
fn refuses_within(
    limits: Limits,
    role: Role,
    wire: &[u8],
    kind: Kind,
    section: &str,
    code: CloseCode,
) {
    let config = Config {
        limits,
        ..Config::default()
    };
    let (last, before) = wire.split_last().expect("there are bytes");
    let mut slow = Endpoint::new(role, config);
    for byte in before {
        slow.read(&[*byte]);
    }
    let heard = slow.heard();
    assert!(
        !heard.iter().any(|heard| matches!(heard, Heard::Broken(_))),
        "refused too early: {heard:?}"
    );
    assert_eq!(slow.state(), State::Open);
    slow.read(&[*last]);

    let mut quick = Endpoint::new(role, config);
    quick.read(wire);

    for mut endpoint in [slow, quick] {
        let Some(Heard::Broken(error)) = endpoint.heard().pop() else {
            panic!("not refused: {wire:x?}")
        };
        assert_eq!(
            (error.kind(), error.section(), error.code()),
            (kind, section, code),
            "{wire:x?}"
        );
        assert_eq!(endpoint.state(), State::Closed);
        let mut peer = Endpoint::new(
            if role == Role::Client {
                Role::Server
            } else {
                Role::Client
            },
            Config::default(),
        );
        peer.read(&endpoint.outbox);
        let Some(Heard::Close(Some((sent, reason)))) = peer.heard().pop() else {
            panic!("no close frame came")
        };
        assert_eq!(sent, code.as_u16());
        assert!(
            error.to_string().starts_with(&reason) && !reason.is_empty(),
            "{reason}"
        );
    }
}

fn refuses(role: Role, wire: &[u8], kind: Kind, section: &str, code: CloseCode) {
    refuses_within(Limits::default(), role, wire, kind, section, code);
}

const ROLES: [Role; 2] = [Role::Client, Role::Server];
const PROTOCOL_ERROR: CloseCode = CloseCode::PROTOCOL_ERROR;

/// The first two bytes of a frame to `role`, the second one with the mask bit as the role wants it.
fn start_to(role: Role, first: u8, second: u8) -> Vec<u8> {
    vec![
        first,
        if role == Role::Server {
            second | 0x80
        } else {
            second
        },
    ]
}

#[test]
fn section_5_1_a_server_refuses_a_frame_without_a_mask() {
    refuses(
        Role::Server,
        &[0x81, 0x05],
        Kind::Unmasked,
        "RFC 6455 5.1",
        PROTOCOL_ERROR,
    );
    refuses(
        Role::Server,
        &[0x88, 0x00],
        Kind::Unmasked,
        "RFC 6455 5.1",
        PROTOCOL_ERROR,
    );
}

#[test]
fn section_5_1_a_client_refuses_a_masked_frame() {
    refuses(
        Role::Client,
        &[0x81, 0x85],
        Kind::Masked,
        "RFC 6455 5.1",
        PROTOCOL_ERROR,
    );
    refuses(
        Role::Client,
        &[0x89, 0x80],
        Kind::Masked,
        "RFC 6455 5.1",
        PROTOCOL_ERROR,
    );
}

#[test]
fn section_5_2_reserved_bits() {
    for role in ROLES {
        for rsv in 1..8u8 {
            for opcode in [0x1, 0x2, 0x8, 0x9, 0xA] {
                let first = 0x80 | rsv << 4 | opcode;
                refuses(
                    role,
                    &[first],
                    Kind::ReservedBits(rsv),
                    "RFC 6455 5.2",
                    PROTOCOL_ERROR,
                );
            }
        }
    }
}

#[test]
fn section_5_2_reserved_opcodes() {
    for role in ROLES {
        for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF] {
            refuses(
                role,
                &[0x80 | opcode],
                Kind::ReservedOpCode(opcode),
                "RFC 6455 5.2",
                PROTOCOL_ERROR,
            );
        }
    }
}

#[test]
fn section_5_2_lengths_that_are_not_minimal() {
    for role in ROLES {
        for length in [0, 1, 125u16] {
            let mut wire = start_to(role, 0x82, 126);
            wire.extend_from_slice(&length.to_be_bytes());
            let kind = Kind::LengthNotMinimal {
                length: length.into(),
            };
            refuses(role, &wire, kind, "RFC 6455 5.2", PROTOCOL_ERROR);
        }
        for length in [0, 125, 126, 65_535u64] {
            let mut wire = start_to(role, 0x82, 127);
            wire.extend_from_slice(&length.to_be_bytes());
            refuses(
                role,
                &wire,
                Kind::LengthNotMinimal { length },
                "RFC 6455 5.2",
                PROTOCOL_ERROR,
            );
        }
    }
}

#[test]
fn section_5_2_a_length_with_its_highest_bit_set() {
    for role in ROLES {
        let mut wire = start_to(role, 0x82, 127);
        wire.push(0x80);
        refuses(
            role,
            &wire,
            Kind::LengthOutOfRange,
            "RFC 6455 5.2",
            PROTOCOL_ERROR,
        );
    }
}

#[test]
fn section_5_4_a_continuation_of_nothing() {
    for role in ROLES {
        for first in [0x00, 0x80] {
            refuses(
                role,
                &[first],
                Kind::UnexpectedContinuation,
                "RFC 6455 5.4",
                PROTOCOL_ERROR,
            );
        }
        let mut after_a_whole_message = frame_to(role, 0x81, b"whole");
        after_a_whole_message.push(0x80);
        refuses(
            role,
            &after_a_whole_message,
            Kind::UnexpectedContinuation,
            "RFC 6455 5.4",
            PROTOCOL_ERROR,
        );
    }
}

#[test]
fn section_5_4_a_new_message_within_a_fragmented_one() {
    for role in ROLES {
        for (first, opcode) in [
            (0x81, OpCode::Text),
            (0x01, OpCode::Text),
            (0x82, OpCode::Binary),
            (0x02, OpCode::Binary),
        ] {
            let mut wire = frame_to(role, 0x01, b"begun");
            wire.extend(frame_to(role, 0x89, b"a ping does not end it"));
            wire.push(first);
            refuses(
                role,
                &wire,
                Kind::ExpectedContinuation(opcode),
                "RFC 6455 5.4",
                PROTOCOL_ERROR,
            );
        }
    }
}

#[test]
fn section_5_5_control_frames_in_fragments() {
    for role in ROLES {
        for (first, opcode) in [
            (0x08, OpCode::Close),
            (0x09, OpCode::Ping),
            (0x0A, OpCode::Pong),
        ] {
            refuses(
                role,
                &[first],
                Kind::FragmentedControl(opcode),
                "RFC 6455 5.5",
                PROTOCOL_ERROR,
            );
        }
    }
}

#[test]
fn section_5_5_control_frames_over_125_bytes() {
    for role in ROLES {
        for (first, opcode) in [
            (0x88, OpCode::Close),
            (0x89, OpCode::Ping),
            (0x8A, OpCode::Pong),
        ] {
            for length in [126, 127] {
                let wire = start_to(role, first, length);
                refuses(
                    role,
                    &wire,
                    Kind::ControlTooLong(opcode),
                    "RFC 6455 5.5",
                    PROTOCOL_ERROR,
                );
            }
        }
    }
}

#[test]
fn section_5_5_1_a_close_frame_with_one_byte() {
    for role in ROLES {
        let wire = frame_to(role, 0x88, &[0x03]);
        refuses(
            role,
            &wire,
            Kind::ClosePayloadOfOneByte,
            "RFC 6455 5.5.1",
            PROTOCOL_ERROR,
        );
    }
}

#[test]
fn section_5_5_1_a_close_reason_that_is_not_utf_8() {
    for role in ROLES {
        let wire = frame_to(role, 0x88, b"\x03\xe8caf\xe9");
        let kind = Kind::InvalidUtf8InCloseReason { at: 3 };
        refuses(
            role,
            &wire,
            kind,
            "RFC 6455 5.5.1",
            CloseCode::INVALID_PAYLOAD,
        );
        // Cut within a character.
        let wire = frame_to(role, 0x88, b"\x03\xe8\xe2\x82");
        let kind = Kind::InvalidUtf8InCloseReason { at: 0 };
        refuses(
            role,
            &wire,
            kind,
            "RFC 6455 5.5.1",
            CloseCode::INVALID_PAYLOAD,
        );
    }
}

#[test]
fn section_5_5_1_anything_after_a_close_frame() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role, Config::default());
        endpoint.read(&frame_to(role, 0x88, &[0x03, 0xe8]));
        assert_eq!(
            endpoint.heard(),
            [Heard::Close(Some((1000, String::new())))]
        );
        let answered = endpoint.outbox.clone();
        endpoint.read(&frame_to(role, 0x81, b"more"));
        let [Heard::Broken(error)] = endpoint.heard()[..] else {
            panic!("not refused")
        };
        assert_eq!(
            (error.kind(), error.section()),
            (Kind::DataAfterClose, "RFC 6455 5.5.1")
        );
        assert_eq!(endpoint.outbox, answered, "one close frame is enough");
    }
}

#[test]
fn section_7_4_close_codes_that_may_not_be_on_the_wire() {
    for role in ROLES {
        for code in [
            0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535u16,
        ] {
            let wire = frame_to(role, 0x88, &code.to_be_bytes());
            let kind = Kind::InvalidCloseCode(CloseCode::new(code));
            refuses(role, &wire, kind, "RFC 6455 7.4", PROTOCOL_ERROR);
        }
    }
}

/// A text that is broken at byte `at` is refused with the last byte of `shown`, before the frame is whole.
fn refuses_text(shown: &[u8], at: u64) {
    for role in ROLES {
        let kind = Kind::InvalidUtf8 { at };
        // The rest of a frame that announces 100 bytes more has not come.
        let mut wire = frame_to(role, 0x81, &[shown, &[b'x'; 100]].concat());
        wire.truncate(wire.len() - 100);
        refuses(
            role,
            &wire,
            kind,
            "RFC 6455 8.1",
            CloseCode::INVALID_PAYLOAD,
        );

        // The same over two frames, the second one unfinished too.
        let (first, second) = shown.split_at(shown.len() / 2);
        let mut wire = frame_to(role, 0x01, first);
        wire.extend(frame_to(role, 0x80, &[second, &[b'x'; 100]].concat()));
        wire.truncate(wire.len() - 100);
        refuses(
            role,
            &wire,
            kind,
            "RFC 6455 8.1",
            CloseCode::INVALID_PAYLOAD,
        );
    }
}

#[test]
fn section_8_1_text_that_is_not_utf_8_is_refused_at_its_first_bad_byte() {
    refuses_text(b"caf\xe9 ", 3);
    refuses_text(b"\xff", 0);
    refuses_text(b"\xc0", 0);
    refuses_text(b"ab\xed\xa0", 2);
    refuses_text(b"\xce\xba\xe1\xbd\xb9\xf4\x90", 5);
}

#[test]
fn section_8_1_whole_text_that_is_not_utf_8_is_refused_at_the_same_place() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role, Config::default());
        let long = "x".repeat(200);
        endpoint.read(&frame_to(
            role,
            0x81,
            &[long.as_bytes(), b"\xc3(", long.as_bytes()].concat(),
        ));
        let [Heard::Broken(error)] = endpoint.heard()[..] else {
            panic!("not refused")
        };
        assert_eq!(error.kind(), Kind::InvalidUtf8 { at: 200 });
    }
}

#[test]
fn section_8_1_a_text_that_ends_within_a_character() {
    for role in ROLES {
        let kind = Kind::InvalidUtf8 { at: 1 };
        let wire = frame_to(role, 0x81, b"a\xf0\x9f\x92");
        refuses(
            role,
            &wire,
            kind,
            "RFC 6455 8.1",
            CloseCode::INVALID_PAYLOAD,
        );
        let mut wire = frame_to(role, 0x01, b"a\xf0\x9f");
        wire.extend(frame_to(role, 0x80, b"\x92"));
        refuses(
            role,
            &wire,
            kind,
            "RFC 6455 8.1",
            CloseCode::INVALID_PAYLOAD,
        );
    }
}

#[test]
fn section_10_4_a_frame_over_the_limit_is_refused_at_its_header() {
    let limits = Limits {
        frame_size: 1000,
        ..Limits::default()
    };
    for role in ROLES {
        let mut wire = frame_to(role, 0x82, &[0; 1001]);
        wire.truncate(wire.len() - 1001);
        let kind = Kind::FrameTooBig {
            length: 1001,
            limit: 1000,
        };
        refuses_within(
            limits,
            role,
            &wire,
            kind,
            "RFC 6455 10.4",
            CloseCode::TOO_BIG,
        );

        let mut endpoint = Endpoint::new(
            role,
            Config {
                limits,
                ..Config::default()
            },
        );
        endpoint.read(&frame_to(role, 0x82, &[0; 1000]));
        assert_eq!(endpoint.heard(), [Heard::Binary(vec![0; 1000])]);
    }
}

#[test]
fn section_10_4_a_message_over_the_limit_is_refused_at_the_header_that_passes_it() {
    let limits = Limits {
        message_size: 1000,
        ..Limits::default()
    };
    for role in ROLES {
        let mut wire = frame_to(role, 0x02, &[0; 600]);
        let second = frame_to(role, 0x80, &[0; 401]);
        wire.extend_from_slice(&second[..second.len() - 401]);
        let kind = Kind::MessageTooBig {
            length: 1001,
            limit: 1000,
        };
        refuses_within(
            limits,
            role,
            &wire,
            kind,
            "RFC 6455 10.4",
            CloseCode::TOO_BIG,
        );

        let mut endpoint = Endpoint::new(
            role,
            Config {
                limits,
                ..Config::default()
            },
        );
        endpoint.read(&frame_to(role, 0x02, &[0; 600]));
        endpoint.read(&frame_to(role, 0x80, &[0; 400]));
        endpoint.read(&frame_to(role, 0x82, &[0; 1000]));
        assert_eq!(
            endpoint.heard(),
            [Heard::Binary(vec![0; 1000]), Heard::Binary(vec![0; 1000])]
        );
    }
}

#[test]
fn section_10_4_too_many_fragments() {
    let limits = Limits {
        fragments: 3,
        ..Limits::default()
    };
    for role in ROLES {
        let three = [
            frame_to(role, 0x02, b""),
            frame_to(role, 0x00, b"a"),
            frame_to(role, 0x00, b""),
        ]
        .concat();
        let fourth = frame_to(role, 0x80, b"");
        let kind = Kind::TooManyFragments { limit: 3 };
        let wire = [&three[..], &fourth].concat();
        refuses_within(
            limits,
            role,
            &wire,
            kind,
            "RFC 6455 10.4",
            CloseCode::POLICY,
        );

        let mut endpoint = Endpoint::new(
            role,
            Config {
                limits,
                ..Config::default()
            },
        );
        endpoint.read(&frame_to(role, 0x02, b"a"));
        endpoint.read(&frame_to(role, 0x00, b"b"));
        endpoint.read(&frame_to(role, 0x80, b"c"));
        assert_eq!(endpoint.heard(), [Heard::Binary(b"abc".to_vec())]);
    }
}

#[test]
fn every_refusal_is_a_sentence_that_fits_into_a_close_reason() {
    let number = u64::MAX;
    let kinds = [
        Kind::ReservedBits(7),
        Kind::ReservedOpCode(0xF),
        Kind::FragmentedControl(OpCode::Close),
        Kind::ControlTooLong(OpCode::Close),
        Kind::Unmasked,
        Kind::Masked,
        Kind::LengthNotMinimal { length: 65_535 },
        Kind::LengthOutOfRange,
        Kind::UnexpectedContinuation,
        Kind::ExpectedContinuation(OpCode::Binary),
        Kind::ClosePayloadOfOneByte,
        Kind::InvalidCloseCode(CloseCode::TLS_HANDSHAKE),
        Kind::InvalidUtf8 { at: number },
        Kind::InvalidUtf8InCloseReason { at: 122 },
        Kind::DataAfterClose,
        Kind::FrameTooBig {
            length: number,
            limit: number,
        },
        Kind::MessageTooBig {
            length: number,
            limit: number,
        },
        Kind::TooManyFragments { limit: u32::MAX },
    ];
    for kind in kinds {
        let sentence = kind.to_string();
        assert!(sentence.len() <= wiretalk_proto::REASON_LIMIT, "{sentence}");
    }
}
