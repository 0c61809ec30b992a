//! What a server sees, for whoever shows or keeps it.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use wiretalk_hub::HubEvent;
use wiretalk_server::Traffic;
use wiretalk_server::gate::Expelled;
use wiretalk_talk::player::{Delivery, Incoming, Outgoing};
use wiretalk_talk::{Mismatch, Source, Span};

/// Told of all that a server sees. It is called while the server works, so it must not take long.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// A client, counted from 1 among all the clients of a server, whichever talk they came for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// To whom something was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient<'a> {
    /// One client.
    One(ClientId),
    /// So many clients: all of them.
    All(usize),
    /// So many clients: all but this one.
    Others(ClientId, usize),
    /// So many clients: those in this room.
    Room(&'a str, usize),
    /// So many clients: those of this user.
    User(&'a str, usize),
}

/// Something that a server saw.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A client is connected.
    Connected {
        /// Which.
        client: ClientId,
        /// From where.
        peer: SocketAddr,
        /// What it asked for.
        target: &'a str,
        /// The subprotocol agreed on.
        subprotocol: Option<&'a str>,
        /// The extensions agreed on, as the handshake's answer names them with their parameters.
        extensions: Option<&'a str>,
        /// How many clients there are now.
        clients: usize,
    },
    /// A client is gone.
    Left {
        /// Which.
        client: ClientId,
        /// From where it came.
        peer: SocketAddr,
        /// What it asked for.
        target: &'a str,
        /// The close code: the peer's, or 1006 if the connection ended without one.
        code: u16,
        /// The peer's reason, or why the connection ended.
        why: &'a str,
        /// How long it was there.
        after: Duration,
        /// What it sent and was sent.
        traffic: Traffic,
        /// How many clients there are now.
        clients: usize,
    },
    /// A handshake was refused.
    Refused {
        /// From where.
        peer: SocketAddr,
        /// What it asked for.
        target: &'a str,
        /// With which status; from 1000 on it is a close code, which was sent behind an upgrade.
        status: u16,
        /// The reason's short name, which never changes: `talk`, `path`, `handshake`, `capacity`, `draining`, and those
        /// of the guard.
        reason: &'static str,
        /// Why.
        why: &'a str,
    },
    /// A connection has to wait, or was dropped, before anything was read of it: told once a second at the most, for all.
    KeptOut {
        /// From where the last one is.
        peer: SocketAddr,
        /// The reason's short name, which never changes: `handshakes-full` of those that wait, `address-full` of those that
        /// were dropped.
        reason: &'static str,
        /// Why.
        why: &'a str,
        /// How many were so since it was told last.
        times: u64,
    },
    /// A plain request was answered.
    Http {
        /// From where.
        peer: SocketAddr,
        /// Its method.
        method: &'a str,
        /// What it asked for.
        target: &'a str,
        /// With which status.
        status: u16,
    },
    /// Something came from a client.
    Received {
        /// From whom.
        client: ClientId,
        /// What.
        what: &'a Incoming,
    },
    /// Something was sent.
    Sent {
        /// To whom.
        to: Recipient<'a>,
        /// What.
        what: &'a Outgoing,
        /// How it is put on the wire.
        how: Delivery,
    },
    /// A client joined a room.
    JoinedRoom {
        /// Which client.
        client: ClientId,
        /// The room.
        room: &'a str,
    },
    /// A client left a room.
    LeftRoom {
        /// Which client.
        client: ClientId,
        /// The room.
        room: &'a str,
    },
    /// A client is a user from now on.
    Identified {
        /// Which client.
        client: ClientId,
        /// The user.
        user: &'a str,
    },
    /// A room has a new last value.
    Kept {
        /// The room.
        room: &'a str,
        /// The value.
        value: &'a Outgoing,
    },
    /// No line of the talk took a message.
    Unmatched {
        /// From whom.
        client: ClientId,
        /// The talk.
        source: &'a Source,
        /// The line that came nearest, and why it did not match.
        nearest: Option<(Span, &'a Mismatch)>,
    },
    /// A line of the talk could not be played.
    Problem {
        /// The talk.
        source: &'a Source,
        /// Which line.
        span: Span,
        /// For whom, if for one client.
        client: Option<ClientId>,
        /// What went wrong.
        what: &'a str,
    },
    /// A client reads too slowly: what waited for it is thrown away, and it is closed.
    TooSlow {
        /// Which.
        client: ClientId,
    },
    /// A client has to leave: its close frame is on its way.
    Expelled {
        /// Which.
        client: ClientId,
        /// With which code, and why.
        why: &'a Expelled,
    },
    /// The keys that tokens are checked with could not be read anew.
    NoKeys {
        /// Why.
        why: &'a str,
    },
    /// A connection failed before it was a WebSocket.
    ConnectionFailed {
        /// From where.
        peer: SocketAddr,
        /// Why.
        why: &'a str,
    },
    /// Something happened to what a talk shares with other nodes.
    Backplane {
        /// The path of the talk.
        path: &'a str,
        /// What.
        what: &'a HubEvent,
    },
    /// The collector of traces does not take them. Told once until it does, and at the end of what never came there.
    TracesLost {
        /// Why.
        why: &'a str,
    },
    /// The collector of traces takes them again.
    TracesTaken,
    /// A connection could not even be accepted.
    AcceptFailed {
        /// Why.
        why: &'a str,
    },
}
