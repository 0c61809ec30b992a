//! What somebody other than the talk sees of a mock's clients, and does with them.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use wiretalk_hub::{ConnectionId, Target as HubTarget};
use wiretalk_server::Traffic;
use wiretalk_talk::player::{Delivery, Outgoing};

use super::Mock;
use crate::serve::ClientId;

/// A client of a mock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo {
    /// Which.
    pub id: ClientId,
    /// From where.
    pub peer: SocketAddr,
    /// What it asked for: the path and the query.
    pub target: String,
    /// When it came.
    pub since: Timestamp,
    /// The subprotocol agreed on.
    pub subprotocol: Option<String>,
    /// The user that it is.
    pub user: Option<Arc<str>>,
    /// The rooms that it is in, sorted.
    pub rooms: Vec<Arc<str>>,
    /// What it has sent and was sent so far.
    pub traffic: Traffic,
}

/// To whom somebody other than the talk sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience<'a> {
    /// One client.
    One(ClientId),
    /// All clients of the mock.
    All,
    /// The clients in a room.
    Room(&'a str),
    /// The clients of a user.
    User(&'a str),
}

impl Mock {
    /// The clients, in the order of their coming.
    #[must_use]
    pub fn clients(&self) -> Vec<ClientInfo> {
        let state = self.lock();
        let seats = state.clients.values();
        seats
            .map(|seat| ClientInfo {
                id: seat.client,
                peer: seat.peer,
                target: seat.target.to_string(),
                since: seat.since,
                subprotocol: seat.subprotocol.as_deref().map(str::to_owned),
                user: self.hub.user_of(seat.id()),
                rooms: self.hub.rooms_of(seat.id()),
                traffic: seat.meter.traffic(),
            })
            .collect()
    }

    /// How many clients there are.
    #[must_use]
    pub fn client_count(&self) -> usize {
        self.lock().clients.len()
    }

    /// Sends something as if the talk had, and gives the number of clients that it goes to.
    pub fn send_from_outside(&self, to: Audience<'_>, frame: &Outgoing) -> usize {
        let mut state = self.lock();
        let target = match to {
            Audience::One(client) => {
                if !state.clients.values().any(|seat| seat.client == client) {
                    return 0;
                }
                HubTarget::One(ConnectionId(client.0))
            }
            Audience::All => HubTarget::All,
            Audience::Room(room) => HubTarget::Room(room),
            Audience::User(user) => HubTarget::User(user),
        };
        let count = self.send_to(&mut state, target, frame.clone(), Delivery::default());
        self.file(&mut state);
        count
    }
}
