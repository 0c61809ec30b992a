//! What a player is told, and what it answers.

use std::fmt;
use std::time::Duration;

use super::Change;
use crate::pattern::Mismatch;
use crate::scope::Client;
use crate::source::Span;
pub use crate::syntax::{ErrorKind, RawHeader};

/// Time since the player began.
pub type Time = Duration;

/// A connection, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Something that came over a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// The peer's close frame; 1005 if it carried no code.
    Close {
        /// The close code.
        code: u16,
        /// The reason, often empty.
        reason: String,
    },
    /// The stream ended with no close frame, or the peer broke the rules.
    End {
        /// [`ErrorKind::Reset`], [`ErrorKind::Timeout`], or [`ErrorKind::Protocol`] with the code that we close with.
        kind: ErrorKind,
        /// Why, as a sentence.
        why: String,
    },
}

impl Incoming {
    /// What it is, for a person: "a text message".
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text message",
            Self::Binary(_) => "a binary message",
            Self::Ping(_) => "a ping",
            Self::Pong(_) => "a pong",
            Self::Close { .. } => "a close",
            Self::End { .. } => "the end of the connection",
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) | Self::End { why: text, .. } => text.as_bytes(),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => bytes,
            Self::Close { reason, .. } => reason.as_bytes(),
        }
    }
}

/// Something to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A close frame; without a code it is empty.
    Close {
        /// The close code.
        code: Option<u16>,
        /// The reason, often empty.
        reason: String,
    },
    /// One frame, which may break the rules.
    Frame {
        /// What its header says.
        header: RawHeader,
        /// What follows the header.
        payload: Vec<u8>,
    },
    /// Bytes outside any frame.
    Raw(Vec<u8>),
    /// A reset of the connection.
    Drop,
    /// Nothing is read for that long.
    Stall(Duration),
}

/// How a message is put on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// In fragments of so many payload bytes (RFC 6455 section 5.4).
    pub fragment: Option<usize>,
    /// So many bytes to the stream at a time.
    pub chop: Option<usize>,
    /// With or without permessage-deflate; `None`: as the connection does.
    pub compress: Option<bool>,
    /// To a room: whether it stays out of what the room remembers.
    pub unremembered: bool,
}

impl Delivery {
    /// Whether it goes as any other message does, so that it is framed once for all.
    ///
    /// ```
    /// use wiretalk_talk::player::Delivery;
    ///
    /// let unremembered = Delivery { unremembered: true, ..Delivery::default() };
    /// let chopped = Delivery { chop: Some(7), ..Delivery::default() };
    /// assert!(unremembered.is_plain() && !chopped.is_plain());
    /// ```
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.fragment.is_none() && self.chop.is_none() && self.compress.is_none()
    }
}

impl Outgoing {
    /// The payload as text, if it is UTF-8.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => {
                std::str::from_utf8(bytes).ok()
            }
            Self::Close { reason, .. } => Some(reason),
            Self::Frame { payload, .. } => std::str::from_utf8(payload).ok(),
            Self::Raw(_) | Self::Drop | Self::Stall(_) => None,
        }
    }

    /// Bytes in the payload.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Text(text) | Self::Close { reason: text, .. } => text.len(),
            Self::Binary(bytes)
            | Self::Ping(bytes)
            | Self::Pong(bytes)
            | Self::Frame { payload: bytes, .. }
            | Self::Raw(bytes) => bytes.len(),
            Self::Drop | Self::Stall(_) => 0,
        }
    }
}

/// To whom something is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One connection.
    One(ConnectionId),
    /// Every client of the mock.
    All,
    /// Every client of the mock but this one.
    Others(ConnectionId),
    /// The clients in a room.
    Room(String),
    /// The clients of a user.
    User(String),
}

/// What the player wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a connection, and tell with `opened`, `refused` or `failed` what became of it.
    Connect {
        /// What it is to be called from now on.
        connection: ConnectionId,
        /// Its name in the talk.
        name: Option<String>,
        /// The address.
        url: String,
        /// Headers to send along.
        headers: Vec<(String, String)>,
        /// Subprotocols to offer.
        subprotocols: Vec<String>,
        /// Whether permessage-deflate is offered; `None`: as the run says.
        compression: Option<bool>,
    },
    /// Send something.
    Send {
        /// To whom.
        to: Target,
        /// What.
        frame: Outgoing,
        /// How.
        delivery: Delivery,
    },
    /// In a mock: a client is in a room from now on, and gets what the room keeps.
    Join {
        /// Which client.
        connection: ConnectionId,
        /// The room.
        room: String,
    },
    /// In a mock: a client is out of a room.
    Leave {
        /// Which client.
        connection: ConnectionId,
        /// The room.
        room: String,
    },
    /// In a mock: the user that a client is.
    Identify {
        /// Which client.
        connection: ConnectionId,
        /// The user.
        user: String,
    },
    /// In a mock: the last value of a room, which whoever joins it gets.
    Keep {
        /// The room.
        room: String,
        /// A text or binary message.
        value: Outgoing,
    },
    /// Answer the peer's close frame with the same code, as every endpoint does by itself.
    ReplyClose(ConnectionId),
    /// In a mock with workers: after [`Player::takes_more`](super::Player::takes_more) said no, there is space again for
    /// what this client sends.
    TakesMore(ConnectionId),
    /// In a mock, after [`Player::tell_matches`](super::Player::tell_matches): a line took what came.
    Matched {
        /// Who sent it.
        connection: ConnectionId,
        /// The line: of the dialogue, of a body, or of a rule.
        span: Span,
    },
    /// In a mock: nothing in the talk took this message.
    Unmatched {
        /// Who sent it.
        connection: ConnectionId,
        /// The line that came nearest, and why it did not match.
        nearest: Option<(Span, Mismatch)>,
    },
    /// In a mock: a line could not be played.
    Problem {
        /// The line.
        span: Span,
        /// For whom, if for one client.
        connection: Option<ConnectionId>,
        /// What went wrong, as a sentence.
        what: String,
    },
    /// The test is over. The connections still open are to be closed with 1000.
    Finished(Outcome),
}

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every line held.
    Passed {
        /// Messages that no line consumed, each with the name of its connection.
        unconsumed: Vec<(Option<String>, Incoming)>,
        /// Under [`Manner::update`](super::Manner::update): what came in place of what lines expect, in order.
        changes: Vec<Change>,
    },
    /// A line did not hold.
    Failed(Box<Failure>),
}

