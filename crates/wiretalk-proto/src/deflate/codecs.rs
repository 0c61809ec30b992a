//! What connections share: compressors and buffers that are lent to each call.

use std::fmt;

use super::deflater::{Deflater, Scratch};
use super::inflater::Inflater;
use super::short;
use crate::connection::{Assembled, Incomplete};
use crate::mask::MaskKeys;

/// Compressors, decompressors and message buffers that are kept, each. More are in use only while as many messages are
/// under way.
const KEPT: usize = 16;

/// Bytes of message buffers that are kept together.
const KEPT_BYTES: usize = 4 << 20;

/// Bytes of a buffer that may stay unused, whatever the message's length.
const WASTE: usize = 64;

/// The largest buffer whose message is copied so that it can be kept, in bytes.
const COPIED: usize = 1 << 20;

/// The longest scratch that is kept, in bytes.
const KEPT_SCRATCH: usize = 256 << 10;

/// Bytes that are inflated at a time.
const INFLATED_AT_ONCE: usize = 32 << 10;

/// Compressors, decompressors and buffers for all connections of a thread. Each call that may need them is lent them;
/// a connection keeps one only while a message is under way, or under context takeover.
///
/// Nothing is allocated before it is needed, and what is kept is bounded.
#[derive(Default)]
#[expect(
    clippy::vec_box,
    reason = "connections hold them in a box, and so they come and go without being copied"
)]
pub struct Codecs {
    inflaters: Vec<Box<Inflater>>,
    deflaters: Vec<Box<Deflater>>,
    #[expect(
        clippy::vec_box,
        reason = "a connection holds a pointer, not the message that most of the time it has not"
    )]
    incomplete: Vec<Box<Incomplete>>,
    buffers: Vec<Vec<u8>>,
    /// Bytes of capacity in `buffers`.
    buffered: usize,
    inflated: Vec<u8>,
    compressed: Scratch,
    table: short::Table,
}

impl Codecs {
    /// Codecs that hold nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives back all memory that is kept for later.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Keeps the buffer of a message that [`Connection::take_assembled`](crate::Connection::take_assembled) gave, for
    /// messages to come.
    pub fn give_back(&mut self, message: Assembled) {
        self.give_buffer(message.into_buffer());
    }

    /// The message in a buffer of about its size: if it has one that is much larger, it is copied, and that one is kept
    /// for messages to come; if it is too long for that, its buffer is shrunk.
    #[must_use]
    pub fn fit(&mut self, mut message: Assembled) -> Assembled {
        let (length, capacity) = match &message {
            Assembled::Text(text) => (text.len(), text.capacity()),
            Assembled::Binary(payload) => (payload.len(), payload.capacity()),
        };
        if capacity - length <= (length / 4).max(WASTE) {
            return message;
        }
        if capacity > COPIED {
            match &mut message {
                Assembled::Text(text) => text.shrink_to_fit(),
                Assembled::Binary(payload) => payload.shrink_to_fit(),
            }
            return message;
        }
        let copy = message.clone();
        self.give_back(message);
        copy
    }

    pub(crate) fn take_incomplete(&mut self) -> Box<Incomplete> {
        self.incomplete.pop().unwrap_or_default()
    }

    pub(crate) fn give_incomplete(&mut self, message: Box<Incomplete>) {
        if self.incomplete.len() < KEPT {
            self.incomplete.push(message);
        }
    }

    pub(crate) fn take_inflater(&mut self) -> Box<Inflater> {
        self.inflaters
            .pop()
            .unwrap_or_else(|| Box::new(Inflater::new()))
    }

    pub(crate) fn give_inflater(&mut self, mut inflater: Box<Inflater>) {
        if self.inflaters.len() < KEPT {
            inflater.reset();
            self.inflaters.push(inflater);
        }
    }

    /// A compressor with an empty window.
    pub(crate) fn take_deflater(&mut self, window_bits: u8, level: u8) -> Box<Deflater> {
        let fitting = self
            .deflaters
            .iter()
            .rposition(|deflater| deflater.fits(window_bits, level));
        match fitting {
            Some(at) => {
                let mut deflater = self.deflaters.remove(at);
                deflater.reset();
                deflater
            }
            None => Box::new(Deflater::shared(window_bits, level)),
        }
    }

    pub(crate) fn give_deflater(&mut self, deflater: Box<Deflater>) {
        if self.deflaters.len() == KEPT {
            // Another kind may be what is asked for now: the one that was not used for longest makes room.
            self.deflaters.remove(0);
        }
        self.deflaters.push(deflater);
    }

    /// An empty buffer for a message, often with room already.
    pub(crate) fn take_buffer(&mut self) -> Vec<u8> {
        let buffer = self.buffers.pop().unwrap_or_default();
        self.buffered -= buffer.capacity();
        buffer
    }

    pub(crate) fn give_buffer(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        if capacity > 0 && self.buffers.len() < KEPT && self.buffered + capacity <= KEPT_BYTES {
            buffer.clear();
            self.buffered += capacity;
            self.buffers.push(buffer);
        }
    }

    /// Room to inflate into.
    pub(crate) fn inflate_scratch(&mut self) -> &mut [u8] {
        if self.inflated.is_empty() {
            self.inflated = vec![0; INFLATED_AT_ONCE];
        }
        &mut self.inflated
    }

    /// Compresses a message that stands for itself, and hands its data, as they are on the wire, to `take`.
    pub(crate) fn compress_message<T>(
        &mut self,
        window_bits: u8,
        level: u8,
        payload: &[u8],
        take: impl FnOnce(&[u8]) -> T,
    ) -> T {
        if level == 1 && payload.len() <= short::LONGEST {
            let room = self.compressed.at_least(short::room(payload.len()));
            let length = short::compress(payload, window_bits, &mut self.table, room);
            return take(&room[..length]);
        }
        let mut deflater = self.take_deflater(window_bits, level);
        let taken = self.compress(&mut deflater, payload, true, take);
        self.give_deflater(deflater);
        taken
    }

    /// Compresses into the scratch that is kept here, and hands what came out to `take`.
    pub(crate) fn compress<T>(
        &mut self,
        deflater: &mut Deflater,
        piece: &[u8],
        fin: bool,
        take: impl FnOnce(&[u8]) -> T,
    ) -> T {
        let taken = take(deflater.compress(piece, fin, &mut self.compressed));
        self.compressed.shrink(KEPT_SCRATCH);
        taken
    }
}

impl fmt::Debug for Codecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codecs")
            .field("inflaters", &self.inflaters.len())
            .field("deflaters", &self.deflaters.len())
            .field("buffers", &self.buffers.len())
            .finish_non_exhaustive()
    }
}

/// What a caller lends to a call that sends a message.
pub struct Lent<'a> {
    /// Where masking keys come from.
    pub keys: &'a mut dyn MaskKeys,
    /// What compresses.
    pub codecs: &'a mut Codecs,
}

impl fmt::Debug for Lent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent")
            .field("codecs", &self.codecs)
            .finish_non_exhaustive()
    }
}
