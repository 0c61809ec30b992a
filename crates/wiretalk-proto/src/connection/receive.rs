//! The receiving half: headers, payloads that come in pieces, messages that come in fragments.

use std::ops::Range;

use super::{Assembled, Config, Event, Role};
use crate::deflate::{Codecs, Inflater};
use crate::error::{ProtocolError, ProtocolErrorKind};
use crate::frame::{self, Header, RSV1, Start};
use crate::limits::Limits;
use crate::mask;
use crate::opcode::OpCode;
use crate::utf8;

/// What has come of the message that is under way, and what was told of last.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    /// The message that has begun and is not whole.
    message: Option<Box<Incomplete>>,
    /// The message that the last step told of.
    done: Option<Assembled>,
    /// Only while a compressed message is under way, or if the peer keeps its window from message to message.
    inflater: Option<Box<Inflater>>,
    /// The last input ended with a part of a header or of a control frame.
    starved: bool,
}

/// How far one call came.
pub(super) struct Advance {
    pub(super) consumed: usize,
    pub(super) outcome: Option<Outcome>,
}

/// What is to be told of.
pub(super) enum Outcome {
    /// A whole control frame or message of one frame; its payload lies there in the input, unmasked.
    Frame(OpCode, Range<usize>),
    /// A message that was put together.
    Assembled,
}

/// A data frame whose payload has not all come.
#[derive(Debug)]
struct Partial {
    fin: bool,
    mask: Option<[u8; 4]>,
    length: u64,
    received: u64,
}

/// A message that has not all come. Lent by [`Codecs`], since most connections have none most of the time.
#[derive(Debug, Default)]
pub(crate) struct Incomplete {
    payload: Payload,
    /// The frame whose payload is coming.
    frame: Option<Partial>,
    /// Bytes of payload that the frames so far announce; of a compressed message, bytes that came out of it so far.
    length: u64,
    frames: u32,
    compressed: bool,
}

#[derive(Debug)]
enum Payload {
    /// What is decoded is known to be text, so that it needs no second check when it is whole.
    Text(String, utf8::Decoder),
    Binary(Vec<u8>),
}

impl Receiver {
    /// Goes on to the next event, or to the end of what can be done.
    pub(super) fn advance(
        &mut self,
        role: Role,
        config: &Config,
        input: &mut [u8],
        codecs: &mut Codecs,
    ) -> Result<Advance, ProtocolError> {
        let mut consumed = 0;
        self.starved = false;
        loop {
            let rest = &mut input[consumed..];
            if let Some(message) = self.message.as_deref_mut()
                && let Some(frame) = &mut message.frame
            {
                let missing = frame.length - frame.received;
                let piece = frame.take(rest);
                consumed += piece.len();
                if message.compressed && piece.is_empty() {
                    // A header alone costs no decompressor.
                } else if message.compressed {
                    let inflater = self.inflater.get_or_insert_with(|| codecs.take_inflater());
                    let limit = config.limits.message_size as u64;
                    let Incomplete {
                        payload, length, ..
                    } = message;
                    inflater.inflate(piece, codecs.inflate_scratch(), |output| {
                        inflated(payload, length, output, limit)
                    })?;
                } else {
                    // The last frame tells how much is to come, so that the buffer need not end larger than the
                    // message.
                    let missing = if frame.fin { missing } else { u64::MAX };
                    message.payload.push(piece, missing)?;
                }
                if frame.received < frame.length {
                    return Ok(Advance {
                        consumed,
                        outcome: None,
                    });
                }
                let fin = frame.fin;
                message.frame = None;
                if fin {
                    self.end_message(role, config, codecs)?;
                    return Ok(Advance {
                        consumed,
                        outcome: Some(Outcome::Assembled),
                    });
                }
                continue;
            }

            let Some((header, header_length)) = self.header(role, config, rest)? else {
                self.starved = !rest.is_empty();
                return Ok(Advance {
                    consumed,
                    outcome: None,
                });
            };
            let whole = usize::try_from(header.length)
                .ok()
                .filter(|length| *length <= rest.len() - header_length);
            if header.opcode.is_control() {
                let Some(length) = whole else {
                    self.starved = true;
                    return Ok(Advance {
                        consumed,
                        outcome: None,
                    });
                };
                return Ok(lend(&header, consumed + header_length, length, input));
            }
            self.check_limits(&header, &config.limits)?;
            match whole {
                Some(length) if header.fin && header.rsv == 0 && self.message.is_none() => {
                    return Ok(lend(&header, consumed + header_length, length, input));
                }
                _ => {
                    self.begin(&header, codecs);
                    consumed += header_length;
                }
            }
        }
    }