/// Why a test failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The line of the talk.
    pub span: Span,
    /// The connection it is about.
    pub connection: Option<ConnectionId>,
    /// What was expected, with the values that were known.
    pub expected: String,
    /// What happened instead.
    pub fault: Fault,
    /// The check under the line that does not hold, if that is why.
    pub check: Option<Span>,
    /// How many messages the line's `skip` passed over before.
    pub passed_over: usize,
    /// The last of them, the oldest first; large ones are left out.
    pub passed_over_last: Vec<Incoming>,
    /// Under [`Manner::update`](super::Manner::update): what came in place of what lines before expect, in order.
    pub changes: Vec<Change>,
}

impl Failure {
    /// A failure of a line: what was expected, and what happened instead.
    #[must_use]
    pub fn new(
        span: Span,
        connection: Option<ConnectionId>,
        expected: String,
        fault: Fault,
    ) -> Self {
        Self {
            span,
            connection,
            expected,
            fault,
            check: None,
            passed_over: 0,
            passed_over_last: Vec::new(),
            changes: Vec::new(),
        }
    }
}

/// What happened instead of what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A message that does not match.
    Mismatch {
        /// What came.
        came: Incoming,
        /// When it came.
        at: Time,
        /// Why it does not match.
        mismatch: Mismatch,
    },
    /// Nothing, for that long.
    Nothing {
        /// How long the line waited.
        waited: Duration,
    },
    /// Something, where nothing should have come; `after` is when, counted from the line's begin.
    NotSilent {
        /// What came.
        came: Incoming,
        /// How far into the silence; zero if it had come before.
        after: Duration,
    },
    /// The connection could not be opened.
    NotConnected {
        /// In one word.
        kind: ErrorKind,
        /// Why, as a sentence.
        why: String,
    },
    /// The handshake was answered otherwise.
    Handshake {
        /// What differs.
        mismatch: Mismatch,
        /// The status that came.
        status: u16,
        /// The start of the body that came with it.
        body: String,
    },
    /// The line could not be played.
    Impossible {
        /// Why, as a sentence.
        why: String,
    },
    /// Under `strict`: messages that no line consumed.
    Unconsumed {
        /// The messages, each with the name of its connection.
        messages: Vec<(Option<String>, Incoming)>,
    },
}

/// A request that reached a mock: a handshake or plain HTTP.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// From whom; `id` and `values` are not looked at.
    pub client: Client,
    /// The subprotocols that a handshake offers.
    pub subprotocols: Vec<String>,
}

/// The answer to a handshake that reached a mock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeAnswer {
    /// Upgrade.
    Accept {
        /// What the connection is called from now on.
        connection: ConnectionId,
        /// The subprotocol chosen.
        subprotocol: Option<String>,
        /// Headers to send along.
        headers: Vec<(String, String)>,
        /// Whether permessage-deflate is agreed to; `None`: as the server's options say.
        compression: Option<bool>,
    },
    /// Refuse.
    Refuse(HttpAnswer),
    /// Upgrade, and close at once (`option refuse close`): a browser does not let a page see the status.
    RefuseByClose {
        /// 4000 and the status that would have been sent: 4401 for 401.
        code: u16,
        /// The first line of the body that would have been sent.
        reason: String,
    },
}

/// A client of a mock, for whoever lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo {
    /// Its connection; `client.id` is the same number.
    pub id: ConnectionId,
    /// The name whose lines of the dialogue are played with it.
    pub name: Option<String>,
    /// The path that it asked for, without the query.
    pub path: String,
    /// The rooms that it is in, sorted.
    pub rooms: Vec<String>,
    /// The user that it is.
    pub user: Option<String>,
}

/// A plain HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// The answer that a test's handshake got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandshakeResponse {
    /// The status: 101 if the connection is open.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The start of the body, of a refusal.
    pub body: String,
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
