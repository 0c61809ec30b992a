//! A message that is framed once for many receivers.

use bytes::Bytes;

use crate::frame::{HEADER_LIMIT, Header};
use crate::opcode::{MessageKind, OpCode};

/// One message, framed as a server sends it: not masked, in one frame. Cloning shares the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    kind: MessageKind,
    /// Header and payload.
    wire: Bytes,
    header_length: usize,
}

impl Prepared {
    /// Frames a text message.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::new(MessageKind::Text, text.as_bytes())
    }

    /// Frames a binary message.
    #[must_use]
    pub fn binary(payload: &[u8]) -> Self {
        Self::new(MessageKind::Binary, payload)
    }

    /// Text or binary.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The opcode of the frame.
    #[must_use]
    pub fn opcode(&self) -> OpCode {
        self.kind.opcode()
    }

    /// The payload, which shares its memory with [`wire`](Self::wire).
    #[must_use]
    pub fn payload(&self) -> Bytes {
        self.wire.slice(self.header_length..)
    }

    /// Header and payload, as a server puts them on the wire.
    #[must_use]
    pub fn wire(&self) -> &Bytes {
        &self.wire
    }

    pub(crate) fn payload_bytes(&self) -> &[u8] {
        &self.wire[self.header_length..]
    }

    fn new(kind: MessageKind, payload: &[u8]) -> Self {
        let mut wire = Vec::with_capacity(HEADER_LIMIT + payload.len());
        let length = payload.len() as u64;
        Header {
            fin: true,
            rsv: 0,
            opcode: kind.opcode(),
            mask: None,
            length,
        }
        .encode(&mut wire);
        let header_length = wire.len();
        wire.extend_from_slice(payload);
        Self {
            kind,
            wire: wire.into(),
            header_length,
        }
    }
}
