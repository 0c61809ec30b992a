//! Close codes and the payload of a close frame: RFC 6455 sections 5.5.1 and 7.4.

use std::fmt;

use crate::error::{ProtocolErrorKind, SendError};
use crate::frame::CONTROL_PAYLOAD_LIMIT;

/// The longest reason a close frame can carry, in bytes: a control frame's 125 less the code's two.
pub const REASON_LIMIT: usize = CONTROL_PAYLOAD_LIMIT - 2;

/// A status code of section 7.4, or any other number that came in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose for which the connection was opened is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: a server goes down, or a browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that the receiver cannot take.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1005: never on the wire; stands for a close frame without a code.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: never on the wire; stands for a connection that ended without a close frame.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: the payload does not fit the message's kind, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: the message breaks the receiver's policy.
    pub const POLICY: Self = Self(1008);
    /// 1009: the message is too big to process.
    pub const TOO_BIG: Self = Self(1009);
    /// 1010: the client expected an extension that the server did not negotiate.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: the server met a condition that it did not expect.
    pub const INTERNAL: Self = Self(1011);
    /// 1012: the service restarts (IANA registry).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: try again later (IANA registry).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got a bad answer from the server behind it (IANA registry).
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: never on the wire; stands for a TLS handshake that failed.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// Any number; see [`may_be_sent`](Self::may_be_sent) for those that a close frame may carry.
    #[must_use]
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// The number.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// Whether a close frame may carry the code (section 7.4): one that is registered and not among those that only
    /// stand for something within a program (1005, 1006, 1015), or one of 3000 to 4999, which libraries and
    /// applications choose for themselves.
    #[must_use]
    pub const fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// The registered meaning in a few words; `None` for codes that have none.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1000 => "normal closure",
            1001 => "going away",
            1002 => "protocol error",
            1003 => "unsupported data",
            1005 => "no status received",
            1006 => "abnormal closure",
            1007 => "invalid payload",
            1008 => "policy violation",
            1009 => "message too big",
            1010 => "mandatory extension",
            1011 => "internal error",
            1012 => "service restart",
            1013 => "try again later",
            1014 => "bad gateway",
            1015 => "TLS handshake",
            _ => return None,
        })
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} ({name})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

/// What a close frame with a payload says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// Why the peer closes.
    pub code: CloseCode,
    /// The same for people; may be empty.
    pub reason: &'a str,
}

impl<'a> CloseFrame<'a> {
    /// Reads an unmasked payload; an empty one is a close without a code.
    pub(crate) fn decode(payload: &'a [u8]) -> Result<Option<Self>, ProtocolErrorKind> {
        let (code, reason) = match payload {
            [] => return Ok(None),
            [_] => return Err(ProtocolErrorKind::ClosePayloadOfOneByte),
            [high, low, reason @ ..] => (CloseCode(u16::from_be_bytes([*high, *low])), reason),
        };
        if !code.may_be_sent() {
            return Err(ProtocolErrorKind::InvalidCloseCode(code));
        }
        match std::str::from_utf8(reason) {
            Ok(reason) => Ok(Some(Self { code, reason })),
            Err(error) => Err(ProtocolErrorKind::InvalidUtf8InCloseReason {
                at: error.valid_up_to(),
            }),
        }
    }
}

/// A close frame's payload, or why it cannot be sent. A code of `None` makes an empty payload.
pub(crate) fn encode(code: Option<CloseCode>, reason: &str) -> Result<ClosePayload, SendError> {
    let mut payload = ClosePayload {
        bytes: [0; CONTROL_PAYLOAD_LIMIT],
        length: 0,
    };
    let Some(code) = code else {
        return if reason.is_empty() {
            Ok(payload)
        } else {
            Err(SendError::ReasonWithoutCode)
        };
    };
    if !code.may_be_sent() {
        return Err(SendError::CodeNotSendable(code));
    }
    if reason.len() > REASON_LIMIT {
        return Err(SendError::ReasonTooLong {
            length: reason.len(),
        });
    }
    payload.length = 2 + reason.len();
    payload.bytes[..2].copy_from_slice(&code.as_u16().to_be_bytes());
    payload.bytes[2..payload.length].copy_from_slice(reason.as_bytes());
    Ok(payload)
}

/// A close frame's payload on the stack.
pub(crate) struct ClosePayload {
    bytes: [u8; CONTROL_PAYLOAD_LIMIT],
    length: usize,
}

impl ClosePayload {
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The longest beginning of `reason` that a close frame can carry and that ends between two characters.
pub(crate) fn shorten_reason(reason: &str) -> &str {
    let mut end = reason.len().min(REASON_LIMIT);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

#[cfg(test)]
mod tests;
