//! Frames outside the rules, for testing how others take them: RFC 6455 section 5.2 with every bit in the caller's hand.
//!
//! Nothing here is checked, on purpose, and no [`Connection`](crate::Connection) uses it: [`RawFrame`] writes headers
//! that lie, and [`RawReader`] reads whatever comes and says what is irregular about it, for those who look on and must
//! not fail. What is to be right is sent and received with a `Connection`.

use crate::connection::Role;
use crate::frame::{CONTROL_PAYLOAD_LIMIT, HEADER_LIMIT};
use crate::mask::{self, MaskKeys};
use crate::opcode::OpCode;

/// A frame with any header. Start from [`RawFrame::new`], which is right in all, and change what is to be wrong.
///
/// ```
/// use wiretalk_proto::Role;
/// use wiretalk_proto::raw::RawFrame;
///
/// let mut frame = RawFrame::new(0x1, "hi");
/// frame.rsv = 4;
/// frame.length = Some(70_000);
/// let mut wire = Vec::new();
/// frame.encode(Role::Server, &mut || [0; 4], &mut wire)?;
/// assert_eq!(wire, b"\xc1\x7f\0\0\0\0\0\x01\x11\x70hi");
/// # Ok::<(), wiretalk_proto::raw::RawFrameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFrame {
    /// The last frame of its message.
    pub fin: bool,
    /// The reserved bits: RSV1 is 4, RSV2 is 2, RSV3 is 1.
    pub rsv: u8,
    /// Any four bits.
    pub opcode: u8,
    /// Whether and how the payload is masked.
    pub mask: RawMask,
    /// Bytes that the header announces; `None`: those that the payload has.
    pub length: Option<u64>,
    /// How the length is told; `None`: in the shortest form that holds it.
    pub form: Option<LengthForm>,
    /// What follows the header, before masking: as it is, whatever length was announced.
    pub payload: Vec<u8>,
}

/// How a raw frame is masked (section 5.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RawMask {
    /// As the role wants it: by a client, with a fresh key.
    #[default]
    Right,
    /// With a fresh key, whoever sends.
    Fresh,
    /// With this key, whoever sends.
    Key([u8; 4]),
    /// With another key than the header tells.
    Wrong,
    /// Not at all, whoever sends.
    None,
}

/// The three forms of a length (section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LengthForm {
    /// In the second byte itself: up to 125.
    Bits7,
    /// In two bytes behind it: up to 65,535.
    Bits16,
    /// In eight bytes behind it: up to 2⁶⁴ − 1, the highest bit included, which no length may have set.
    Bits64,
}

impl LengthForm {
    /// The shortest form that holds `length`.
    #[must_use]
    pub const fn shortest(length: u64) -> Self {
        match length {
            0..126 => Self::Bits7,
            126..0x1_0000 => Self::Bits16,
            _ => Self::Bits64,
        }
    }

    /// The longest length that the form can tell.
    #[must_use]
    pub const fn limit(self) -> u64 {
        match self {
            Self::Bits7 => 125,
            Self::Bits16 => 0xFFFF,
            Self::Bits64 => u64::MAX,
        }
    }
}

/// A header that has no bits for what it is to say. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RawFrameError {
    /// Over 15.
    #[error("an opcode has four bits, so that {0} is too much")]
    Opcode(u8),
    /// Over 7.
    #[error("there are three reserved bits, so that {0} is too much")]
    ReservedBits(u8),
    /// Over the form's limit.
    #[error("a length of {length} cannot be told in that form, which holds {} at most", .form.limit())]
    Length {
        /// The length.
        length: u64,
        /// The form that was asked for.
        form: LengthForm,
    },
}

