use super::{
    Irregularity as Odd, LengthForm, RawFrame, RawFrameError, RawHeader, RawMask, RawPiece,
    RawReader,
};
use crate::{Codecs, Config, Connection, Event, ProtocolErrorKind, Role};

const KEY: [u8; 4] = [1, 2, 3, 4];

fn wire(frame: &RawFrame, role: Role) -> Vec<u8> {
    let mut wire = b"before ".to_vec();
    frame.encode(role, &mut || KEY, &mut wire).unwrap();
    wire.split_off(7)
}

#[test]
fn a_frame_that_nobody_changed_is_right() {
    for (sender, receiver) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
        for length in [0, 5, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut wire = wire(&RawFrame::new(0x1, payload.clone()), sender);
            let mut connection = Connection::new(receiver, Config::default());
            let codecs = &mut Codecs::default();
            let step = connection.handle_input(&mut wire, codecs).unwrap();
            let text = String::from_utf8(payload).unwrap();
            assert_eq!(step.event, Some(Event::Text(&text)), "{sender:?} {length}");
        }
    }
}

/// Section 5.2, bit by bit.
#[test]
fn every_bit_of_the_header_is_in_the_callers_hand() {
    for first in 0..=0xFFu8 {
        let frame = RawFrame {
            fin: first & 0x80 != 0,
            rsv: first >> 4 & 7,
            ..RawFrame::new(first & 0xF, "p")
        };
        assert_eq!(wire(&frame, Role::Server), [first, 1, b'p']);
    }
}

#[test]
fn a_length_may_lie_in_any_form() {
    let cases: [(u64, Option<LengthForm>, &[u8]); 7] = [
        (0, None, b"\x81\0ab"),
        (125, None, b"\x81\x7dab"),
        (70_000, None, b"\x81\x7f\0\0\0\0\0\x01\x11\x70ab"),
        (2, Some(LengthForm::Bits16), b"\x81\x7e\0\x02ab"),
        (2, Some(LengthForm::Bits64), b"\x81\x7f\0\0\0\0\0\0\0\x02ab"),
        (300, Some(LengthForm::Bits16), b"\x81\x7e\x01\x2cab"),
        (
            u64::MAX,
            None,
            b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xffab",
        ),
    ];
    for (length, form, expected) in cases {
        let frame = RawFrame {
            length: Some(length),
            form,
            ..RawFrame::new(0x1, "ab")
        };
        assert_eq!(wire(&frame, Role::Server), expected, "{length} {form:?}");
    }
}

#[test]
fn a_mask_may_be_missing_or_wrong_or_where_none_belongs() {
    let sent = |mask, role| {
        let frame = RawFrame {
            mask,
            ..RawFrame::new(0x1, "aaaa")
        };
        wire(&frame, role)
    };
    assert_eq!(
        sent(RawMask::Right, Role::Client),
        b"\x81\x84\x01\x02\x03\x04`cbe"
    );
    assert_eq!(sent(RawMask::Right, Role::Server), b"\x81\x04aaaa");
    assert_eq!(sent(RawMask::None, Role::Client), b"\x81\x04aaaa");
    assert_eq!(
        sent(RawMask::Fresh, Role::Server),
        b"\x81\x84\x01\x02\x03\x04`cbe"
    );
    assert_eq!(
        sent(RawMask::Key([0; 4]), Role::Server),
        b"\x81\x84\0\0\0\0aaaa"
    );
    let wrong = sent(RawMask::Wrong, Role::Client);
    assert_eq!(wrong[..6], *b"\x81\x84\x01\x02\x03\x04");
    for (byte, key) in wrong[6..].iter().zip(KEY) {
        assert_ne!(byte ^ key, b'a');
    }
}

#[test]
fn what_has_no_bits_is_refused() {
    let cases = [
        (RawFrame::new(16, ""), RawFrameError::Opcode(16)),
        (
            RawFrame {
                rsv: 8,
                ..RawFrame::new(1, "")
            },
            RawFrameError::ReservedBits(8),
        ),
        (
            RawFrame {
                form: Some(LengthForm::Bits7),
                ..RawFrame::new(1, [0; 126])
            },
            RawFrameError::Length {
                length: 126,
                form: LengthForm::Bits7,
            },
        ),
    ];
    for (frame, expected) in cases {
        let mut out = Vec::new();
        let error = frame
            .encode(Role::Client, &mut || KEY, &mut out)
            .unwrap_err();
        assert_eq!((error, out.len()), (expected, 0));
    }
}

