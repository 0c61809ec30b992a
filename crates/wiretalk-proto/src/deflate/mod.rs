//! permessage-deflate: RFC 7692 section 7.
//!
//! [`DeflateConfig`] says what this side is willing to do; a handshake turns it into what was [`Agreed`]. The
//! compressors themselves live in [`Codecs`], which are lent to each call: connections without context takeover share
//! them, so that a silent one holds none.

mod codecs;
mod deflater;
mod inflater;
mod negotiation;
mod short;

pub use codecs::{Codecs, Lent};
pub(crate) use deflater::Deflater;
pub(crate) use inflater::Inflater;
pub(crate) use negotiation::NAME;
pub use negotiation::{Agreed, AnswerError, DeflateConfig};

/// What ends each message's data in the compressor, and is cut off on the wire (section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// The payload of a message that is empty (section 7.2.3.6): the beginning of a block whose rest is the tail.
pub(crate) const EMPTY: [u8; 1] = [0x00];

/// Whether a data message is sent compressed, where that was agreed; elsewhere every message is sent as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// If it has at least [`DeflateConfig::threshold`] bytes, or is sent in fragments; without context takeover, only
    /// if that makes it smaller.
    #[default]
    Auto,
    /// Yes, whatever its length.
    Always,
    /// No, such as for a payload that is compressed already, or one that holds a secret beside what others choose.
    Never,
}
