//! What comes back on one connection, looked at as it comes.

use crate::{Failure, script::Script};

#[cfg(test)]
mod tests;

/// Replies up to this size are compared as a whole.
const WHOLE: usize = 4096;
/// Of larger ones so much of either end is compared.
const ENDS: usize = 64;
/// One in so many compressed replies is inflated and compared.
const SAMPLE: usize = 61;

const PING: u8 = 0x89;
const RSV1: u8 = 0x40;

/// How far a connection's replies have come.
#[derive(Default)]
pub(crate) struct Replies {
    /// Whole replies that came.
    received: usize,
    /// Bytes of the next.
    at: usize,
    /// Bytes of a control frame that are still to come, and are not looked at.
    skip: usize,
    /// The start of a frame that has not come whole. For exact replies only the first byte of a ping.
    rest: Vec<u8>,
    verified: u64,
    bytes: u64,
}

impl Replies {
    /// A connection that begins its round of the script at `first`.
    pub(crate) fn new(first: usize) -> Self {
        Self {
            received: first,
            ..Self::default()
        }
    }

    /// How many replies were compared with what was to come.
    pub(crate) fn verified(&self) -> u64 {
        self.verified
    }

    /// The bytes of all replies.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes what was read. How many replies are complete with it.
    pub(crate) fn handle(&mut self, script: &Script, chunk: &[u8]) -> Result<usize, Failure> {
        self.bytes += chunk.len() as u64;
        if script.is_exact() {
            self.handle_exact(script, chunk)
        } else {
            self.handle_frames(script, chunk)
        }
    }

    fn handle_exact(&mut self, script: &Script, mut chunk: &[u8]) -> Result<usize, Failure> {
        let before = self.received;
        while !chunk.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(chunk.len());
                self.skip -= skipped;
                chunk = &chunk[skipped..];
                continue;
            }
            if self.at == 0 && (!self.rest.is_empty() || chunk[0] == PING) {
                // A server may ping between its replies.
                if let Some(&length) = chunk.get(usize::from(self.rest.is_empty())) {
                    chunk = &chunk[1 + usize::from(self.rest.is_empty())..];
                    self.rest.clear();
                    self.skip = usize::from(length);
                } else {
                    self.rest.push(PING);
                    chunk = &[];
                }
                continue;
            }
            let expected = script.reply(self.received);
            let taken = chunk.len().min(expected.len() - self.at);
            let (now, later) = chunk.split_at(taken);
            let end = self.at + taken;
            if !same(expected, self.at, now) {
                return Err(format!(
                    "reply {} differs from what was sent within bytes {} to {end}",
                    self.received, self.at
                )
                .into());
            }
            self.at = end;
            if end == expected.len() {
                self.at = 0;
                self.received += 1;
                self.verified += 1;
            }
            chunk = later;
        }
        Ok(self.received - before)
    }

    fn handle_frames(&mut self, script: &Script, chunk: &[u8]) -> Result<usize, Failure> {
        let before = self.received;
        if self.rest.is_empty() {
            let taken = self.frames(script, chunk)?;
            self.rest.extend_from_slice(&chunk[taken..]);
        } else {
            let mut bytes = std::mem::take(&mut self.rest);
            bytes.extend_from_slice(chunk);
            let taken = self.frames(script, &bytes)?;
            bytes.drain(..taken);
            self.rest = bytes;
        }
        Ok(self.received - before)
    }

    /// Takes the whole frames at the start of `bytes`; how long they are.
    fn frames(&mut self, script: &Script, bytes: &[u8]) -> Result<usize, Failure> {
        let mut at = 0;
        while let Some((header, length)) = header(&bytes[at..]) {
            let Some(payload) = bytes[at..].get(header..header + length) else {
                break;
            };
            let first = bytes[at];
            at += header + length;
            match first & !RSV1 {
                0x81 => {
                    if self.received.is_multiple_of(SAMPLE) {
                        if !script.matches(self.received, first & RSV1 != 0, payload) {
                            let what = format!("reply {} is not what was sent", self.received);
                            return Err(what.into());
                        }
                        self.verified += 1;
                    }
                    self.received += 1;
                }
                PING => {}
                _ => return Err(format!("a frame came that begins with {first:#x}").into()),
            }
        }
        Ok(at)
    }
}

/// Whether `chunk` is what `expected` has at `at`; for long messages only near their ends.
fn same(expected: &[u8], at: usize, chunk: &[u8]) -> bool {
    let end = at + chunk.len();
    if expected.len() <= WHOLE {
        return expected[at..end] == *chunk;
    }
    let tail = expected.len() - ENDS;
    let head_same = at >= ENDS || {
        let to = end.min(ENDS);
        expected[at..to] == chunk[..to - at]
    };
    let tail_same = end <= tail || {
        let from = at.max(tail);
        expected[from..end] == chunk[from - at..]
    };
    head_same && tail_same
}

/// The length of the header of an unmasked frame, and that of its payload; `None` if there is not enough of it.
fn header(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes.get(1)? {
        126 => {
            let length = bytes.get(2..4)?.try_into().ok()?;
            Some((4, usize::from(u16::from_be_bytes(length))))
        }
        127 => {
            let length = bytes.get(2..10)?.try_into().ok()?;
            Some((10, usize::try_from(u64::from_be_bytes(length)).ok()?))
        }
        length => Some((2, usize::from(length))),
    }
}
