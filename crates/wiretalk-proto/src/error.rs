//! What can go wrong: the peer breaks the protocol, or we ask to send what may not be sent.

use crate::close::{CloseCode, REASON_LIMIT};
use crate::frame::CONTROL_PAYLOAD_LIMIT;
use crate::opcode::OpCode;

/// The peer broke the protocol or a limit. The connection has failed (section 7.1.7): nothing more is received on it,
/// and [`Connection::poll_reply`](crate::Connection::poll_reply) writes the close frame that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ProtocolError {
    kind: ProtocolErrorKind,
}

impl ProtocolError {
    /// What was wrong.
    #[must_use]
    pub const fn kind(&self) -> ProtocolErrorKind {
        self.kind
    }

    /// The code to fail the connection with (section 7.4.1).
    #[must_use]
    pub const fn code(&self) -> CloseCode {
        use ProtocolErrorKind as Kind;
        match self.kind {
            Kind::InvalidUtf8 { .. }
            | Kind::InvalidUtf8InCloseReason { .. }
            | Kind::InvalidDeflate
            | Kind::UnfinishedDeflate => CloseCode::INVALID_PAYLOAD,
            Kind::FrameTooBig { .. } | Kind::MessageTooBig { .. } => CloseCode::TOO_BIG,
            Kind::TooManyFragments { .. } => CloseCode::POLICY,
            Kind::ReservedBits(_)
            | Kind::CompressedBit(_)
            | Kind::ReservedOpCode(_)
            | Kind::FragmentedControl(_)
            | Kind::ControlTooLong { .. }
            | Kind::Unmasked
            | Kind::Masked
            | Kind::LengthNotMinimal { .. }
            | Kind::LengthOutOfRange
            | Kind::UnexpectedContinuation
            | Kind::ExpectedContinuation(_)
            | Kind::ClosePayloadOfOneByte
            | Kind::InvalidCloseCode(_)
            | Kind::DataAfterClose => CloseCode::PROTOCOL_ERROR,
        }
    }

    /// The section that was broken, such as `RFC 6455 5.2`.
    #[must_use]
    pub const fn section(&self) -> &'static str {
        use ProtocolErrorKind as Kind;
        match self.kind {
            Kind::ReservedBits(_)
            | Kind::ReservedOpCode(_)
            | Kind::LengthNotMinimal { .. }
            | Kind::LengthOutOfRange => "RFC 6455 5.2",
            Kind::FragmentedControl(_) | Kind::ControlTooLong { .. } => "RFC 6455 5.5",
            Kind::Unmasked | Kind::Masked => "RFC 6455 5.1",
            Kind::UnexpectedContinuation | Kind::ExpectedContinuation(_) => "RFC 6455 5.4",
            Kind::ClosePayloadOfOneByte
            | Kind::InvalidUtf8InCloseReason { .. }
            | Kind::DataAfterClose => "RFC 6455 5.5.1",
            Kind::InvalidCloseCode(_) => "RFC 6455 7.4",
            Kind::InvalidUtf8 { .. } => "RFC 6455 8.1",
            Kind::FrameTooBig { .. }
            | Kind::MessageTooBig { .. }
            | Kind::TooManyFragments { .. } => "RFC 6455 10.4",
            Kind::CompressedBit(_) => "RFC 7692 6",
            Kind::InvalidDeflate | Kind::UnfinishedDeflate => "RFC 7692 7.2.2",
        }
    }
}

impl From<ProtocolErrorKind> for ProtocolError {
    fn from(kind: ProtocolErrorKind) -> Self {
        Self { kind }
    }
}