impl RawFrame {
    /// A frame that is right: the last of its message, no bit set that should not be, masked as the role wants it.
    #[must_use]
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            fin: true,
            rsv: 0,
            opcode,
            mask: RawMask::Right,
            length: None,
            form: None,
            payload: payload.into(),
        }
    }

    /// Appends header and payload to `out`, as `role` sends them.
    ///
    /// # Errors
    /// Only for what has no bits in a header; any rule may be broken.
    pub fn encode(
        &self,
        role: Role,
        keys: &mut dyn MaskKeys,
        out: &mut Vec<u8>,
    ) -> Result<(), RawFrameError> {
        if self.opcode > 0xF {
            return Err(RawFrameError::Opcode(self.opcode));
        }
        if self.rsv > 7 {
            return Err(RawFrameError::ReservedBits(self.rsv));
        }
        let length = self.length.unwrap_or(self.payload.len() as u64);
        let form = self.form.unwrap_or(LengthForm::shortest(length));
        if length > form.limit() {
            return Err(RawFrameError::Length { length, form });
        }
        let told = match self.mask {
            RawMask::Right if role == Role::Server => None,
            RawMask::None => None,
            RawMask::Key(key) => Some(key),
            RawMask::Right | RawMask::Fresh | RawMask::Wrong => Some(keys.next_key()),
        };

        out.reserve(HEADER_LIMIT + self.payload.len());
        out.push(u8::from(self.fin) << 7 | self.rsv << 4 | self.opcode);
        let masked = u8::from(told.is_some()) << 7;
        match form {
            LengthForm::Bits7 => out.push(masked | length as u8),
            LengthForm::Bits16 => {
                out.push(masked | 126);
                out.extend_from_slice(&(length as u16).to_be_bytes());
            }
            LengthForm::Bits64 => {
                out.push(masked | 127);
                out.extend_from_slice(&length.to_be_bytes());
            }
        }
        let start = out.len() + if told.is_some() { 4 } else { 0 };
        if let Some(key) = told {
            out.extend_from_slice(&key);
        }
        out.extend_from_slice(&self.payload);
        if let Some(key) = told {
            let used = match self.mask {
                // One that differs in every byte, so that no byte comes out right.
                RawMask::Wrong => key.map(|byte| !byte),
                _ => key,
            };
            mask::apply(&mut out[start..], used, 0);
        }
        Ok(())
    }
}

/// A header as it came, whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawHeader {
    /// The last frame of its message.
    pub fin: bool,
    /// The reserved bits: RSV1 is 4, RSV2 is 2, RSV3 is 1.
    pub rsv: u8,
    /// The four bits of the opcode.
    pub opcode: u8,
    /// The masking key, if the header has one.
    pub mask: Option<[u8; 4]>,
    /// Bytes that are announced.
    pub length: u64,
    /// How they are told.
    pub form: LengthForm,
}

impl RawHeader {
    /// Reads the header at the start of `input`, and how many bytes it takes; `None` if it has not all come. Every
    /// sequence of bytes is a header.
    #[must_use]
    pub fn decode(input: &[u8]) -> Option<(Self, usize)> {
        let [first, second, rest @ ..] = input else {
            return None;
        };
        let (form, length, behind) = match second & 0x7F {
            126 => {
                let (bytes, behind) = rest.split_first_chunk()?;
                let length = u64::from(u16::from_be_bytes(*bytes));
                (LengthForm::Bits16, length, behind)
            }
            127 => {
                let (bytes, behind) = rest.split_first_chunk()?;
                (LengthForm::Bits64, u64::from_be_bytes(*bytes), behind)
            }
            length => (LengthForm::Bits7, u64::from(length), rest),
        };
        let (mask, behind) = if second & 0x80 == 0 {
            (None, behind)
        } else {
            let (key, behind) = behind.split_first_chunk()?;
            (Some(*key), behind)
        };
        let header = Self {
            fin: first & 0x80 != 0,
            rsv: first >> 4 & 7,
            opcode: first & 0xF,
            mask,
            length,
            form,
        };
        Some((header, input.len() - behind.len()))
    }

    /// The opcode, if it is one that RFC 6455 defines.
    #[must_use]
    pub const fn known_opcode(&self) -> Option<OpCode> {
        OpCode::from_bits(self.opcode)
    }

    /// Whether the opcode is one of control frames, reserved ones included (section 5.5).
    #[must_use]
    pub const fn is_control(&self) -> bool {
        self.opcode & 0x8 != 0
    }

    /// What is wrong with the header by itself, sent by `sender` where the first frames of messages may have the reserved
    /// bits `in_use` (4 with permessage-deflate).
    pub fn irregularities(&self, sender: Role, in_use: u8) -> impl Iterator<Item = Irregularity> {
        let is_control = self.is_control();
        let long = self.length > CONTROL_PAYLOAD_LIMIT as u64;
        let begins = matches!(self.known_opcode(), Some(OpCode::Text | OpCode::Binary));
        let spare = if begins { self.rsv & !in_use } else { self.rsv };
        let shortest = LengthForm::shortest(self.length);
        [
            (spare != 0).then_some(Irregularity::ReservedBits(spare)),
            self.known_opcode()
                .is_none()
                .then_some(Irregularity::ReservedOpCode(self.opcode)),
            (is_control && !self.fin).then_some(Irregularity::FragmentedControl),
            (is_control && long).then_some(Irregularity::ControlTooLong(self.length)),
            (sender == Role::Client && self.mask.is_none()).then_some(Irregularity::Unmasked),
            (sender == Role::Server && self.mask.is_some()).then_some(Irregularity::Masked),
            (self.form > shortest).then_some(Irregularity::LengthNotMinimal(self.length)),
            (self.length >> 63 != 0).then_some(Irregularity::LengthOutOfRange(self.length)),
        ]
        .into_iter()
        .flatten()
    }
}

