//! One entry of the journal, and how it is written.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use wiretalk_talk::player::{Incoming, Outgoing};

use crate::record::without_query_values;
use crate::redact::Redactor;
use crate::serve::{ClientId, Recipient};

/// What an entry costs beside its payload, in bytes, roughly.
const ENTRY_COST: usize = 256;

/// Something that a server saw.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number in the journal, from 1; 0 until it is in one.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// The path of the talk.
    pub talk: Arc<str>,
    /// Whom it is about, if one client.
    pub client: Option<ClientId>,
    /// What.
    pub kind: EntryKind,
}

/// What an entry is of.
#[derive(Clone, Debug)]
pub enum EntryKind {
    /// A client came.
    Open {
        /// From where.
        peer: SocketAddr,
        /// What it asked for.
        target: String,
        /// The subprotocol agreed on.
        subprotocol: Option<String>,
    },
    /// A client is gone.
    Gone {
        /// The close code: the peer's, or 1006.
        code: u16,
        /// The peer's reason, or why the connection ended.
        why: String,
        /// How long it was there.
        after: Duration,
    },
    /// A handshake was refused.
    Refused {
        /// From where.
        peer: SocketAddr,
        /// What was asked for.
        target: String,
        /// With which status.
        status: u16,
        /// Why.
        why: String,
    },
    /// Something came.
    Received {
        /// What.
        frame: Frame,
        /// The line of the talk that took it, from 1, if that was known when it was written down.
        line: Option<usize>,
        /// Set if no line of the talk took it.
        unmatched: Option<Nearest>,
    },
    /// It turned out only later that no line takes a message that came before.
    Unmatched(Nearest),
    /// Something was sent.
    Sent {
        /// What.
        frame: Frame,
        /// To whom.
        to: To,
    },
}

/// To whom something was sent, and who that was.
#[derive(Clone, Debug)]
pub struct To {
    /// `client`, `all`, `others`, `room` or `user`.
    pub who: &'static str,
    /// The room, or the user.
    pub name: Option<String>,
    /// The clients, if it was not one only.
    pub clients: Vec<ClientId>,
}

/// The line that came nearest to what no line took.
#[derive(Clone, Debug, Default)]
pub struct Nearest {
    /// The line, from 1; `None` if no line came near at all.
    pub line: Option<usize>,
    /// Why it did not match.
    pub why: String,
}

/// Which way something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a client.
    Received,
    /// To clients.
    Sent,
}

/// A message, a control frame, or what else there is on the wire.
#[derive(Clone, Debug)]
pub struct Frame {
    /// `text`, `binary`, `ping`, `pong`, `close`, `end`, `frame`, `raw`, `drop` or `stall`.
    pub kind: &'static str,
    /// The payload; of a close its reason.
    pub payload: Bytes,
    /// How many bytes the payload has; more than are here if it was cut.
    pub size: usize,
    /// The code of a close.
    pub code: Option<u16>,
}

impl Frame {
    fn new(kind: &'static str, payload: &[u8]) -> Self {
        Self {
            kind,
            size: payload.len(),
            payload: Bytes::copy_from_slice(payload),
            code: None,
        }
    }

    /// What came.
    #[must_use]
    pub fn received(what: &Incoming) -> Self {
        match what {
            Incoming::Text(text) => Self::new("text", text.as_bytes()),
            Incoming::Binary(bytes) => Self::new("binary", bytes),
            Incoming::Ping(bytes) => Self::new("ping", bytes),
            Incoming::Pong(bytes) => Self::new("pong", bytes),
            Incoming::Close { code, reason } => Self {
                code: Some(*code),
                ..Self::new("close", reason.as_bytes())
            },
            Incoming::End { why, .. } => Self::new("end", why.as_bytes()),
        }
    }

    /// What was sent.
    #[must_use]
    pub fn sent(what: &Outgoing) -> Self {
        match what {
            Outgoing::Text(text) => Self::new("text", text.as_bytes()),
            Outgoing::Binary(bytes) => Self::new("binary", bytes),
            Outgoing::Ping(bytes) => Self::new("ping", bytes),
            Outgoing::Pong(bytes) => Self::new("pong", bytes),
            Outgoing::Close { code, reason } => Self {
                code: Some(code.unwrap_or(1005)),
                ..Self::new("close", reason.as_bytes())
            },
            Outgoing::Frame { payload, .. } => Self::new("frame", payload),
            Outgoing::Raw(bytes) => Self::new("raw", bytes),
            Outgoing::Drop => Self::new("drop", b""),
            Outgoing::Stall(_) => Self::new("stall", b""),
        }
    }

    /// The frame as a player is told it; `None` for what no player hears.
    #[must_use]
    pub fn incoming(&self) -> Option<Incoming> {
        let text = || String::from_utf8_lossy(&self.payload).into_owned();
        Some(match self.kind {
            "text" => Incoming::Text(text()),
            "binary" => Incoming::Binary(self.payload.to_vec()),
            "ping" => Incoming::Ping(self.payload.to_vec()),
            "pong" => Incoming::Pong(self.payload.to_vec()),
            "close" => Incoming::Close {
                code: self.code.unwrap_or(1005),
                reason: text(),
            },
            _ => return None,
        })
    }
}

impl To {
    /// A recipient, and the clients that this is.
    #[must_use]
    pub fn new(recipient: Recipient<'_>, clients: Vec<ClientId>) -> Self {
        let (who, name) = match recipient {
            Recipient::One(_) => ("client", None),
            Recipient::All(_) => ("all", None),
            Recipient::Others(..) => ("others", None),
            Recipient::Room(room, _) => ("room", Some(room.to_owned())),
            Recipient::User(user, _) => ("user", Some(user.to_owned())),
        };
        Self { who, name, clients }
    }
}

