//! One connection of a test: dialed and read by a task of its own, which hands over what comes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use wiretalk_net::{Receiver, Request, Sender};
use wiretalk_talk::player::{ConnectionId, ErrorKind, HandshakeResponse, Incoming, Time};

use super::job::Run;
use crate::wire::incoming;

/// Payload bytes that may wait to be looked at, over all connections of a test.
const WAITING_BYTES: usize = 16 * 1024 * 1024;
/// Signals that may wait to be looked at.
const WAITING_SIGNALS: usize = 256;

/// What a connection has to say.
pub(super) enum Signal {
    Opened(Box<(Sender, HandshakeResponse)>),
    Refused(HandshakeResponse),
    Failed(ErrorKind, String),
    Received(Incoming),
    Gone,
}

/// A signal, from which connection, when it came, and its share of the waiting bytes.
pub(super) struct Told {
    pub(super) connection: ConnectionId,
    pub(super) at: Time,
    pub(super) signal: Signal,
    _share: Option<OwnedSemaphorePermit>,
}

/// Where the connections of a test put what they have to say.
#[derive(Clone)]
pub(super) struct Outlet {
    told: mpsc::Sender<Told>,
    bytes: Arc<Semaphore>,
    began: Instant,
}

/// An outlet, and its other end.
pub(super) fn outlet(began: Instant) -> (Outlet, mpsc::Receiver<Told>) {
    let (told, listen) = mpsc::channel(WAITING_SIGNALS);
    let outlet = Outlet {
        told,
        bytes: Arc::new(Semaphore::new(WAITING_BYTES)),
        began,
    };
    (outlet, listen)
}

impl Outlet {
    /// Whether the other end still listens.
    async fn tell(&self, connection: ConnectionId, bytes: usize, signal: Signal) -> bool {
        let at = self.began.elapsed();
        // One message larger than the bound takes all of it, and comes through alone.
        let share = u32::try_from(bytes.min(WAITING_BYTES)).unwrap_or(u32::MAX);
        let share = if share == 0 {
            None
        } else {
            match Arc::clone(&self.bytes).acquire_many_owned(share).await {
                Ok(share) => Some(share),
                Err(_) => return false,
            }
        };
        let told = Told {
            connection,
            at,
            signal,
            _share: share,
        };
        self.told.send(told).await.is_ok()
    }
}

/// Dials, and reads until the connection is gone. `compression` is what the talk says of it.
pub(super) async fn link(
    run: Arc<Run>,
    request: Request,
    compression: Option<bool>,
    connection: ConnectionId,
    outlet: Outlet,
) {
    match run.dialer.dial(request, compression).await {
        Ok((socket, response)) => {
            let (sender, receiver) = socket.split();
            let response = HandshakeResponse {
                status: response.status,
                headers: headers(&response.headers),
                body: String::new(),
            };
            let opened = Signal::Opened(Box::new((sender, response)));
            if outlet.tell(connection, 0, opened).await {
                read(receiver, connection, &outlet).await;
            }
        }
        Err(error) => {
            let signal = match error.refusal() {
                Some(refusal) => Signal::Refused(HandshakeResponse {
                    status: refusal.response.status,
                    headers: headers(&refusal.response.headers),
                    body: String::from_utf8_lossy(&refusal.body).into_owned(),
                }),
                None => Signal::Failed(crate::wire::error_kind(&error), error.to_string()),
            };
            outlet.tell(connection, 0, signal).await;
        }
    }
}

async fn read(mut receiver: Receiver, connection: ConnectionId, outlet: &Outlet) {
    loop {
        let incoming = match receiver.next_event().await {
            Ok(Some(event)) => incoming(event),
            Ok(None) => break,
            Err(error) => {
                let end = crate::wire::end(&error);
                outlet.tell(connection, 0, Signal::Received(end)).await;
                // A peer that broke the rules is to see our close frame before the stream ends.
                while let Ok(Some(_)) = receiver.next_event().await {}
                break;
            }
        };
        let bytes = match &incoming {
            Incoming::Text(text) => text.len(),
            Incoming::Binary(bytes) => bytes.len(),
            _ => 0,
        };
        let signal = Signal::Received(incoming);
        if !outlet.tell(connection, bytes, signal).await {
            return;
        }
    }
    outlet.tell(connection, 0, Signal::Gone).await;
}

fn headers(headers: &wiretalk_net::Headers) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
        .collect()
}
