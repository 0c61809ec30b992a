//! A message that is framed once for many receivers.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::deflate::Codecs;
use crate::frame::{HEADER_LIMIT, Header, RSV1};
use crate::opcode::{MessageKind, OpCode};

/// A window in which every connection can look back over all of a message that is no longer, as a power of two.
const LEAST_WINDOW_BITS: u8 = 9;

/// One message, framed as a server sends it: not masked, in one frame. Cloning shares the bytes.
///
/// Where compression is agreed without context takeover, the message is compressed when it is first sent to such a
/// connection, and the outcome serves all of them. (Connections whose windows are too small for each other take two:
/// one with the window of the first, one with the least window.) The first one's compression level counts.
#[derive(Clone)]
pub struct Prepared {
    inner: Arc<Inner>,
}

struct Inner {
    kind: MessageKind,
    plain: Framed,
    /// Compressed for the window of whoever came first.
    compressed: OnceLock<(u8, Framed)>,
    /// Compressed for the least window, for those whose window is smaller than that.
    compressed_for_all: OnceLock<Framed>,
}

/// A frame: header and payload.
pub(crate) struct Framed {
    wire: Bytes,
    header_length: usize,
    rsv: u8,
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
        self.inner.kind
    }

    /// The opcode of the frame.
    #[must_use]
    pub fn opcode(&self) -> OpCode {
        self.inner.kind.opcode()
    }

    /// The payload, not compressed, which shares its memory with [`wire`](Self::wire).
    #[must_use]
    pub fn payload(&self) -> Bytes {
        let Framed {
            wire,
            header_length,
            ..
        } = &self.inner.plain;
        wire.slice(*header_length..)
    }

    /// Header and payload, as a server puts them on the wire without compression.
    #[must_use]
    pub fn wire(&self) -> &Bytes {
        &self.inner.plain.wire
    }

    pub(crate) fn payload_bytes(&self) -> &[u8] {
        self.inner.plain.payload_bytes()
    }

    pub(crate) fn plain(&self) -> &Framed {
        &self.inner.plain
    }

    /// The message compressed, for a window of that size.
    pub(crate) fn compressed(&self, window_bits: u8, level: u8, codecs: &mut Codecs) -> &Framed {
        let mut compress = |window_bits| {
            codecs.compress_message(window_bits, level, self.payload_bytes(), |data| {
                Framed::new(self.inner.kind, RSV1, data)
            })
        };
        let (bits, framed) = self
            .inner
            .compressed
            .get_or_init(|| (window_bits, compress(window_bits)));
        if *bits <= window_bits || self.payload_bytes().len() <= 1 << window_bits {
            return framed;
        }
        self.inner
            .compressed_for_all
            .get_or_init(|| compress(LEAST_WINDOW_BITS))
    }

    fn new(kind: MessageKind, payload: &[u8]) -> Self {
        Self {
            inner: Arc::new(Inner {
                kind,
                plain: Framed::new(kind, 0, payload),
                compressed: OnceLock::new(),
                compressed_for_all: OnceLock::new(),
            }),
        }
    }
}

impl PartialEq for Prepared {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.wire() == other.wire()
    }
}

impl Eq for Prepared {}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("kind", &self.kind())
            .field("payload", &self.payload())
            .finish()
    }
}

impl Framed {
    fn new(kind: MessageKind, rsv: u8, payload: &[u8]) -> Self {
        let mut wire = Vec::with_capacity(HEADER_LIMIT + payload.len());
        let length = payload.len() as u64;
        Header {
            fin: true,
            rsv,
            opcode: kind.opcode(),
            mask: None,
            length,
        }
        .encode(&mut wire);
        let header_length = wire.len();
        wire.extend_from_slice(payload);
        Self {
            wire: wire.into(),
            header_length,
            rsv,
        }
    }

    pub(crate) fn wire(&self) -> &Bytes {
        &self.wire
    }

    pub(crate) fn payload_bytes(&self) -> &[u8] {
        &self.wire[self.header_length..]
    }

    pub(crate) fn rsv(&self) -> u8 {
        self.rsv
    }
}
