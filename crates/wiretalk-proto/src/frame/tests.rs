use proptest::prelude::*;

use super::Header;
use crate::{OpCode, ProtocolErrorKind};

fn header(opcode: OpCode, length: u64, mask: Option<[u8; 4]>) -> Header {
    Header {
        fin: true,
        rsv: 0,
        opcode,
        mask,
        length,
    }
}

/// The headers of section 5.7, and the edges of the three length forms.
#[test]
fn headers_on_the_wire() {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let cases: [(Header, &[u8]); 9] = [
        (header(OpCode::Text, 5, None), &[0x81, 0x05]),
        (
            header(OpCode::Text, 5, Some(key)),
            &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d],
        ),
        (
            Header {
                fin: false,
                ..header(OpCode::Text, 3, None)
            },
            &[0x01, 0x03],
        ),
        (header(OpCode::Continuation, 2, None), &[0x80, 0x02]),
        (header(OpCode::Binary, 125, None), &[0x82, 0x7d]),
        (header(OpCode::Binary, 126, None), &[0x82, 0x7e, 0x00, 0x7e]),
        (
            header(OpCode::Binary, 65_535, None),
            &[0x82, 0x7e, 0xff, 0xff],
        ),
        (
            header(OpCode::Binary, 65_536, None),
            &[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0],
        ),
        (
            Header {
                rsv: 0b100,
                ..header(OpCode::Pong, 0, None)
            },
            &[0xca, 0x00],
        ),
    ];
    for (header, wire) in cases {
        let mut out = Vec::new();
        header.encode(&mut out);
        assert_eq!(out, wire, "{header:?}");
        assert_eq!(Header::decode(wire), Ok(Some((header, wire.len()))));
    }
}

#[test]
fn a_length_with_its_highest_bit_set_is_told_before_the_rest_of_it_has_come() {
    let error = Header::decode(&[0x82, 0x7f, 0x80]).unwrap_err();
    assert_eq!(error.kind(), ProtocolErrorKind::LengthOutOfRange);
}

fn any_opcode() -> impl Strategy<Value = OpCode> {
    (0..16u8).prop_filter_map("reserved", OpCode::from_bits)
}

proptest! {
    #[test]
    fn any_header_survives_the_wire_and_is_not_seen_before_it_is_whole(
        fin: bool,
        rsv in 0..8u8,
        opcode in any_opcode(),
        mask: Option<[u8; 4]>,
        // Every magnitude alike.
        length in (0..64u32, any::<u64>()).prop_map(|(shift, length)| length >> 1 >> shift),
    ) {
        let header = if opcode.is_control() {
            Header { fin: true, rsv, opcode, mask, length: length % 126 }
        } else {
            Header { fin, rsv, opcode, mask, length }
        };
        let mut wire = Vec::new();
        header.encode(&mut wire);
        for cut in 0..wire.len() {
            prop_assert_eq!(Header::decode(&wire[..cut]), Ok(None));
        }
        prop_assert_eq!(Header::decode(&wire), Ok(Some((header, wire.len()))));
    }

    #[test]
    fn any_bytes_that_decode_encode_to_themselves(bytes in prop::collection::vec(any::<u8>(), 14)) {
        if let Ok(Some((header, length))) = Header::decode(&bytes) {
            let mut wire = Vec::new();
            header.encode(&mut wire);
            prop_assert_eq!(wire, &bytes[..length]);
        }
    }
}
