//! The sending half: frames appended to a buffer, and what may be sent when.

use bytes::Bytes;

use super::Role;
use crate::close::{self, CloseCode};
use crate::deflate::{Agreed, Codecs, Compression, Deflater, Lent};
use crate::error::{ProtocolError, SendError};
use crate::frame::{CONTROL_PAYLOAD_LIMIT, Header, RSV1};
use crate::mask::{self, MaskKeys};
use crate::opcode::{MessageKind, OpCode};
use crate::prepared::{Framed, Prepared};
use crate::utf8;

#[derive(Debug)]
pub(super) struct Sender {
    role: Role,
    /// The fragmented message that has begun.
    message: Option<Box<Fragmented>>,
    /// That message is compressed.
    compressed: bool,
    /// A close frame was sent.
    closed: bool,
    /// Only while a compressed message is sent in fragments, or if we keep our window from message to message.
    deflater: Option<Box<Deflater>>,
}

#[derive(Clone, Debug)]
enum Fragmented {
    Text(utf8::Decoder),
    Binary,
}

/// What is to become of a message.
#[derive(Clone, Copy)]
enum Form {
    Plain,
    Compressed(Recipe),
}

/// How to compress.
#[derive(Clone, Copy)]
struct Recipe {
    window_bits: u8,
    level: u8,
    takes_over: bool,
    /// Whether the plain form is to be preferred if it is no longer. Under context takeover it never is: the compressor
    /// has the message in its window already.
    only_if_smaller: bool,
}

/// What a caller wants, and what was agreed.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    pub(super) compression: Compression,
    pub(super) deflate: Option<Agreed>,
}

impl Wish {
    pub(super) fn compresses(self, role: Role, length: usize) -> bool {
        matches!(self.form(role, Some(length)), Form::Compressed(_))
    }

    /// How a message of that length is sent, or one of unknown length.
    fn form(self, role: Role, length: Option<usize>) -> Form {
        let Some(agreed) = self.deflate else {
            return Form::Plain;
        };
        let is_long = length.is_none_or(|length| length >= agreed.threshold());
        match (self.compression, agreed.window_bits(role)) {
            (Compression::Never, _) | (_, None) => Form::Plain,
            (Compression::Auto, _) if !is_long => Form::Plain,
            (Compression::Auto | Compression::Always, Some(window_bits)) => {
                Form::Compressed(Recipe {
                    window_bits,
                    level: agreed.level(),
                    takes_over: agreed.takes_over(role),
                    only_if_smaller: self.compression == Compression::Auto,
                })
            }
        }
    }
}

