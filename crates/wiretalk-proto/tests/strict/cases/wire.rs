//! Frames by hand, so that the codec under test does not judge itself.

use super::Piece;

/// What an endpoint answered.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// The code; `None` for an empty close frame.
    Close(Option<u16>),
}

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, payload) = match self {
            Self::Close(code) => return write!(f, "close {code:?}"),
            Self::Text(payload) => ("text", payload),
            Self::Binary(payload) => ("binary", payload),
            Self::Ping(payload) => ("ping", payload),
            Self::Pong(payload) => ("pong", payload),
        };
        let shown = &payload[..payload.len().min(40)];
        write!(
            f,
            "{name} of {}: {}",
            payload.len(),
            String::from_utf8_lossy(shown)
        )
    }
}

/// The key of all frames that are masked here.
const KEY: [u8; 4] = [0xa5, 0x00, 0xff, 0x3c];

/// Appends a piece to `out`, masked if it is for a server.
pub(crate) fn write(piece: &Piece, to_server: bool, out: &mut Vec<u8>) {
    let (header, offset, payload) = match piece {
        Piece::Frame { first, payload } => (Some((*first, payload.len() as u64)), 0, payload),
        Piece::Begin {
            first,
            length,
            payload,
        } => (Some((*first, *length)), 0, payload),
        Piece::More { offset, payload } => (None, *offset, payload),
    };
    if let Some((first, length)) = header {
        let mask = if to_server { 0x80 } else { 0 };
        out.push(first);
        match length {
            0..=125 => out.push(mask | length as u8),
            126..=0xffff => {
                out.push(mask | 126);
                out.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                out.push(mask | 127);
                out.extend_from_slice(&length.to_be_bytes());
            }
        }
        if to_server {
            out.extend_from_slice(&KEY);
        }
    }
    if to_server {
        let key = KEY.iter().cycle().skip(offset % 4);
        out.extend(payload.iter().zip(key).map(|(byte, mask)| byte ^ mask));
    } else {
        out.extend_from_slice(payload);
    }
}

/// Takes a whole frame off the front of `bytes`, of an endpoint that answers in frames that are whole messages.
///
/// # Panics
/// If the frame breaks a rule.
pub(crate) fn read_frame(bytes: &mut Vec<u8>, from_server: bool) -> Option<Said> {
    let (first, payload) = take_frame(bytes, from_server)?;
    assert_eq!(first & 0xf0, 0x80, "{first:#x}: FIN, and no reserved bits");
    Some(match first & 0xf {
        0x1 => Said::Text(payload),
        0x2 => Said::Binary(payload),
        0x8 => Said::Close(match payload[..] {
            [] => None,
            [high, low, ..] => Some(u16::from_be_bytes([high, low])),
            [_] => panic!("a close frame with one byte"),
        }),
        0x9 => Said::Ping(payload),
        0xA => Said::Pong(payload),
        opcode => panic!("an answer with opcode {opcode:#x}"),
    })
}

/// Takes a whole frame off the front of `bytes`: its first byte, and its payload, unmasked.
///
/// # Panics
/// If it is not masked as the role wants it, or its length is not told in the shortest form.
pub(super) fn take_frame(bytes: &mut Vec<u8>, from_server: bool) -> Option<(u8, Vec<u8>)> {
    let [first, second, ..] = bytes[..] else {
        return None;
    };
    assert_eq!(
        second & 0x80 == 0,
        from_server,
        "a client masks, a server does not"
    );
    let field = |length: usize| {
        let bytes = bytes.get(2..2 + length)?;
        Some(
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    };
    let (length, least, at) = match second & 0x7f {
        126 => (field(2)?, 126, 4),
        127 => (field(8)?, 0x1_0000, 10),
        length => (u64::from(length), 0, 2),
    };
    assert!(length >= least, "{length} is not told in its shortest form");
    let start = if from_server { at } else { at + 4 };
    let end = start + usize::try_from(length).expect("an answer fits into memory");
    let mut payload = bytes.get(start..end)?.to_vec();
    if !from_server {
        let key = bytes[at..start].iter().cycle();
        for (byte, mask) in payload.iter_mut().zip(key) {
            *byte ^= mask;
        }
    }
    bytes.drain(..end);
    Some((first, payload))
}
