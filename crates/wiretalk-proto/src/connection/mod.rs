//! One WebSocket connection after the handshake: RFC 6455 sections 5 to 8, RFC 7692 sections 6 and 7.2.

mod receive;
mod send;

use bytes::Bytes;

use crate::close::{CloseCode, CloseFrame};
use crate::deflate::{Agreed, Codecs, Compression, Lent};
use crate::error::{ProtocolError, ProtocolErrorKind, SendError};
use crate::limits::Limits;
use crate::mask::MaskKeys;
use crate::opcode::{MessageKind, OpCode};
use crate::prepared::Prepared;
pub(crate) use receive::Incomplete;
use receive::{Outcome, Receiver};
use send::{Sender, Wish};

/// Which end of the connection we are: a client masks what it sends, a server does not (section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that asked for the connection.
    Client,
    /// The end that accepted it.
    Server,
}

impl Role {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// How a connection behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// What the peer may send.
    pub limits: Limits,
    /// Whether [`Connection::poll_reply`] answers pings. Default: true.
    pub auto_pong: bool,
    /// Whether [`Connection::poll_reply`] answers the peer's close frame. Default: true.
    pub auto_close: bool,
    /// What the handshake agreed on permessage-deflate (RFC 7692); `None` if nothing. Default: `None`.
    pub deflate: Option<Agreed>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            auto_pong: true,
            auto_close: true,
            deflate: None,
        }
    }
}

/// How far the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Both ends may send.
    Open,
    /// We sent a close frame and wait for the peer's.
    Closing,
    /// The peer sent a close frame, and ours is due. Only a fragmented message that had begun may still be ended.
    PeerClosed,
    /// The peer broke the protocol: nothing more is received, and the close frame that says so is due.
    Failing,
    /// Nothing more goes either way: both ends sent a close frame, or we failed the connection, or it ended.
    Closed,
}

/// What one call of [`Connection::handle_input`] came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// Bytes at the start of the input that are done with. The rest must be handed in again, with more behind it.
    pub consumed: usize,
    /// What happened; `None` if more bytes are needed.
    pub event: Option<Event<'a>>,
    /// The event is a message that was put together in the connection's own buffer, which can be had with
    /// [`Connection::take_assembled`]. Otherwise the event lies in the input.
    pub assembled: bool,
}

/// Something that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A ping with its payload. Under [`Config::auto_pong`] its answer is due.
    Ping(&'a [u8]),
    /// A pong with its payload, asked for or not.
    Pong(&'a [u8]),
    /// The peer's close frame; `None` if it carries no code. Nothing comes after it.
    Close(Option<CloseFrame<'a>>),
}

/// A message that was put together from several frames or several reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assembled {
    /// A whole text message.
    Text(String),
    /// A whole binary message.
    Binary(Vec<u8>),
}

impl Assembled {
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(payload) => payload,
        }
    }
}

/// How the stream under the connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer's close frame had come (whether our answer reached the peer cannot be known).
    Clean,
    /// The peer had broken the protocol before.
    Failed(ProtocolError),
    /// No close frame came: close code 1006 (section 7.1.5).
    Abnormal {
        /// The stream was cut within a frame.
        mid_frame: bool,
        /// The stream was cut within a message: within its frames or between them.
        mid_message: bool,
    },
}

/// One WebSocket connection after the handshake, at either end. It does no I/O.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    config: Config,
    receiver: Receiver,
    sender: Sender,
    /// The peer's close frame came.
    close_received: bool,
    failure: Option<Box<ProtocolError>>,
    ended: bool,
    /// The payload of the newest ping that is not answered.
    pong_due: Option<Box<[u8]>>,
    /// The peer's close frame is to be answered, with this code.
    close_due: Option<Option<CloseCode>>,
}

impl Connection {
    /// A connection whose handshake is done.
    #[must_use]
    pub fn new(role: Role, config: Config) -> Self {
        Self {
            role,
            config,
            receiver: Receiver::default(),
            sender: Sender::new(role),
            close_received: false,
            failure: None,
            ended: false,
            pong_due: None,
            close_due: None,
        }
    }

