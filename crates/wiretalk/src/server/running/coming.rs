//! A client from the judgement of its handshake until its handler has it.

use std::{future::Future, net::SocketAddr, sync::Arc};

use http::Extensions;
use wiretalk_hub::Outbox;
use wiretalk_server::link::{Command, Link};

use super::Service;
use crate::{
    CloseCode, Error, WebSocket,
    server::{
        Clients, Reply, Upgrade,
        client::{Place, Seat},
        entrance::{Entry, Turned},
    },
};

/// What is known of a client that is let in.
pub(super) struct Coming {
    pub(super) entry: Entry,
    pub(super) peer: SocketAddr,
    pub(super) user: Option<String>,
    pub(super) target: Box<str>,
    pub(super) extensions: Extensions,
    /// Its place; none if it has to prove something first.
    pub(super) place: Option<(Place, Outbox<Command>)>,
}

impl<H: Send + Sync + 'static> Service<H> {
    /// Refuses a handshake.
    pub(super) fn refuse(
        self: &Arc<Self>,
        upgrade: Upgrade,
        peer: SocketAddr,
        turned: Turned,
    ) -> Reply {
        let turned = self.told(peer, turned);
        let (reply, farewell) = self.entrance.refuse(upgrade, turned);
        if let Some(farewell) = farewell {
            let service = Arc::clone(self);
            self.lives.spawn(async move {
                farewell.await;
                service.lives.reap();
            });
        }
        reply
    }

    /// Tells of a client that is not let in.
    pub(super) fn told(&self, peer: SocketAddr, mut turned: Turned) -> Turned {
        if let Some(why) = turned.why.take() {
            self.tell(None, Some(peer), why);
        }
        turned
    }

    /// A place among the others.
    pub(super) fn join(&self, user: Option<&str>) -> (Place, Outbox<Command>) {
        let hub = &self.shared.hub;
        let (member, outbox) = hub.join_with(self.settings.queue_size);
        if user.is_some() {
            hub.identify(member.id(), user);
        }
        let clients = Clients {
            shared: Arc::clone(&self.shared),
        };
        (Place::new(member, clients), outbox)
    }

    /// Waits for a client's connection, and for what it has to prove; `None` if it is lost, or does not prove it.
    pub(super) async fn seated(
        self: Arc<Self>,
        socket: impl Future<Output = Result<WebSocket, Error>>,
        mut coming: Coming,
    ) -> Option<Box<Seat>> {
        let mut socket = match socket.await {
            Ok(socket) => socket,
            Err(error) => {
                self.tell(None, Some(coming.peer), error.into());
                return None;
            }
        };
        let (place, outbox) = match coming.place.take() {
            Some(place) => place,
            None => {
                coming.entry = self.proven(coming.entry, coming.peer, &mut socket).await?;
                coming.entry.tell(&mut coming.extensions);
                let named = coming.user.as_deref().or(coming.entry.user());
                let place = self.join(named);
                if self.shared.is_stopping() {
                    drop(place);
                    self.see_off(&mut socket).await;
                    return None;
                }
                place
            }
        };
        let link = Link::new(socket, outbox).guarded(coming.entry.gate());
        let seat = Seat::new(link, place, coming.target, coming.extensions);
        Some(Box::new(seat))
    }

    /// Waits for the proof of a client, until the server stops.
    async fn proven(
        &self,
        entry: Entry,
        peer: SocketAddr,
        socket: &mut WebSocket,
    ) -> Option<Entry> {
        let proven = tokio::select! {
            proven = self.entrance.prove(entry, socket) => Some(proven),
            () = self.shared.stopped() => None,
        };
        match proven {
            Some(Ok(entry)) => Some(entry),
            Some(Err(turned)) => {
                let Turned { close, .. } = self.told(peer, turned);
                let _ = socket.close(CloseCode::new(close.0), &close.1).await;
                while let Ok(Some(_)) = socket.next_event().await {}
                None
            }
            None => {
                self.see_off(socket).await;
                None
            }
        }
    }

    /// Closes a client that the end of the server has come before.
    async fn see_off(&self, socket: &mut WebSocket) {
        // One that is gone already needs no word.
        let _ = socket
            .close(CloseCode::GOING_AWAY, "the server stops")
            .await;
        while let Ok(Some(_)) = socket.next_event().await {}
    }
}