/// What an onlooker sees in a frame's header that should not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Irregularity {
    /// Bits of no extension in use.
    #[error("reserved bits are set (RSV {0:03b}; RFC 6455 5.2)")]
    ReservedBits(u8),
    /// An opcode that stands for nothing yet.
    #[error("the opcode {0:#x} is reserved (RFC 6455 5.2)")]
    ReservedOpCode(u8),
    /// A control frame without FIN.
    #[error("a control frame is fragmented (RFC 6455 5.5)")]
    FragmentedControl,
    /// A control frame over 125 bytes.
    #[error("a control frame announces {0} bytes (RFC 6455 5.5)")]
    ControlTooLong(u64),
    /// A client that does not mask.
    #[error("the client did not mask (RFC 6455 5.1)")]
    Unmasked,
    /// A server that masks.
    #[error("the server masked (RFC 6455 5.1)")]
    Masked,
    /// A length in a longer form than it needs.
    #[error("the length {0} is told in more bytes than it takes (RFC 6455 5.2)")]
    LengthNotMinimal(u64),
    /// A length with the highest of its 64 bits set.
    #[error("the length {0} has its highest bit set (RFC 6455 5.2)")]
    LengthOutOfRange(u64),
    /// A continuation, and no message had begun.
    #[error("a continuation continues nothing (RFC 6455 5.4)")]
    UnexpectedContinuation,
    /// A new message, and the one before it had not ended.
    #[error("a message begins within another (RFC 6455 5.4)")]
    ExpectedContinuation,
    /// A frame behind a close frame.
    #[error("a frame comes behind a close frame (RFC 6455 5.5.1)")]
    AfterClose,
}

/// Reads the frames that one side sends, whatever they are. It holds no payload, and never fails.
#[derive(Clone, Debug)]
pub struct RawReader {
    sender: Role,
    in_use: u8,
    /// Bytes of the current frame's payload that came, and that were announced.
    received: u64,
    announced: u64,
    mid_message: bool,
    closed: bool,
}

/// How far one call of [`RawReader::read`] came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawStep<'a> {
    /// Bytes at the start of the input that are done with.
    pub consumed: usize,
    /// What they are; `None` if more bytes are needed.
    pub piece: Option<RawPiece<'a>>,
}

/// A part of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawPiece<'a> {
    /// A header, and what is wrong with it where it stands.
    Header(RawHeader, Vec<Irregularity>),
    /// A piece of the payload of the frame whose header came last.
    Payload {
        /// As on the wire: to be unmasked with the header's key.
        bytes: &'a [u8],
        /// Bytes of the payload before.
        offset: u64,
        /// Nothing more of the payload is to come.
        last: bool,
    },
}

impl RawReader {
    /// A reader of what `sender` sends after the handshake, where the first frames of messages may have the reserved
    /// bits `in_use` (4 with permessage-deflate).
    #[must_use]
    pub fn new(sender: Role, in_use: u8) -> Self {
        Self {
            sender,
            in_use,
            received: 0,
            announced: 0,
            mid_message: false,
            closed: false,
        }
    }

    /// Reads the next header, or as much of a payload as has come. A frame without payload is its header alone.
    pub fn read<'a>(&mut self, input: &'a [u8]) -> RawStep<'a> {
        let missing = self.announced - self.received;
        if missing > 0 {
            let taken =
                usize::try_from(missing).map_or(input.len(), |missing| missing.min(input.len()));
            let offset = self.received;
            self.received += taken as u64;
            let last = self.received == self.announced;
            return RawStep {
                consumed: taken,
                piece: (taken > 0).then_some(RawPiece::Payload {
                    bytes: &input[..taken],
                    offset,
                    last,
                }),
            };
        }
        let Some((header, consumed)) = RawHeader::decode(input) else {
            return RawStep {
                consumed: 0,
                piece: None,
            };
        };
        (self.received, self.announced) = (0, header.length);
        let mut irregular: Vec<_> = header.irregularities(self.sender, self.in_use).collect();
        irregular.extend(self.irregular_here(&header));
        if !header.is_control() {
            self.mid_message = !header.fin;
        }
        self.closed |= header.known_opcode() == Some(OpCode::Close);
        RawStep {
            consumed,
            piece: Some(RawPiece::Header(header, irregular)),
        }
    }

    /// What is wrong with the header by what came before it.
    fn irregular_here(&self, header: &RawHeader) -> Option<Irregularity> {
        if self.closed {
            return Some(Irregularity::AfterClose);
        }
        match header.known_opcode() {
            Some(OpCode::Continuation) if !self.mid_message => {
                Some(Irregularity::UnexpectedContinuation)
            }
            Some(OpCode::Text | OpCode::Binary) if self.mid_message => {
                Some(Irregularity::ExpectedContinuation)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
