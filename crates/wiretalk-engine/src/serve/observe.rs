//! What a server sees, for whoever shows or keeps it.

use std::net::SocketAddr;
use std::time::Duration;

use wiretalk_talk::player::{ConnectionId, Incoming, Outgoing};
use wiretalk_talk::{Mismatch, Span};

/// Told of all that a server sees. It is called while the server works, so it must not take long.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// To whom something was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// One client.
    One(ConnectionId),
    /// So many clients: all of them.
    All(usize),
    /// So many clients: all but this one.
    Others(ConnectionId, usize),
}

/// Something that a server saw.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A client is connected.
    Connected {
        /// Which.
        client: ConnectionId,
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
        client: ConnectionId,
        /// The close code: the peer's, or 1006 if the connection ended without one.
        code: u16,
        /// The peer's reason, or why the connection ended.
        why: &'a str,
        /// How long it was there.
        after: Duration,
        /// How many clients there are now.
        clients: usize,
    },
    /// A handshake was refused.
    Refused {
        /// From where.
        peer: SocketAddr,
        /// What it asked for.
        target: &'a str,
        /// With which status.
        status: u16,
        /// Why.
        why: &'a str,
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
        client: ConnectionId,
        /// What.
        what: &'a Incoming,
    },
    /// Something was sent.
    Sent {
        /// To whom.
        to: Recipient,
        /// What.
        what: &'a Outgoing,
    },
    /// No line of the talk took a message.
    Unmatched {
        /// From whom.
        client: ConnectionId,
        /// The line that came nearest, and why it did not match.
        nearest: Option<(Span, &'a Mismatch)>,
    },
    /// A line of the talk could not be played.
    Problem {
        /// Which.
        span: Span,
        /// For whom, if for one client.
        client: Option<ConnectionId>,
        /// What went wrong.
        what: &'a str,
    },
    /// A client reads too slowly: what waited for it is thrown away, and it is closed.
    TooSlow {
        /// Which.
        client: ConnectionId,
    },
    /// A connection failed before it was a WebSocket.
    ConnectionFailed {
        /// From where.
        peer: SocketAddr,
        /// Why.
        why: &'a str,
    },
    /// A connection could not even be accepted.
    AcceptFailed {
        /// Why.
        why: &'a str,
    },
}
