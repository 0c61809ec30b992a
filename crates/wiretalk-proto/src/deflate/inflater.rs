//! Decompression: RFC 7692 section 7.2.2.

use std::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::negotiation::MOST_BITS;
use crate::error::{ProtocolError, ProtocolErrorKind};

/// What a message's data go on with: the tail that was cut off, and an empty block, which changes nothing if the data
/// were whole.
const END: [u8; 9] = [0x00, 0x00, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0xFF, 0xFF];

/// The same with an empty block that is the last one.
const FINAL_END: [u8; 6] = [0x00, 0x00, 0xFF, 0xFF, 0x03, 0x00];

/// A decompressor, for one connection or for one message after the other of several.
///
/// Its window is always the largest there is: it reads what was compressed with any smaller one.
pub(crate) struct Inflater {
    inflate: Inflate,
    /// The last thing that came was a block that says it is the last one.
    ended: bool,
}

impl Inflater {
    pub(super) fn new() -> Self {
        Self {
            inflate: Inflate::new(false, MOST_BITS),
            ended: false,
        }
    }

    /// Forgets all that came.
    pub(super) fn reset(&mut self) {
        self.inflate.reset(false);
        self.ended = false;
    }

    /// Inflates all of `input`, by way of `scratch`, and hands what comes out to `take`.
    pub(crate) fn inflate(
        &mut self,
        mut input: &[u8],
        scratch: &mut [u8],
        mut take: impl FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        while !input.is_empty() {
            // Section 7.2.3.4: a block may say that it is the last one, and the message goes on behind it.
            if self.ended {
                self.reset();
            }
            loop {
                let (read, written, status) = self.step(input, scratch);
                input = &input[read..];
                take(&scratch[..written])?;
                match status {
                    Some(Status::StreamEnd) => {
                        self.ended = true;
                        break;
                    }
                    // A full scratch may leave something behind in the decompressor.
                    Some(Status::Ok | Status::BufError) if written == scratch.len() => {}
                    Some(Status::Ok | Status::BufError) if input.is_empty() => break,
                    Some(Status::Ok | Status::BufError) | None => {
                        return Err(ProtocolErrorKind::InvalidDeflate.into());
                    }
                }
            }
        }
        Ok(())
    }

    /// The message's data have all come: ends them as the sender began to, and sees that they are whole.
    ///
    /// With `takes_over`, the window is kept for the next message.
    pub(crate) fn finish(
        &mut self,
        takes_over: bool,
        scratch: &mut [u8],
    ) -> Result<(), ProtocolError> {
        // A sender may leave out the beginning of an empty block behind a block that says it is the last one.
        if !self.ended {
            let unfinished = ProtocolError::from(ProtocolErrorKind::UnfinishedDeflate);
            let end = if takes_over { &END } else { &FINAL_END[..] };
            // Whole data end with the beginning of an empty block, so its rest makes nothing come out.
            self.inflate(end, scratch, |output| {
                if output.is_empty() {
                    Ok(())
                } else {
                    Err(unfinished)
                }
            })
            .map_err(|_| unfinished)?;
            if !takes_over && !self.ended {
                return Err(unfinished);
            }
        }
        if !takes_over {
            self.reset();
        }
        Ok(())
    }

    /// One call of the decompressor: bytes read, bytes written, and what it says; `None` if the data are not deflate.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> (usize, usize, Option<Status>) {
        let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(input, output, InflateFlush::SyncFlush);
        let read = self.inflate.total_in() - read;
        let written = self.inflate.total_out() - written;
        (read as usize, written as usize, status.ok())
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").finish_non_exhaustive()
    }
}