    /// The message that was put together last.
    pub(super) fn assembled(&self) -> Option<Event<'_>> {
        self.done.as_ref().map(|done| match done {
            Assembled::Text(text) => Event::Text(text),
            Assembled::Binary(payload) => Event::Binary(payload),
        })
    }

    pub(super) fn take_assembled(&mut self) -> Option<Assembled> {
        self.done.take()
    }

    /// Gives back the buffer of the message that was told of last.
    pub(super) fn release(&mut self, codecs: &mut Codecs) {
        if self.done.is_some()
            && let Some(done) = self.done.take()
        {
            codecs.give_back(done);
        }
    }

    /// Gives back everything: nothing more is received.
    pub(super) fn abandon(&mut self, codecs: &mut Codecs) {
        self.release(codecs);
        if let Some(mut message) = self.message.take() {
            codecs.give_buffer(std::mem::take(&mut message.payload).into_buffer());
            codecs.give_incomplete(message);
        }
        if let Some(inflater) = self.inflater.take() {
            codecs.give_inflater(inflater);
        }
    }

    pub(super) fn is_mid_frame(&self) -> bool {
        self.starved
            || self
                .message
                .as_ref()
                .is_some_and(|message| message.frame.is_some())
    }

    pub(super) fn is_mid_message(&self) -> bool {
        self.message.is_some()
    }

    /// Reads the header at the start of `input` and judges it, each fault as soon as the byte that shows it has come.
    fn header(
        &self,
        role: Role,
        config: &Config,
        input: &[u8],
    ) -> Result<Option<(Header, usize)>, ProtocolError> {
        let Some(first) = input.first() else {
            return Ok(None);
        };
        let start = Start::decode(*first)?;
        if start.rsv != 0 {
            judge_reserved_bits(start, config)?;
        }
        match start.opcode {
            OpCode::Continuation if self.message.is_none() => {
                return Err(ProtocolErrorKind::UnexpectedContinuation.into());
            }
            OpCode::Text | OpCode::Binary if self.message.is_some() => {
                return Err(ProtocolErrorKind::ExpectedContinuation(start.opcode).into());
            }
            _ => {}
        }
        if let Some(second) = input.get(1) {
            match (role, frame::is_masked(*second)) {
                (Role::Server, false) => return Err(ProtocolErrorKind::Unmasked.into()),
                (Role::Client, true) => return Err(ProtocolErrorKind::Masked.into()),
                (Role::Server, true) | (Role::Client, false) => {}
            }
        }
        Header::decode_after(start, input)
    }

    /// Judges a data frame by what its header announces.
    fn check_limits(&self, header: &Header, limits: &Limits) -> Result<(), ProtocolErrorKind> {
        if header.length > limits.frame_size {
            return Err(ProtocolErrorKind::FrameTooBig {
                length: header.length,
                limit: limits.frame_size,
            });
        }
        let (length, frames, compressed) = match &self.message {
            Some(message) => (message.length, message.frames, message.compressed),
            None => (0, 0, header.rsv != 0),
        };
        // What comes out of compressed data is counted when it does.
        let length = length.saturating_add(header.length);
        let limit = limits.message_size as u64;
        if length > limit && !compressed {
            return Err(ProtocolErrorKind::MessageTooBig { length, limit });
        }
        if frames >= limits.fragments {
            return Err(ProtocolErrorKind::TooManyFragments {
                limit: limits.fragments,
            });
        }
        Ok(())
    }

    /// Begins a data frame whose payload is to be put together with others.
    fn begin(&mut self, header: &Header, codecs: &mut Codecs) {
        let Header {
            fin, mask, length, ..
        } = *header;
        let message = self.message.get_or_insert_with(|| {
            let mut message = codecs.take_incomplete();
            *message = Incomplete {
                payload: Payload::new(header.opcode, codecs.take_buffer()),
                compressed: header.rsv != 0,
                ..Incomplete::default()
            };
            message
        });
        if !message.compressed {
            message.length = message.length.saturating_add(length);
        }
        message.frames += 1;
        message.frame = Some(Partial {
            fin,
            mask,
            length,
            received: 0,
        });
    }

    /// The last frame's payload has all come.
    fn end_message(
        &mut self,
        role: Role,
        config: &Config,
        codecs: &mut Codecs,
    ) -> Result<(), ProtocolError> {
        let Some(mut message) = self.message.take() else {
            return Ok(());
        };
        let payload = std::mem::take(&mut message.payload);
        let compressed = message.compressed;
        codecs.give_incomplete(message);
        if compressed {
            let inflater = self.inflater.get_or_insert_with(|| codecs.take_inflater());
            let takes_over = config
                .deflate
                .is_some_and(|agreed| agreed.takes_over(role.other()));
            inflater.finish(takes_over, codecs.inflate_scratch())?;
            if !takes_over && let Some(inflater) = self.inflater.take() {
                codecs.give_inflater(inflater);
            }
        }
        self.done = Some(payload.finish()?);
        Ok(())
    }
}