impl Entry {
    /// An entry of now, without a number yet.
    #[must_use]
    pub fn new(talk: &Arc<str>, client: Option<ClientId>, kind: EntryKind) -> Self {
        Self {
            number: 0,
            at: Timestamp::now(),
            talk: Arc::clone(talk),
            client,
            kind,
        }
    }

    /// Which way it went, if it is of something on the wire.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        match &self.kind {
            EntryKind::Received { .. } => Some(Direction::Received),
            EntryKind::Sent { .. } => Some(Direction::Sent),
            _ => None,
        }
    }

    /// The kind, as the journal writes it.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match &self.kind {
            EntryKind::Open { .. } => "open",
            EntryKind::Gone { .. } => "gone",
            EntryKind::Refused { .. } => "refused",
            EntryKind::Unmatched(_) => "unmatched",
            EntryKind::Received { frame, .. } | EntryKind::Sent { frame, .. } => frame.kind,
        }
    }

    /// Whether it concerns a client.
    #[must_use]
    pub fn is_about(&self, client: ClientId) -> bool {
        self.client == Some(client)
            || matches!(&self.kind, EntryKind::Sent { to, .. } if to.clients.contains(&client))
    }

    pub(super) fn cost(&self) -> usize {
        ENTRY_COST
            + match &self.kind {
                EntryKind::Open { target, .. } => target.len(),
                EntryKind::Gone { why, .. } => why.len(),
                EntryKind::Refused { target, why, .. } => target.len() + why.len(),
                EntryKind::Unmatched(nearest) => nearest.why.len(),
                EntryKind::Received {
                    frame, unmatched, ..
                } => frame.payload.len() + unmatched.as_ref().map_or(0, |near| near.why.len()),
                EntryKind::Sent { frame, to } => {
                    frame.payload.len() + to.clients.len() * size_of::<ClientId>()
                }
            }
    }

    /// Cuts a payload that is larger than this.
    pub(super) fn cut(&mut self, most: usize) {
        if let EntryKind::Received { frame, .. } | EntryKind::Sent { frame, .. } = &mut self.kind
            && frame.payload.len() > most
        {
            let mut end = most;
            if let Ok(text) = std::str::from_utf8(&frame.payload) {
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
            }
            frame.payload = Bytes::copy_from_slice(&frame.payload[..end]);
        }
    }

    /// The entry as it is written, without secrets.
    pub(crate) fn shown<'a>(&'a self, redactor: &'a Redactor) -> Shown<'a> {
        let mut shown = Shown {
            number: self.number,
            time: format!("{:.3}", self.at),
            talk: &self.talk,
            client: self.client.map(|client| client.0),
            kind: self.kind_name(),
            ..Shown::default()
        };
        match &self.kind {
            EntryKind::Open {
                peer,
                target,
                subprotocol,
            } => {
                shown.peer = Some(peer.to_string());
                shown.target = Some(hidden(redactor, without_query_values(target)));
                shown.subprotocol = subprotocol.as_deref().map(|name| redactor.text(name));
            }
            EntryKind::Gone { code, why, after } => {
                shown.code = Some(*code);
                shown.why = Some(redactor.text(why));
                shown.after_ms = Some(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            }
            EntryKind::Refused {
                peer,
                target,
                status,
                why,
            } => {
                shown.peer = Some(peer.to_string());
                shown.target = Some(hidden(redactor, without_query_values(target)));
                shown.status = Some(*status);
                shown.why = Some(redactor.text(why));
            }
            EntryKind::Unmatched(nearest) => shown.unmatched = Some(nearest.shown(redactor)),
            EntryKind::Received {
                frame,
                line,
                unmatched,
            } => {
                shown.direction = Some("received");
                shown.line = *line;
                shown.unmatched = unmatched.as_ref().map(|nearest| nearest.shown(redactor));
                shown.frame(frame, redactor);
            }
            EntryKind::Sent { frame, to } => {
                shown.direction = Some("sent");
                shown.to = Some(to.who);
                shown.name = to.name.as_deref().map(|name| redactor.text(name));
                shown.clients = to.clients.iter().map(|client| client.0).collect();
                shown.frame(frame, redactor);
            }
        }
        shown
    }
}

fn hidden(redactor: &Redactor, mut text: String) -> String {
    redactor.hide(&mut text);
    text
}

impl Nearest {
    fn shown<'a>(&'a self, redactor: &Redactor) -> ShownNearest<'a> {
        ShownNearest {
            line: self.line,
            why: redactor.text(&self.why),
        }
    }
}

/// An entry in JSON; `docs/serve.md` says what each field is.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Shown<'a> {
    number: u64,
    time: String,
    talk: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    clients: Vec<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unmatched: Option<ShownNearest<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subprotocol: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ShownNearest<'a> {
    line: Option<usize>,
    why: Cow<'a, str>,
}

impl Shown<'_> {
    fn frame(&mut self, frame: &Frame, redactor: &Redactor) {
        self.size = Some(frame.size);
        self.cut = frame.payload.len() < frame.size;
        self.code = frame.code;
        let payload = redactor.bytes(frame.payload.clone());
        let bytes = matches!(frame.kind, "binary" | "frame" | "raw");
        match std::str::from_utf8(&payload) {
            Ok(text) if !bytes => self.text = Some(text.to_owned()),
            _ => self.base64 = Some(STANDARD.encode(&payload)),
        }
    }
}