    /// Which end this is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// How the connection behaves.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the peer may send from now on. A message that has begun counts from its begin: by the lower limits it may be too
    /// long already, which is found when more of it comes.
    ///
    /// ```
    /// use wiretalk_proto::{Codecs, Config, Connection, Limits, Role};
    ///
    /// let mut connection = Connection::new(Role::Client, Config::default());
    /// connection.set_limits(Limits { message_size: 2, ..Limits::default() });
    /// let mut frame = *b"\x81\x03abc";
    /// assert!(connection.handle_input(&mut frame, &mut Codecs::new()).is_err());
    /// ```
    pub fn set_limits(&mut self, limits: Limits) {
        self.config.limits = limits;
    }

    /// How far the connection is.
    #[must_use]
    pub fn state(&self) -> State {
        match (self.close_received, self.sender.is_closed()) {
            _ if self.ended => State::Closed,
            _ if self.failure.is_some() => {
                if self.sender.is_closed() {
                    State::Closed
                } else {
                    State::Failing
                }
            }
            (false, false) => State::Open,
            (false, true) => State::Closing,
            (true, false) => State::PeerClosed,
            (true, true) => State::Closed,
        }
    }

    /// Decodes what came, up to the next event, and unmasks it where it lies.
    ///
    /// A message of one frame that lies in `input` as a whole is lent from there. Of any other message, and of one that
    /// is compressed, what has come is unmasked, decompressed, checked to be UTF-8 if it is text, and taken into a buffer
    /// of the connection's, which grows with the bytes that came. So what stays unconsumed when there is no event is less
    /// than a header and a control frame's 125 bytes, and one big read buffer can serve many connections.
    ///
    /// `codecs` may be shared with any number of connections, and need not be the same in every call.
    ///
    /// Call it until there is no event, with the input less what was consumed; call [`poll_reply`](Self::poll_reply)
    /// after each event, or when done: pings in between that were not answered are then answered by one pong.
    ///
    /// # Errors
    /// The peer broke the protocol or a limit. From then on every call gives the same error. Bytes after the peer's
    /// close frame are an error too, but one that changes nothing: the close frame can still be answered.
    pub fn handle_input<'a>(
        &'a mut self,
        input: &'a mut [u8],
        codecs: &mut Codecs,
    ) -> Result<Step<'a>, ProtocolError> {
        self.receiver.release(codecs);
        if let Some(error) = &self.failure {
            return Err(**error);
        }
        if self.close_received {
            return if input.is_empty() {
                Ok(Step {
                    consumed: 0,
                    event: None,
                    assembled: false,
                })
            } else {
                Err(ProtocolErrorKind::DataAfterClose.into())
            };
        }
        let advance = match self
            .receiver
            .advance(self.role, &self.config, input, codecs)
        {
            Ok(advance) => advance,
            Err(error) => return Err(self.fail(error, codecs)),
        };
        let input: &'a [u8] = input;
        let mut assembled = false;
        let event = match advance.outcome {
            None => None,
            Some(Outcome::Assembled) => {
                assembled = true;
                self.receiver.assembled()
            }
            Some(Outcome::Frame(opcode, payload)) => match self.frame(opcode, &input[payload]) {
                Ok(event) => Some(event),
                Err(error) => return Err(self.fail(error, codecs)),
            },
        };
        Ok(Step {
            consumed: advance.consumed,
            event,
            assembled,
        })
    }

    /// Takes the message that the last [`handle_input`](Self::handle_input) told of with [`Step::assembled`], without a
    /// copy; `None` if it told of none, or it was taken already.
    ///
    /// Its buffer may have room for much more. Whoever is done with it soon gives it back with [`Codecs::give_back`];
    /// whoever keeps it has it brought to its size with [`Codecs::fit`].
    #[must_use]
    pub fn take_assembled(&mut self) -> Option<Assembled> {
        self.receiver.take_assembled()
    }

    /// Gives back the memory of a message that was told of and not taken. The next input does so too; this is for a
    /// connection that may be silent for long.
    pub fn release(&mut self, codecs: &mut Codecs) {
        self.receiver.release(codecs);
    }

    /// Drops the compressor that we keep under context takeover, some 300 KiB, for a connection that may be silent for
    /// long: the next message begins with an empty window, and so becomes less small. The peer need not know.
    ///
    /// What we must keep to understand a peer that keeps its own window, some 50 KiB, cannot be dropped.
    pub fn release_compressor(&mut self) {
        self.sender.release_deflater();
    }

    /// Whether a message has begun to come and is not whole.
    #[must_use]
    pub fn is_mid_message(&self) -> bool {
        self.receiver.is_mid_message()
    }

    /// Whether a message of ours was begun with [`send_fragment`](Self::send_fragment) and not ended.
    #[must_use]
    pub fn is_sending_message(&self) -> bool {
        self.sender.is_mid_message()
    }

    /// The stream ended. Nothing can be sent any more.
    pub fn handle_end(&mut self) -> End {
        self.ended = true;
        if let Some(error) = self.failure.as_deref().copied() {
            End::Failed(error)
        } else if self.close_received {
            End::Clean
        } else {
            let mid_frame = self.receiver.is_mid_frame();
            End::Abnormal {
                mid_frame,
                mid_message: self.receiver.is_mid_message(),
            }
        }
    }

    /// Appends a text message to `out`, in one frame.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MidMessage`].
    pub fn send_text(
        &mut self,
        text: &str,
        compression: Compression,
        lent: &mut Lent<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.may_send()?;
        let wish = self.wish(compression);
        self.sender
            .message(MessageKind::Text, text.as_bytes(), wish, lent, out)
    }

    /// Appends a binary message to `out`, in one frame.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MidMessage`].
    pub fn send_binary(
        &mut self,
        payload: &[u8],
        compression: Compression,
        lent: &mut Lent<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.may_send()?;
        let wish = self.wish(compression);
        self.sender
            .message(MessageKind::Binary, payload, wish, lent, out)
    }

    /// Appends a message whose payload is known to be of that kind to `out`, in one frame. Whoever sends text answers
    /// for its being UTF-8.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MidMessage`].
    pub fn send_payload(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        compression: Compression,
        lent: &mut Lent<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.may_send()?;
        let wish = self.wish(compression);
        self.sender.message(kind, payload, wish, lent, out)
    }

    /// Whether a message of `length` bytes is compressed if it is sent that way.
    #[must_use]
    pub fn compresses(&self, compression: Compression, length: usize) -> bool {
        self.wish(compression).compresses(self.role, length)
    }

    /// Appends only the header of a message of one frame to `out`; the caller writes `length` bytes of payload behind
    /// it itself, masked with the key that this gives, if it gives one. So a long payload need not be copied. The
    /// message is not compressed.
    ///
    /// Whoever sends text answers for its being UTF-8.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MidMessage`].
    pub fn send_header(
        &mut self,
        kind: MessageKind,
        length: u64,
        keys: &mut dyn MaskKeys,
        out: &mut Vec<u8>,
    ) -> Result<Option<[u8; 4]>, SendError> {
        self.may_send()?;
        self.sender.header_of_message(kind, length, keys, out)
    }

    /// Appends a message that was framed before to `out`: a server copies it as it is, a client masks it. It is
    /// compressed once for all connections without context takeover, and again by each that keeps its window.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MidMessage`].
    pub fn send_prepared(
        &mut self,
        message: &Prepared,
        compression: Compression,
        lent: &mut Lent<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.may_send()?;
        let wish = self.wish(compression);
        self.sender.prepared(message, wish, lent, out)
    }

    /// What [`send_prepared`](Self::send_prepared) would append, if that is what the message has for every receiver; so
    /// it can be written from there without a copy, and then counts as sent. `None` if the message must be masked, or
    /// compressed for this connection alone.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MidMessage`].
    pub fn prepared_wire<'m>(
        &mut self,
        message: &'m Prepared,
        compression: Compression,
        codecs: &mut Codecs,
    ) -> Result<Option<&'m Bytes>, SendError> {
        self.may_send()?;
        let wish = self.wish(compression);
        self.sender.prepared_wire(message, wish, codecs)
    }

    /// Appends one fragment of a message to `out`. The first call begins a message, the one with `fin` ends it; all
    /// name the same kind. A text may be cut within a character. Pings, pongs and a close may be sent in between.
    ///
    /// Whether the message is compressed is settled by `compression` of the first call.
    ///
    /// # Errors
    /// [`SendError::Closed`]; [`SendError::MidMessage`] for the other kind than the message has begun with;
    /// [`SendError::InvalidUtf8`], after which the message can go on with other bytes.
    pub fn send_fragment(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        fin: bool,
        compression: Compression,
        lent: &mut Lent<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        // Section 5.5.1: the answer to a close frame may wait until the current message is sent.
        let ends_message = self.state() == State::PeerClosed && self.sender.is_mid_message();
        if !ends_message {
            self.may_send()?;
        }
        let wish = self.wish(compression);
        self.sender.fragment(kind, payload, fin, wish, lent, out)
    }

    /// Appends a ping to `out`.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::ControlTooLong`].
    pub fn send_ping(
        &mut self,
        payload: &[u8],
        keys: &mut dyn MaskKeys,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.may_send()?;
        self.sender.control(OpCode::Ping, payload, keys, out)
    }

    /// Appends a pong to `out`. If it answers the newest ping, [`poll_reply`](Self::poll_reply) does not answer again.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::ControlTooLong`].
    pub fn send_pong(
        &mut self,
        payload: &[u8],
        keys: &mut dyn MaskKeys,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.may_send()?;
        self.sender.control(OpCode::Pong, payload, keys, out)?;
        if self.pong_due.as_deref() == Some(payload) {
            self.pong_due = None;
        }
        Ok(())
    }

    /// Appends a close frame to `out`: it begins the close handshake, or answers the peer's. Without a code the frame
    /// is empty. Nothing can be sent after it.
    ///
    /// # Errors
    /// [`SendError::Closed`] if one was sent or the connection failed or ended; [`SendError::CodeNotSendable`],
    /// [`SendError::ReasonTooLong`], [`SendError::ReasonWithoutCode`].
    pub fn send_close(
        &mut self,
        code: Option<CloseCode>,
        reason: &str,
        keys: &mut dyn MaskKeys,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        match self.state() {
            State::Open | State::PeerClosed => {}
            State::Closing | State::Failing | State::Closed => return Err(SendError::Closed),
        }
        self.sender.close(code, reason, keys, out)
    }

    /// Appends the answers that are due to `out`, and says whether there were any: the pong to the newest ping
    /// (section 5.5.3 asks for no more), the answer to the peer's close frame, with its code, or the close frame that
    /// fails the connection.
    pub fn poll_reply(&mut self, keys: &mut dyn MaskKeys, out: &mut Vec<u8>) -> bool {
        match self.state() {
            // In no other state: section 5.5.2 wants no pong once a close frame has come, and none follows ours.
            State::Open => self.pong_due.take().is_some_and(|payload| {
                let sent = self.sender.control(OpCode::Pong, &payload, keys, out);
                sent.is_ok()
            }),
            State::PeerClosed => self.close_due.take().is_some_and(|code| {
                let sent = self.sender.close(code, "", keys, out);
                sent.is_ok()
            }),
            State::Failing => self.failure.as_deref().is_some_and(|error| {
                let sent = self.sender.fail(error, keys, out);
                sent.is_ok()
            }),
            State::Closing | State::Closed => false,
        }
    }

    /// Takes a whole control frame, or the frame of a whole message, that lies in the input.
    fn frame<'a>(&mut self, opcode: OpCode, payload: &'a [u8]) -> Result<Event<'a>, ProtocolError> {
        Ok(match opcode {
            OpCode::Text => Event::Text(receive::text(payload)?),
            // A continuation is never told of as a frame: it belongs to a message that is put together.
            OpCode::Binary | OpCode::Continuation => Event::Binary(payload),
            OpCode::Ping => {
                if self.config.auto_pong {
                    self.pong_due = Some(payload.into());
                }
                Event::Ping(payload)
            }
            OpCode::Pong => Event::Pong(payload),
            OpCode::Close => {
                let frame = CloseFrame::decode(payload)?;
                self.close_received = true;
                if self.config.auto_close {
                    self.close_due = Some(frame.map(|frame| frame.code));
                }
                Event::Close(frame)
            }
        })
    }

    fn fail(&mut self, error: ProtocolError, codecs: &mut Codecs) -> ProtocolError {
        self.failure = Some(Box::new(error));
        self.receiver.abandon(codecs);
        error
    }

    fn wish(&self, compression: Compression) -> Wish {
        Wish {
            compression,
            deflate: self.config.deflate,
        }
    }

    /// Whether a new message or control frame may be sent.
    fn may_send(&self) -> Result<(), SendError> {
        if self.state() == State::Open {
            Ok(())
        } else {
            Err(SendError::Closed)
        }
    }
}