impl Partial {
    /// As much of `input` as belongs to the frame, unmasked.
    fn take<'i>(&mut self, input: &'i mut [u8]) -> &'i [u8] {
        let piece = match usize::try_from(self.length - self.received) {
            Ok(missing) if missing < input.len() => &mut input[..missing],
            _ => input,
        };
        if let Some(key) = self.mask {
            mask::apply(piece, key, self.received);
        }
        self.received += piece.len() as u64;
        piece
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::Binary(Vec::new())
    }
}

impl Payload {
    /// Puts a payload together in a buffer that is empty.
    fn new(opcode: OpCode, buffer: Vec<u8>) -> Self {
        if opcode == OpCode::Text {
            let text = String::from_utf8(buffer).unwrap_or_default();
            Self::Text(text, utf8::Decoder::new())
        } else {
            Self::Binary(buffer)
        }
    }

    fn into_buffer(self) -> Vec<u8> {
        match self {
            Self::Text(text, _) => text.into_bytes(),
            Self::Binary(payload) => payload,
        }
    }

    /// Takes a piece. At most `missing` bytes are to come, this piece among them.
    fn push(&mut self, piece: &[u8], missing: u64) -> Result<(), ProtocolError> {
        match self {
            Self::Text(text, decoder) => {
                let growth = growth(text.len(), text.capacity(), piece.len(), missing);
                text.reserve_exact(growth);
                decoder
                    .decode(piece, |piece| text.push_str(piece))
                    .map_err(|error| ProtocolErrorKind::InvalidUtf8 { at: error.at })?;
            }
            Self::Binary(payload) => {
                let growth = growth(payload.len(), payload.capacity(), piece.len(), missing);
                payload.reserve_exact(growth);
                payload.extend_from_slice(piece);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Assembled, ProtocolError> {
        match self {
            Self::Text(text, decoder) => {
                decoder
                    .finish()
                    .map_err(|error| ProtocolErrorKind::InvalidUtf8 { at: error.at })?;
                Ok(Assembled::Text(text))
            }
            Self::Binary(payload) => Ok(Assembled::Binary(payload)),
        }
    }
}

/// RSV1 marks a compressed message, where that was agreed (RFC 7692 section 6). Nothing else is defined.
fn judge_reserved_bits(start: Start, config: &Config) -> Result<(), ProtocolErrorKind> {
    match start.opcode {
        _ if start.rsv != RSV1 || config.deflate.is_none() => {
            Err(ProtocolErrorKind::ReservedBits(start.rsv))
        }
        OpCode::Text | OpCode::Binary => Ok(()),
        OpCode::Continuation | OpCode::Close | OpCode::Ping | OpCode::Pong => {
            Err(ProtocolErrorKind::CompressedBit(start.opcode))
        }
    }
}

/// Takes what came out of a compressed message: as much as may be, so that a fault in that comes first.
fn inflated(
    payload: &mut Payload,
    length: &mut u64,
    output: &[u8],
    limit: u64,
) -> Result<(), ProtocolError> {
    // The limit may have been lowered meanwhile.
    let room = limit.saturating_sub(*length);
    let fitting = usize::try_from(room).map_or(output.len(), |room| room.min(output.len()));
    payload.push(&output[..fitting], room)?;
    *length += fitting as u64;
    if fitting < output.len() {
        let length = limit.saturating_add(1);
        return Err(ProtocolErrorKind::MessageTooBig { length, limit }.into());
    }
    Ok(())
}

/// The text of a whole message.
pub(super) fn text(payload: &[u8]) -> Result<&str, ProtocolErrorKind> {
    utf8::decode_whole(payload).map_err(|error| ProtocolErrorKind::InvalidUtf8 { at: error.at })
}

/// Unmasks a whole payload where it lies.
fn lend(header: &Header, start: usize, length: usize, input: &mut [u8]) -> Advance {
    let payload = start..start + length;
    if let Some(key) = header.mask {
        mask::apply(&mut input[payload.clone()], key, 0);
    }
    Advance {
        consumed: payload.end,
        outcome: Some(Outcome::Frame(header.opcode, payload)),
    }
}

/// How many bytes to make room for, over those that are held: none if the piece fits, else as many as are held, so that
/// the work stays linear and the room below twice what came, but no more than are to come.
fn growth(length: usize, capacity: usize, piece: usize, missing: u64) -> usize {
    if capacity - length >= piece {
        return 0;
    }
    let missing = usize::try_from(missing).unwrap_or(usize::MAX);
    piece.max(length.min(missing))
}