#[test]
fn any_bytes_are_a_header() {
    for first in 0..=0xFFu8 {
        for second in 0..=0xFFu8 {
            let bytes = [first, second, 0x80, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
            let (header, length) = RawHeader::decode(&bytes).unwrap();
            for cut in 0..length {
                assert_eq!(RawHeader::decode(&bytes[..cut]), None);
            }
            let again = RawFrame {
                fin: header.fin,
                rsv: header.rsv,
                mask: header.mask.map_or(RawMask::None, RawMask::Key),
                length: Some(header.length),
                form: Some(header.form),
                ..RawFrame::new(header.opcode, "")
            };
            assert_eq!(wire(&again, Role::Client), bytes[..length]);
        }
    }
}

/// What a reader says of frames: for each its first byte and what is odd about it, and that the payloads are whole.
fn seen(sender: Role, in_use: u8, wire: &[u8], packet: usize) -> Vec<(u8, Vec<Odd>)> {
    let mut reader = RawReader::new(sender, in_use);
    let mut seen: Vec<(u8, Vec<Odd>)> = Vec::new();
    let mut left = 0;
    let mut unread = Vec::new();
    for packet in wire.chunks(packet) {
        unread.extend_from_slice(packet);
        loop {
            let step = reader.read(&unread);
            let consumed = step.consumed;
            match step.piece {
                None => break,
                Some(RawPiece::Header(header, odd)) => {
                    assert_eq!(left, 0, "a header within a payload");
                    left = header.length;
                    let fin = u8::from(header.fin) << 7;
                    seen.push((fin | header.rsv << 4 | header.opcode, odd));
                }
                Some(RawPiece::Payload { bytes, last, .. }) => {
                    left -= bytes.len() as u64;
                    assert_eq!(last, left == 0);
                }
            }
            unread.drain(..consumed);
        }
    }
    seen
}

type Expected<'a> = &'a [(u8, &'a [Odd])];

#[test]
fn an_onlooker_sees_what_is_irregular_and_reads_on() {
    let server = Role::Server;
    let cases: [(&str, Role, &[u8], Expected<'_>); 9] = [
        (
            "fragments with a ping in between",
            server,
            b"\x01\x01a\x89\x00\x80\x01b\x82\x00",
            &[(0x01, &[]), (0x89, &[]), (0x80, &[]), (0x82, &[])],
        ),
        (
            "bits and opcodes",
            server,
            b"\xf3\x01a\x8b\x00",
            &[
                (0xf3, &[Odd::ReservedBits(7), Odd::ReservedOpCode(3)]),
                (0x8b, &[Odd::ReservedOpCode(0xb)]),
            ],
        ),
        (
            "a masked server frame",
            server,
            b"\x81\x81\0\0\0\0a",
            &[(0x81, &[Odd::Masked])],
        ),
        (
            "an unmasked client frame",
            Role::Client,
            b"\x81\x01a",
            &[(0x81, &[Odd::Unmasked])],
        ),
        (
            "control frames",
            server,
            b"\x09\x7e\x00\x02ab",
            &[(0x09, &[Odd::FragmentedControl, Odd::LengthNotMinimal(2)])],
        ),
        (
            "a long length",
            server,
            b"\x89\x7f\x80\x00\x00\x00\x00\x00\x00\x00",
            &[(
                0x89,
                &[Odd::ControlTooLong(1 << 63), Odd::LengthOutOfRange(1 << 63)],
            )],
        ),
        (
            "continuations",
            server,
            b"\x80\x00\x01\x00\x82\x00\x80\x00",
            &[
                (0x80, &[Odd::UnexpectedContinuation]),
                (0x01, &[]),
                (0x82, &[Odd::ExpectedContinuation]),
                (0x80, &[Odd::UnexpectedContinuation]),
            ],
        ),
        (
            "after a close",
            server,
            b"\x88\x00\x88\x00",
            &[(0x88, &[]), (0x88, &[Odd::AfterClose])],
        ),
        (
            "RSV1 of permessage-deflate and RSV2 of nobody",
            server,
            b"\xe1\x01a\x41\x00\xc0\x00\xc9\x00",
            &[
                (0xe1, &[Odd::ReservedBits(2)]),
                (0x41, &[]),
                (0xc0, &[Odd::ReservedBits(4)]),
                (0xc9, &[Odd::ReservedBits(4)]),
            ],
        ),
    ];
    for (name, sender, wire, expected) in cases {
        let in_use = if name.contains("deflate") { 4 } else { 0 };
        for packet in [1, 2, usize::MAX] {
            let seen = seen(sender, in_use, wire, packet);
            let seen: Vec<_> = seen.iter().map(|(first, odd)| (*first, &odd[..])).collect();
            assert_eq!(seen, expected, "{name}");
        }
    }
    assert_eq!(
        Odd::ReservedBits(4).to_string(),
        "reserved bits are set (RSV 100; RFC 6455 5.2)"
    );
}

/// What is written here is refused there.
#[test]
fn a_connection_refuses_what_a_raw_frame_breaks() {
    let plain = RawFrame::new(0x1, "hello");
    let cases = [
        (
            RawFrame {
                rsv: 2,
                ..plain.clone()
            },
            ProtocolErrorKind::ReservedBits(2),
        ),
        (
            RawFrame {
                opcode: 0xC,
                ..plain.clone()
            },
            ProtocolErrorKind::ReservedOpCode(0xC),
        ),
        (
            RawFrame {
                mask: RawMask::None,
                ..plain.clone()
            },
            ProtocolErrorKind::Unmasked,
        ),
        (
            RawFrame {
                form: Some(LengthForm::Bits64),
                ..plain.clone()
            },
            ProtocolErrorKind::LengthNotMinimal { length: 5 },
        ),
        (
            RawFrame {
                length: Some(u64::MAX),
                ..plain
            },
            ProtocolErrorKind::LengthOutOfRange,
        ),
    ];
    for (frame, kind) in cases {
        let mut server = Connection::new(Role::Server, Config::default());
        let mut wire = wire(&frame, Role::Client);
        let error = server
            .handle_input(&mut wire, &mut Codecs::default())
            .unwrap_err();
        assert_eq!(error.kind(), kind);
    }
}
