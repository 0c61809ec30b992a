//! What is told of each connection from its handshake to its end, for whoever makes a trace of it.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wiretalk_net::server::{Reply, Request};
use wiretalk_server::Traffic;

use super::{ClientId, Operation};

/// Follows connections, each from its handshake on. It is called while the server works, so it must not take long; no
/// message goes through it.
pub trait Tracer: Send + Sync + fmt::Debug {
    /// A handshake came, and is not judged yet. `None`: this one is not followed.
    fn begin(&self, request: &Request) -> Option<Box<dyn Trace>>;

    /// What has become of the spans so far.
    fn counts(&self) -> SpanCounts;

    /// Sends what waits, for so long at the most; nothing is followed any more. Dropping the future does not stop it.
    fn end(&self, within: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Follows one connection. Dropped before it was refused or has left: its server did not live to see that, or it was gone
/// before its answer.
pub trait Trace: Send {
    /// The handshake is answered: the client is let in. Nothing is to be told of one that was refused before, for such
    /// are let in to be closed.
    fn accepted(&mut self, peer: SocketAddr, reply: &Reply);

    /// The client is refused. One that brings its token in a first message may be, once it was accepted.
    fn refused(&mut self, refusal: &TracedRefusal<'_>);

    /// The client is gone.
    fn left(&mut self, end: &TracedEnd<'_>);
}

/// Why a client is refused: as in [`Event::Refused`](super::Event::Refused).
#[derive(Clone, Copy, Debug)]
pub struct TracedRefusal<'a> {
    /// Where it comes from, as far as is known.
    pub peer: SocketAddr,
    /// With which status; from 1000 on it is a close code.
    pub status: u16,
    /// The reason's short name.
    pub reason: &'static str,
    /// A sentence.
    pub why: &'a str,
}

/// How a client left: as in [`Event::Left`](super::Event::Left).
#[derive(Clone, Copy, Debug)]
pub struct TracedEnd<'a> {
    /// Which.
    pub client: ClientId,
    /// The close code: the peer's, or 1006.
    pub code: u16,
    /// The peer's reason, or why the connection ended.
    pub why: &'a str,
    /// What it sent and was sent.
    pub traffic: Traffic,
}

/// What has become of spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanCounts {
    /// The collector has them.
    pub exported: u64,
    /// The collector did not take them.
    pub failed: u64,
    /// Too many waited already.
    pub dropped: u64,
    /// They wait to be sent.
    pub waiting: u64,
}

/// The trace of a connection, if there is one, for all who tell it something.
#[derive(Clone, Default)]
pub(super) struct Traced(Option<Arc<Mutex<Box<dyn Trace>>>>);

impl Traced {
    pub(super) fn begin(operation: &Operation, request: &Request) -> Self {
        let tracer = operation.tracer.as_ref();
        let trace = tracer.and_then(|tracer| tracer.begin(request));
        Self(trace.map(|trace| Arc::new(Mutex::new(trace))))
    }

    pub(super) fn accepted(&self, peer: SocketAddr, reply: &Reply) {
        self.tell(|trace| trace.accepted(peer, reply));
    }

    pub(super) fn refused(&self, refusal: &TracedRefusal<'_>) {
        self.tell(|trace| trace.refused(refusal));
    }

    pub(super) fn left(&self, end: &TracedEnd<'_>) {
        self.tell(|trace| trace.left(end));
    }

    fn tell(&self, tell: impl FnOnce(&mut dyn Trace)) {
        if let Some(trace) = &self.0 {
            tell(&mut **trace.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl fmt::Debug for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Traced").field(&self.0.is_some()).finish()
    }
}
