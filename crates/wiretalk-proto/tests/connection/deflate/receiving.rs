//! What comes compressed.

use wiretalk_proto::{
    CloseCode, Codecs, Config, Connection, DeflateConfig, Limits, OpCode,
    ProtocolErrorKind as Kind, Role,
};

use super::{agreed, alone, noise, taken_over};
use crate::pair::{Endpoint, Heard, binary, frame_to, ping, text};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// A frame's first byte and payload.
type Frame<'p> = (u8, &'p [u8]);

fn wire_to(role: Role, frames: &[Frame<'_>]) -> Vec<u8> {
    frames
        .iter()
        .flat_map(|(first, payload)| frame_to(role, *first, payload))
        .collect()
}

/// What is heard in some frames, which is the same for both roles and however the wire is cut.
fn heard_in(config: Config, frames: &[Frame<'_>]) -> Vec<Heard> {
    let mut all = Vec::new();
    for role in ROLES {
        let wire = wire_to(role, frames);
        for packet in [usize::MAX, 1, 2, 3, 7] {
            let mut endpoint = Endpoint::new(role, config);
            for packet in wire.chunks(packet) {
                endpoint.read(packet);
                if endpoint.connection.state() != wiretalk_proto::State::Open {
                    break;
                }
            }
            all.push(endpoint.heard());
        }
    }
    assert!(all.iter().all(|heard| *heard == all[0]), "{all:?}");
    all.swap_remove(0)
}

/// The frames break the protocol in this way, whichever the role and the cut.
fn refuses(config: Config, frames: &[Frame<'_>], kind: Kind, section: &str, code: CloseCode) {
    let Some(Heard::Broken(error)) = heard_in(config, frames).pop() else {
        panic!("not refused: {frames:x?}")
    };
    assert_eq!(
        (error.kind(), error.section(), error.code()),
        (kind, section, code),
        "{frames:x?}"
    );
}

/// The payloads that section 7.2.3 gives for "Hello".
const HELLO: [u8; 7] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
const HELLO_AGAIN: [u8; 5] = [0xF2, 0x00, 0x11, 0x00, 0x00];

#[test]
fn the_examples_of_section_7_2_3() {
    let hello: &[(&str, &[Frame<'_>])] = &[
        ("7.2.3.1, one block", &[(0xC1, &HELLO)]),
        (
            "7.2.3.1, two fragments",
            &[(0x41, &HELLO[..3]), (0x80, &HELLO[3..])],
        ),
        (
            "7.2.3.3, a block without compression",
            &[(0xC1, b"\x00\x05\x00\xFA\xFFHello\x00")],
        ),
        (
            "7.2.3.4, a block with BFINAL",
            &[(0xC1, &[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00])],
        ),
        (
            "7.2.3.5, two blocks",
            &[(
                0xC1,
                &[
                    0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00,
                ],
            )],
        ),
    ];
    for (name, frames) in hello {
        for config in [alone(), taken_over()] {
            assert_eq!(heard_in(config, frames), [text("Hello")], "{name}");
        }
    }
    for config in [alone(), taken_over()] {
        // 7.2.3.6.
        assert_eq!(heard_in(config, &[(0xC1, &[0x00])]), [text("")]);
        assert_eq!(heard_in(config, &[(0xC2, &[0x00])]), [binary(b"")]);
    }
    // 7.2.3.2: the second refers to the first.
    assert_eq!(
        heard_in(taken_over(), &[(0xC1, &HELLO), (0xC1, &HELLO_AGAIN)]),
        [text("Hello"), text("Hello")]
    );
}

#[test]
fn section_7_1_1_what_is_not_taken_over_cannot_be_referred_to() {
    refuses(
        alone(),
        &[(0xC1, &HELLO), (0xC1, &HELLO_AGAIN)],
        Kind::InvalidDeflate,
        "RFC 7692 7.2.2",
        CloseCode::INVALID_PAYLOAD,
    );
}

/// Each side's window is its own: that one is taken over does not mean that the other is.
#[test]
fn section_7_1_1_takeover_is_agreed_for_each_direction() {
    for (role, server, client, refused) in [
        (Role::Client, true, false, true),
        (Role::Client, false, true, false),
        (Role::Server, true, false, false),
        (Role::Server, false, true, true),
    ] {
        let config = agreed(DeflateConfig {
            server_no_context_takeover: server,
            client_no_context_takeover: client,
            ..DeflateConfig::default()
        });
        let mut endpoint = Endpoint::new(role, config);
        endpoint.read(&wire_to(role, &[(0xC1, &HELLO), (0xC1, &HELLO_AGAIN)]));
        let is_refused = matches!(endpoint.heard().last(), Some(Heard::Broken(_)));
        assert_eq!(is_refused, refused, "{role:?} {server} {client}");
    }
}

#[test]
fn section_6_messages_that_are_not_compressed_may_come_between() {
    assert_eq!(
        heard_in(
            taken_over(),
            &[
                (0xC1, &HELLO),
                (0x81, b"plain"),
                (0x01, b"in two"),
                (0x80, b" pieces"),
                (0xC1, &HELLO_AGAIN),
            ]
        ),
        [
            text("Hello"),
            text("plain"),
            text("in two pieces"),
            text("Hello")
        ]
    );
}

#[test]
fn section_6_control_frames_may_come_between_compressed_fragments() {
    assert_eq!(
        heard_in(
            alone(),
            &[
                (0x41, &HELLO[..1]),
                (0x89, b"a"),
                (0x00, &HELLO[1..4]),
                (0x00, b""),
                (0x89, b"b"),
                (0x80, &HELLO[4..]),
            ]
        ),
        [ping("a"), ping("b"), text("Hello")]
    );
}

#[test]
fn section_7_2_1_the_last_fragment_may_be_empty() {
    let mut data = HELLO.to_vec();
    assert_eq!(
        heard_in(alone(), &[(0x41, &data), (0x80, b"")]),
        [text("Hello")]
    );
    data.extend_from_slice(&[0x00, 0x00, 0xFF, 0xFF]);
    assert_eq!(
        heard_in(alone(), &[(0x41, &data), (0x80, &[0x00])]),
        [text("Hello")]
    );
}

#[test]
fn section_6_rsv1_on_anything_but_the_first_frame_of_a_message() {
    let code = CloseCode::PROTOCOL_ERROR;
    refuses(
        alone(),
        &[(0x41, &HELLO[..3]), (0xC0, &HELLO[3..])],
        Kind::CompressedBit(OpCode::Continuation),
        "RFC 7692 6",
        code,
    );
    refuses(
        alone(),
        &[(0x01, b"a"), (0xC0, b"b")],
        Kind::CompressedBit(OpCode::Continuation),
        "RFC 7692 6",
        code,
    );
    for (first, opcode) in [
        (0xC8, OpCode::Close),
        (0xC9, OpCode::Ping),
        (0xCA, OpCode::Pong),
    ] {
        let kind = Kind::CompressedBit(opcode);
        refuses(alone(), &[(first, b"")], kind, "RFC 7692 6", code);
    }
}

#[test]
fn section_5_2_of_rfc_6455_other_reserved_bits_stay_reserved() {
    for rsv in [1u8, 2, 3, 5, 6, 7] {
        for opcode in [0x1, 0x2, 0x8, 0x9, 0xA] {
            refuses(
                alone(),
                &[(0x80 | rsv << 4 | opcode, b"")],
                Kind::ReservedBits(rsv),
                "RFC 6455 5.2",
                CloseCode::PROTOCOL_ERROR,
            );
        }
    }
}

#[test]
fn section_7_2_2_data_that_cannot_be_decompressed() {
    let cases: [(&[u8], Kind); 11] = [
        // A block of the type that there is not.
        (&[0x07], Kind::InvalidDeflate),
        (b"not deflate at all", Kind::InvalidDeflate),
        // zlib's header, which has no place here.
        (&[0x78, 0x9C, 0xF2, 0x48, 0x07, 0x00], Kind::InvalidDeflate),
        // A distance beyond what came.
        (&HELLO_AGAIN, Kind::InvalidDeflate),
        // A block without compression whose length contradicts itself.
        (&[0x00, 0x05, 0x00, 0x05, 0x00], Kind::InvalidDeflate),
        // The same, when a block with BFINAL came before it.
        (
            &[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x07],
            Kind::InvalidDeflate,
        ),
        // Data that are cut off: nothing, the header of a block, most of its content, nearly all of it.
        (&[], Kind::UnfinishedDeflate),
        (&HELLO[..1], Kind::UnfinishedDeflate),
        (&HELLO[..3], Kind::UnfinishedDeflate),
        (b"\x00\x05\x00\xFA\xFFHell", Kind::UnfinishedDeflate),
        (b"\x00\x06\x00\xF9\xFFHello\x00", Kind::UnfinishedDeflate),
    ];
    for (data, kind) in cases {
        for config in [alone(), taken_over()] {
            let code = CloseCode::INVALID_PAYLOAD;
            refuses(config, &[(0xC2, data)], kind, "RFC 7692 7.2.2", code);
        }
    }
}

/// A block of bytes that are not compressed.
fn stored(payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u16;
    let mut data = vec![0x00];
    data.extend_from_slice(&length.to_le_bytes());
    data.extend_from_slice(&(!length).to_le_bytes());
    data.extend_from_slice(payload);
    data
}

#[test]
fn section_8_1_of_rfc_6455_text_fails_at_the_first_bad_byte_that_comes_out() {
    for role in ROLES {
        for (payload, at) in [
            (&b"ab\xFF"[..], 2),
            (b"ab\xC3(", 2),
            (b"ab\xF0\x9F\x98x", 2),
            (b"\xCE\xBA\xED\xA0", 2),
        ] {
            // The frame is longer, and the message does not end with it.
            let mut data = stored(payload);
            data.extend_from_slice(&stored(b"more"));
            let mut wire = frame_to(role, 0x41, &data);
            let rest = wire.split_off(wire.len() - 9);
            let (last, before) = wire.split_last().unwrap();
            let mut endpoint = Endpoint::new(role, taken_over());
            endpoint.read(before);
            assert_eq!(endpoint.heard(), [], "{payload:x?}");
            endpoint.read(&[*last]);
            let Some(Heard::Broken(error)) = endpoint.heard().pop() else {
                panic!("not refused: {payload:x?}")
            };
            assert_eq!(error.kind(), Kind::InvalidUtf8 { at });
            assert_eq!(error.code(), CloseCode::INVALID_PAYLOAD);
            assert_eq!(rest.len(), 9);
        }
    }
}

#[test]
fn section_8_1_of_rfc_6455_text_may_not_end_within_a_character() {
    let mut data = stored(b"ab\xE2\x82");
    data.push(0x00);
    refuses(
        alone(),
        &[(0xC1, &data)],
        Kind::InvalidUtf8 { at: 2 },
        "RFC 6455 8.1",
        CloseCode::INVALID_PAYLOAD,
    );
}

fn limited(message_size: usize) -> Config {
    Config {
        limits: Limits {
            message_size,
            ..Limits::default()
        },
        ..alone()
    }
}

/// What counts is what comes out: not the wire's bytes, of which there may be more.
#[test]
fn section_10_4_of_rfc_6455_a_limit_is_for_what_comes_out() {
    let payload = noise(1, 1000);
    let mut data = stored(&payload);
    data.push(0x00);
    assert!(data.len() > 1000);
    let frames: [Frame<'_>; 1] = [(0xC2, &data)];
    assert_eq!(heard_in(limited(1000), &frames), [binary(&payload)]);
    for limit in [0, 1, 999] {
        let kind = Kind::MessageTooBig {
            length: limit + 1,
            limit,
        };
        let config = limited(limit as usize);
        refuses(config, &frames, kind, "RFC 6455 10.4", CloseCode::TOO_BIG);
    }
    assert_eq!(heard_in(limited(0), &[(0xC2, &[0x00])]), [binary(b"")]);
}

#[test]
fn section_10_4_of_rfc_6455_a_lowered_limit_counts_what_came_before() {
    for (begin, data) in [(0x41, stored(b"abcd")), (0x01, b"abcd".to_vec())] {
        let mut connection = Connection::new(Role::Client, alone());
        let mut codecs = Codecs::new();
        let mut first = wire_to(Role::Client, &[(begin, &data)]);
        let step = connection.handle_input(&mut first, &mut codecs);
        assert_eq!(step.map(|step| step.event), Ok(None));
        connection.set_limits(Limits {
            message_size: 3,
            ..Limits::default()
        });
        let rest = match begin {
            0x41 => stored(b"e"),
            _ => b"e".to_vec(),
        };
        let mut rest = wire_to(Role::Client, &[(0x00, &rest)]);
        let refused = connection.handle_input(&mut rest, &mut codecs);
        let refused = refused.expect_err("it is too long");
        assert_eq!(refused.code(), CloseCode::TOO_BIG, "{begin:x}");
    }
}

#[test]
fn section_10_4_of_rfc_6455_fragments_and_frames_have_their_limits_too() {
    let config = Config {
        limits: Limits {
            message_size: 1000,
            frame_size: 6,
            fragments: 2,
        },
        ..alone()
    };
    refuses(
        config,
        &[(0xC1, &HELLO)],
        Kind::FrameTooBig {
            length: 7,
            limit: 6,
        },
        "RFC 6455 10.4",
        CloseCode::TOO_BIG,
    );
    refuses(
        config,
        &[(0x41, &HELLO[..2]), (0x00, &HELLO[2..4]), (0x00, b"")],
        Kind::TooManyFragments { limit: 2 },
        "RFC 6455 10.4",
        CloseCode::POLICY,
    );
}

/// Section 7.1.2: whatever window the peer has, down to the least, we can read it.
#[test]
fn section_7_1_2_a_window_of_8_bits_can_be_read() {
    use wiretalk_proto::handshake::Extension;
    let answer = Extension {
        name: "permessage-deflate".to_owned(),
        parameters: vec![("server_max_window_bits".to_owned(), Some("8".to_owned()))],
    };
    let agreed = DeflateConfig::with_context_takeover()
        .judge(&answer)
        .unwrap();
    assert_eq!(agreed.server_max_window_bits(), 8);
    let config = Config {
        deflate: Some(agreed),
        ..Config::default()
    };
    let mut client = Endpoint::new(Role::Client, config);
    client.read(&wire_to(
        Role::Client,
        &[(0xC1, &HELLO), (0xC1, &HELLO_AGAIN)],
    ));
    assert_eq!(client.heard(), [text("Hello"), text("Hello")]);
}
