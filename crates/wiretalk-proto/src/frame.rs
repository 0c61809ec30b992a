//! The head of a frame: RFC 6455 section 5.2.

use crate::error::{ProtocolError, ProtocolErrorKind};
use crate::opcode::OpCode;

/// The longest payload of a control frame, in bytes (section 5.5).
pub const CONTROL_PAYLOAD_LIMIT: usize = 125;

/// The longest header, in bytes: two, a length of eight, a key of four.
pub const HEADER_LIMIT: usize = 14;

/// The reserved bit of a message's first frame that says that the message is compressed (RFC 7692 section 6), as it
/// stands in [`Header::rsv`].
pub const RSV1: u8 = 4;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
const LENGTH_OF_TWO_BYTES: u8 = 126;
const LENGTH_OF_EIGHT_BYTES: u8 = 127;

/// Everything of a frame but its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The last (or only) frame of its message.
    pub fin: bool,
    /// The reserved bits: RSV1 is 4, RSV2 is 2, RSV3 is 1. Set only by extensions.
    pub rsv: u8,
    /// What the frame is.
    pub opcode: OpCode,
    /// The masking key, if the payload is masked.
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload.
    pub length: u64,
}

impl Header {
    /// Reads the header at the start of `input` and how many bytes it takes, or `None` if it has not all come.
    ///
    /// Masks and reserved bits are the caller's to judge. A fault is told as soon as the byte that shows it has come.
    ///
    /// # Errors
    /// A reserved opcode, a control frame that is fragmented or too long, a length that is not minimal or has its
    /// highest bit set.
    pub fn decode(input: &[u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some(first) = input.first() else {
            return Ok(None);
        };
        let start = Start::decode(*first)?;
        Self::decode_after(start, input)
    }

    /// Reads on behind a first byte that [`Start::decode`] has read.
    pub(crate) fn decode_after(
        start: Start,
        input: &[u8],
    ) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Start { fin, rsv, opcode } = start;
        let Some(second) = input.get(1) else {
            return Ok(None);
        };
        let short_length = second & !MASKED;
        if opcode.is_control() && usize::from(short_length) > CONTROL_PAYLOAD_LIMIT {
            return Err(ProtocolErrorKind::ControlTooLong(opcode).into());
        }
        let (length, at) = match short_length {
            LENGTH_OF_TWO_BYTES => {
                let Some(bytes) = array(input, 2) else {
                    return Ok(None);
                };
                (
                    minimal(
                        u64::from(u16::from_be_bytes(bytes)),
                        u64::from(LENGTH_OF_TWO_BYTES),
                    )?,
                    4,
                )
            }
            LENGTH_OF_EIGHT_BYTES => {
                if input.get(2).is_some_and(|highest| highest & 0x80 != 0) {
                    return Err(ProtocolErrorKind::LengthOutOfRange.into());
                }
                let Some(bytes) = array(input, 2) else {
                    return Ok(None);
                };
                (minimal(u64::from_be_bytes(bytes), 1 << 16)?, 10)
            }
            length => (u64::from(length), 2),
        };
        let (mask, at) = if second & MASKED == 0 {
            (None, at)
        } else {
            let Some(key) = array(input, at) else {
                return Ok(None);
            };
            (Some(key), at + 4)
        };
        Ok(Some((
            Self {
                fin,
                rsv,
                opcode,
                mask,
                length,
            },
            at,
        )))
    }

    /// Appends the header to `out`, with the length in its shortest form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut bytes = [0; HEADER_LIMIT];
        bytes[0] = if self.fin { FIN } else { 0 } | (self.rsv & 7) << 4 | self.opcode.bits();
        let masked = if self.mask.is_some() { MASKED } else { 0 };
        let mut at = match self.length {
            0..126 => {
                bytes[1] = masked | self.length as u8;
                2
            }
            126..0x1_0000 => {
                bytes[1] = masked | LENGTH_OF_TWO_BYTES;
                bytes[2..4].copy_from_slice(&(self.length as u16).to_be_bytes());
                4
            }
            _ => {
                bytes[1] = masked | LENGTH_OF_EIGHT_BYTES;
                bytes[2..10].copy_from_slice(&self.length.to_be_bytes());
                10
            }
        };
        if let Some(key) = self.mask {
            bytes[at..at + 4].copy_from_slice(&key);
            at += 4;
        }
        out.extend_from_slice(&bytes[..at]);
    }
}

/// What a frame's first byte tells.
#[derive(Clone, Copy)]
pub(crate) struct Start {
    pub(crate) fin: bool,
    pub(crate) rsv: u8,
    pub(crate) opcode: OpCode,
}

impl Start {
    pub(crate) fn decode(byte: u8) -> Result<Self, ProtocolErrorKind> {
        let fin = byte & FIN != 0;
        let opcode =
            OpCode::from_bits(byte & 0xF).ok_or(ProtocolErrorKind::ReservedOpCode(byte & 0xF))?;
        if opcode.is_control() && !fin {
            return Err(ProtocolErrorKind::FragmentedControl(opcode));
        }
        Ok(Self {
            fin,
            rsv: byte >> 4 & 7,
            opcode,
        })
    }
}

/// Whether the second byte of a frame announces a masking key.
pub(crate) const fn is_masked(second: u8) -> bool {
    second & MASKED != 0
}

/// Section 5.2: "the minimal number of bytes MUST be used".
fn minimal(length: u64, least: u64) -> Result<u64, ProtocolErrorKind> {
    if length < least {
        Err(ProtocolErrorKind::LengthNotMinimal { length })
    } else {
        Ok(length)
    }
}

fn array<const N: usize>(input: &[u8], at: usize) -> Option<[u8; N]> {
    input.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests;