impl Sender {
    pub(super) fn new(role: Role) -> Self {
        Self {
            role,
            message: None,
            compressed: false,
            closed: false,
            deflater: None,
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
        wish: Wish,
        lent: &mut Lent<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if self.is_mid_message() {
            return Err(SendError::MidMessage);
        }
        match wish.form(self.role, Some(payload.len())) {
            Form::Plain => self.frame(kind.opcode(), true, payload, lent.keys, out),
            Form::Compressed(recipe) => self.compress(kind, payload, recipe, lent, out),
        }
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
        Ok(self.header(kind.opcode(), true, 0, length, keys, out))
    }

    pub(super) fn prepared(
        &mut self,
        message: &Prepared,
        wish: Wish,
        lent: &mut Lent<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if self.is_mid_message() {
            return Err(SendError::MidMessage);
        }
        match wish.form(self.role, Some(message.payload_bytes().len())) {
            Form::Compressed(recipe) if recipe.takes_over => {
                self.compress(message.kind(), message.payload_bytes(), recipe, lent, out);
            }
            form => {
                let framed = shared(message, form, lent.codecs);
                match self.role {
                    Role::Client => {
                        let rsv = framed.rsv();
                        self.frame_with(
                            message.opcode(),
                            true,
                            rsv,
                            framed.payload_bytes(),
                            lent.keys,
                            out,
                        );
                    }
                    Role::Server => out.extend_from_slice(framed.wire()),
                }
            }
        }
        Ok(())
    }

    /// The bytes of a prepared message, if they are just what it has for everybody.
    pub(super) fn prepared_wire<'m>(
        &self,
        message: &'m Prepared,
        wish: Wish,
        codecs: &mut Codecs,
    ) -> Result<Option<&'m Bytes>, SendError> {
        if self.is_mid_message() {
            return Err(SendError::MidMessage);
        }
        match (
            self.role,
            wish.form(self.role, Some(message.payload_bytes().len())),
        ) {
            (Role::Client, _) => Ok(None),
            (_, Form::Compressed(recipe)) if recipe.takes_over => Ok(None),
            (Role::Server, form) => Ok(Some(shared(message, form, codecs).wire())),
        }
    }

    pub(super) fn fragment(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        fin: bool,
        wish: Wish,
        lent: &mut Lent<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let is_first = !self.is_mid_message();
        let mut message = match (kind, self.message.as_deref()) {
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
        if is_first && fin {
            return self.message(kind, payload, wish, lent, out);
        }
        let form = if is_first {
            wish.form(self.role, None)
        } else if self.compressed {
            let compression = Compression::Always;
            Wish {
                compression,
                ..wish
            }
            .form(self.role, None)
        } else {
            Form::Plain
        };
        let opcode = if is_first {
            kind.opcode()
        } else {
            OpCode::Continuation
        };
        match &mut self.message {
            _ if fin => self.message = None,
            Some(begun) => **begun = message,
            none => *none = Some(Box::new(message)),
        }
        match form {
            Form::Plain => {
                self.compressed = false;
                self.frame(opcode, fin, payload, lent.keys, out);
            }
            Form::Compressed(recipe) => {
                self.compressed = true;
                let rsv = if is_first { RSV1 } else { 0 };
                let mut deflater = self.take_deflater(recipe, lent.codecs);
                let Lent { keys, codecs } = lent;
                codecs.compress(&mut deflater, payload, fin, |data| {
                    self.frame_with(opcode, fin, rsv, data, *keys, out);
                });
                if fin {
                    self.give_deflater(deflater, recipe, codecs);
                } else {
                    self.deflater = Some(deflater);
                }
            }
        }
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

    /// Drops the compressor, unless it is in the middle of a message. Its window is lost, which the peer need not know:
    /// what comes next does not refer to it.
    pub(super) fn release_deflater(&mut self) {
        if !self.is_mid_message() {
            self.deflater = None;
        }
    }

    /// A compressed message in one frame.
    fn compress(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        recipe: Recipe,
        lent: &mut Lent<'_>,
        out: &mut Vec<u8>,
    ) {
        let Lent { keys, codecs } = lent;
        let Recipe {
            window_bits, level, ..
        } = recipe;
        if recipe.takes_over {
            let mut deflater = self.take_deflater(recipe, codecs);
            codecs.compress(&mut deflater, payload, true, |data| {
                self.frame_with(kind.opcode(), true, RSV1, data, *keys, out);
            });
            self.deflater = Some(deflater);
        } else {
            codecs.compress_message(window_bits, level, payload, |data| {
                if data.len() < payload.len() || !recipe.only_if_smaller {
                    self.frame_with(kind.opcode(), true, RSV1, data, *keys, out);
                } else {
                    self.frame(kind.opcode(), true, payload, *keys, out);
                }
            });
        }
    }

    fn take_deflater(&mut self, recipe: Recipe, codecs: &mut Codecs) -> Box<Deflater> {
        let Recipe {
            window_bits, level, ..
        } = recipe;
        self.deflater.take().unwrap_or_else(|| {
            if recipe.takes_over {
                Box::new(Deflater::own(window_bits, level))
            } else {
                codecs.take_deflater(window_bits, level)
            }
        })
    }

    /// After the end of a message.
    fn give_deflater(&mut self, deflater: Box<Deflater>, recipe: Recipe, codecs: &mut Codecs) {
        if recipe.takes_over {
            self.deflater = Some(deflater);
        } else {
            codecs.give_deflater(deflater);
        }
    }

    fn frame(
        &self,
        opcode: OpCode,
        fin: bool,
        payload: &[u8],
        keys: &mut dyn MaskKeys,
        out: &mut Vec<u8>,
    ) {
        self.frame_with(opcode, fin, 0, payload, keys, out);
    }

    fn frame_with(
        &self,
        opcode: OpCode,
        fin: bool,
        rsv: u8,
        payload: &[u8],
        keys: &mut dyn MaskKeys,
        out: &mut Vec<u8>,
    ) {
        let mask = self.header(opcode, fin, rsv, payload.len() as u64, keys, out);
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
        rsv: u8,
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
            rsv,
            opcode,
            mask,
            length,
        }
        .encode(out);
        mask
    }
}

/// The frame of a prepared message that is the same for everybody.
fn shared<'m>(message: &'m Prepared, form: Form, codecs: &mut Codecs) -> &'m Framed {
    let Form::Compressed(recipe) = form else {
        return message.plain();
    };
    let compressed = message.compressed(recipe.window_bits, recipe.level, codecs);
    let is_smaller = compressed.payload_bytes().len() < message.payload_bytes().len();
    if is_smaller || !recipe.only_if_smaller {
        compressed
    } else {
        message.plain()
    }
}
