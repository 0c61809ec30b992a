//! The sending half: frames appended to a buffer, and what may be sent when.

use super::Role;
use crate::close::{self, CloseCode};
use crate::error::{ProtocolError, SendError};
use crate::frame::{CONTROL_PAYLOAD_LIMIT, Header};
use crate::mask::{self, MaskKeys};
use crate::opcode::{MessageKind, OpCode};
use crate::prepared::Prepared;
use crate::utf8;

#[derive(Debug)]
pub(super) struct Sender {
    role: Role,
    /// The fragmented message that has begun.
    message: Option<Fragmented>,
    /// A close frame was sent.
    closed: bool,
}

#[derive(Clone, Debug)]
enum Fragmented {
    Text(utf8::Decoder),
    Binary,
}

impl Sender {
    pub(super) fn new(role: Role) -> Self {
        Self {
            role,
            message: None,
            closed: false,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn is_mid_message(&self) -> bool {
        self.message.is_some()
    }

    /// A message in one frame.
    pub(super) fn message(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        keys: &mut dyn MaskKeys,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if self.is_mid_message() {
            return Err(SendError::MidMessage);
        }
        self.frame(kind.opcode(), true, payload, keys, out);
        Ok(())
    }

    /// The header of a message in one frame, and the key to mask its payload with.
    pub(super) fn header_of_message(
        &mut self,
        kind: MessageKind,
        length: u64,
        keys: &mut dyn MaskKeys,
        out: &mut Vec<u8>,
    ) -> Result<Option<[u8; 4]>, SendError> {
        if self.is_mid_message() {
            return Err(SendError::MidMessage);
        }
        Ok(self.header(kind.opcode(), true, length, keys, out))
    }

    pub(super) fn prepared(
        &mut self,
        message: &Prepared,
        keys: &mut dyn MaskKeys,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        match self.role {
            Role::Client => self.message(message.kind(), message.payload_bytes(), keys, out),
            Role::Server if self.is_mid_message() => Err(SendError::MidMessage),
            Role::Server => {
                out.extend_from_slice(message.wire());
                Ok(())
            }
        }
    }

    pub(super) fn fragment(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        fin: bool,
        keys: &mut dyn MaskKeys,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let opcode = if self.is_mid_message() {
            OpCode::Continuation
        } else {
            kind.opcode()
        };
        let mut message = match (kind, &self.message) {
            (MessageKind::Text, None) => Fragmented::Text(utf8::Decoder::new()),
            (MessageKind::Binary, None) => Fragmented::Binary,
            (MessageKind::Text, Some(Fragmented::Text(decoder))) => {
                Fragmented::Text(decoder.clone())
            }
            (MessageKind::Binary, Some(Fragmented::Binary)) => Fragmented::Binary,
            (MessageKind::Text | MessageKind::Binary, Some(_)) => {
                return Err(SendError::MidMessage);
            }
        };
        if let Fragmented::Text(decoder) = &mut message {
            decoder
                .decode(payload, |_| {})
                .map_err(|_| SendError::InvalidUtf8)?;
            if fin {
                decoder.finish().map_err(|_| SendError::InvalidUtf8)?;
            }
        }
        self.message = if fin { None } else { Some(message) };
        self.frame(opcode, fin, payload, keys, out);
        Ok(())
    }

    pub(super) fn control(
        &mut self,
        opcode: OpCode,
        payload: &[u8],
        keys: &mut dyn MaskKeys,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if payload.len() > CONTROL_PAYLOAD_LIMIT {
            return Err(SendError::ControlTooLong {
                length: payload.len(),
            });
        }
        self.frame(opcode, true, payload, keys, out);
        Ok(())
    }

    pub(super) fn close(
        &mut self,
        code: Option<CloseCode>,
        reason: &str,
        keys: &mut dyn MaskKeys,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let payload = close::encode(code, reason)?;
        self.frame(OpCode::Close, true, payload.as_slice(), keys, out);
        self.closed = true;
        Ok(())
    }

    /// The close frame that fails the connection, with the fault as its reason.
    pub(super) fn fail(
        &mut self,
        error: &ProtocolError,
        keys: &mut dyn MaskKeys,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let reason = error.to_string();
        self.close(
            Some(error.code()),
            close::shorten_reason(&reason),
            keys,
            out,
        )
    }

    fn frame(
        &mut self,
        opcode: OpCode,
        fin: bool,
        payload: &[u8],
        keys: &mut dyn MaskKeys,
        out: &mut Vec<u8>,
    ) {
        let mask = self.header(opcode, fin, payload.len() as u64, keys, out);
        let start = out.len();
        out.extend_from_slice(payload);
        if let Some(key) = mask {
            mask::apply(&mut out[start..], key, 0);
        }
    }

    /// A frame's header, with a fresh masking key if we are a client.
    fn header(
        &self,
        opcode: OpCode,
        fin: bool,
        length: u64,
        keys: &mut dyn MaskKeys,
        out: &mut Vec<u8>,
    ) -> Option<[u8; 4]> {
        let mask = match self.role {
            Role::Client => Some(keys.next_key()),
            Role::Server => None,
        };
        Header {
            fin,
            rsv: 0,
            opcode,
            mask,
            length,
        }
        .encode(out);
        mask
    }
}
