//! Compression: RFC 7692 section 7.2.1.

use std::fmt;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

use super::{EMPTY, TAIL};

/// What a compressor buffers, as zlib's `memLevel`: for one that is shared, and for one that a connection keeps.
const SHARED_MEMORY: i32 = 8;
const OWN_MEMORY: i32 = 5;

/// Bytes of output that are made room for at first. Most messages take no more.
const FIRST_ROOM: usize = 16 << 10;

/// Less room than this could be filled by the mark that ends a flush, which would then be written again.
const LEAST_ROOM: usize = 16;

/// A compressor, for one connection or for one message after the other of several.
pub(crate) struct Deflater {
    deflate: Deflate,
    window_bits: u8,
    level: u8,
    /// Something was compressed since the window was empty.
    used: bool,
}

impl Deflater {
    /// A compressor that many connections share.
    pub(super) fn shared(window_bits: u8, level: u8) -> Self {
        Self::new(window_bits, level, SHARED_MEMORY)
    }

    /// A compressor that belongs to one connection, and so is as small as may be.
    pub(crate) fn own(window_bits: u8, level: u8) -> Self {
        Self::new(window_bits, level, OWN_MEMORY)
    }

    fn new(window_bits: u8, level: u8, mem_level: i32) -> Self {
        let config = DeflateConfig {
            level: i32::from(level),
            // Negative: raw deflate, without zlib's header.
            window_bits: -i32::from(window_bits),
            mem_level,
            ..DeflateConfig::default()
        };
        Self {
            deflate: Deflate::new_with_config(config),
            window_bits,
            level,
            used: false,
        }
    }

    pub(super) fn fits(&self, window_bits: u8, level: u8) -> bool {
        self.window_bits == window_bits && self.level == level
    }

    /// Empties the window. This has its price, so it is done only if something is in it.
    pub(super) fn reset(&mut self) {
        if self.used {
            self.deflate.reset();
            self.used = false;
        }
    }

    /// Compresses a piece of a message. What comes out can be inflated as far as the piece goes; of the last piece
    /// (`fin`) what the receiver puts there itself is cut off.
    pub(crate) fn compress<'s>(
        &mut self,
        mut piece: &[u8],
        fin: bool,
        scratch: &'s mut Scratch,
    ) -> &'s [u8] {
        scratch.filled = 0;
        if piece.is_empty() {
            // There is nothing to flush, so that the compressor would write no mark to cut.
            return if fin { &EMPTY } else { &[] };
        }
        self.used = true;
        loop {
            let room = scratch.room();
            let offered = room.len();
            let (read, written) = (self.deflate.total_in(), self.deflate.total_out());
            self.deflate
                .compress(piece, room, DeflateFlush::SyncFlush)
                .expect(
                    "the compressor is never told to finish, so that it is in a state to go on",
                );
            piece = &piece[(self.deflate.total_in() - read) as usize..];
            let written = (self.deflate.total_out() - written) as usize;
            scratch.filled += written;
            if written < offered && piece.is_empty() {
                break;
            }
        }
        let output = &scratch.bytes[..scratch.filled];
        if fin {
            output
                .strip_suffix(&TAIL)
                .expect("a flush ends with an empty block")
        } else {
            output
        }
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater")
            .field("window_bits", &self.window_bits)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

/// Where compressed data are put before their length is known. All of `bytes` is initialised, once.
#[derive(Default)]
pub(crate) struct Scratch {
    bytes: Vec<u8>,
    filled: usize,
}

impl Scratch {
    /// What is not filled; never empty.
    fn room(&mut self) -> &mut [u8] {
        if self.bytes.len() - self.filled < LEAST_ROOM {
            let length = (2 * self.bytes.len()).max(FIRST_ROOM);
            self.bytes.resize(length, 0);
        }
        &mut self.bytes[self.filled..]
    }

    /// At least `length` bytes, filled with anything.
    pub(super) fn at_least(&mut self, length: usize) -> &mut [u8] {
        if self.bytes.len() < length {
            self.bytes.resize(length.max(FIRST_ROOM), 0);
        }
        &mut self.bytes
    }

    /// Gives back what is over `limit` bytes.
    pub(super) fn shrink(&mut self, limit: usize) {
        if self.bytes.len() > limit {
            self.bytes.truncate(limit);
            self.bytes.shrink_to_fit();
        }
    }
}