/// What was wrong with what the peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolErrorKind {
    /// Bits that belong to an extension, and none that uses them was negotiated. The value has RSV1 as 4, RSV2 as 2,
    /// RSV3 as 1.
    #[error(
        "a frame has reserved bits set (RSV {0:03b}), though no extension that uses them was negotiated"
    )]
    ReservedBits(u8),
    /// RSV1, the bit of compressed messages, anywhere but on the first frame of a data message.
    #[error(
        "a {0} frame has RSV1 set, which only the first frame of a compressed message may have"
    )]
    CompressedBit(OpCode),
    /// An opcode that stands for nothing yet.
    #[error("a frame has the reserved opcode {0:#x}")]
    ReservedOpCode(u8),
    /// A control frame without FIN.
    #[error("a {0} frame is fragmented, which no control frame may be")]
    FragmentedControl(OpCode),
    /// A control frame whose length takes more than one byte to tell.
    #[error(
        "a {0} frame announces more than {CONTROL_PAYLOAD_LIMIT} bytes, the most a control frame may hold"
    )]
    ControlTooLong(OpCode),
    /// We are the server, and the client did not mask.
    #[error("the client sent a frame that is not masked")]
    Unmasked,
    /// We are the client, and the server masked.
    #[error("the server sent a masked frame")]
    Masked,
    /// A length told in more bytes than it needs.
    #[error("a frame tells its length of {length} bytes in more bytes than it takes")]
    LengthNotMinimal {
        /// The length that was told.
        length: u64,
    },
    /// A length with the highest of its 64 bits set.
    #[error("a frame's 64-bit length has its highest bit set")]
    LengthOutOfRange,
    /// A continuation, and no message had begun.
    #[error("a continuation frame came, but no fragmented message had begun")]
    UnexpectedContinuation,
    /// A new message, and the fragmented one before it had not ended.
    #[error("a {0} frame came in the middle of a fragmented message")]
    ExpectedContinuation(OpCode),
    /// A close frame with half a code.
    #[error("a close frame has a payload of one byte, too short for a close code")]
    ClosePayloadOfOneByte,
    /// A close code that may not be on the wire.
    #[error("a close frame carries {0}, which is not a code that may be sent")]
    InvalidCloseCode(CloseCode),
    /// A text message that is not UTF-8.
    #[error("a text message is not valid UTF-8 at byte {at}")]
    InvalidUtf8 {
        /// Bytes of the message before the ill-formed sequence.
        at: u64,
    },
    /// A compressed message whose data are not what deflate (RFC 1951) makes.
    #[error("the data of a compressed message cannot be decompressed")]
    InvalidDeflate,
    /// A compressed message whose data end within a block.
    #[error("the data of a compressed message end too early to be decompressed")]
    UnfinishedDeflate,
    /// A close reason that is not UTF-8.
    #[error("the reason of a close frame is not valid UTF-8 at byte {at}")]
    InvalidUtf8InCloseReason {
        /// Bytes of the reason before the ill-formed sequence.
        at: usize,
    },
    /// Bytes after the peer's close frame. The close handshake goes on as it would have without them.
    #[error("the peer sent more after its close frame")]
    DataAfterClose,
    /// Over [`Limits::frame_size`](crate::Limits::frame_size).
    #[error("a frame announces {length} bytes; the limit is {limit}")]
    FrameTooBig {
        /// Bytes that the header announces.
        length: u64,
        /// Bytes that are allowed.
        limit: u64,
    },
    /// Over [`Limits::message_size`](crate::Limits::message_size).
    #[error("a message has at least {length} bytes; the limit is {limit}")]
    MessageTooBig {
        /// Bytes that came for the message so far and those that the new frame announces; of a compressed message,
        /// bytes that came out of it.
        length: u64,
        /// Bytes that are allowed.
        limit: u64,
    },
    /// Over [`Limits::fragments`](crate::Limits::fragments).
    #[error("a message comes in more than {limit} fragments")]
    TooManyFragments {
        /// Fragments that are allowed.
        limit: u32,
    },
}

/// What was asked for may not be sent. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// A close frame was sent or received, or the connection failed or ended.
    #[error("the connection is closed for sending")]
    Closed,
    /// A fragmented message has begun and must end first, or is of the other kind (section 5.4).
    #[error("a fragmented message has not ended yet")]
    MidMessage,
    /// A ping's or pong's payload is over 125 bytes (section 5.5).
    #[error("a control frame holds at most {CONTROL_PAYLOAD_LIMIT} bytes, not {length}")]
    ControlTooLong {
        /// Bytes that were to be sent.
        length: usize,
    },
    /// A close reason is over 123 bytes (section 5.5.1).
    #[error("a close reason holds at most {REASON_LIMIT} bytes, not {length}")]
    ReasonTooLong {
        /// Bytes that were to be sent.
        length: usize,
    },
    /// A close code that must not be on the wire (section 7.4).
    #[error("close code {0} may not be sent")]
    CodeNotSendable(CloseCode),
    /// A close reason needs a code before it (section 5.5.1).
    #[error("a close reason needs a close code")]
    ReasonWithoutCode,
    /// The fragments of a text message are not UTF-8 together (section 5.6).
    #[error("a text message must be valid UTF-8")]
    InvalidUtf8,
}
