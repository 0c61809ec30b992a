//! What the player wants done, done: into the clients' outboxes, the log and the journal. Nothing here waits.

use std::sync::Arc;

use wiretalk_hub::{Delivery as HubDelivery, Keeping, Target as HubTarget};
use wiretalk_net::Prepared;
use wiretalk_talk::player::{Action, ConnectionId, Delivery, Outgoing, Target};
use wiretalk_talk::{Mismatch, Span};

use super::{Mock, State};
use crate::report::describe_mismatch;
use crate::serve::command::Command;
use crate::serve::journal::{EntryKind, Frame, Nearest, To};
use crate::serve::metrics::Metrics;
use crate::serve::{ClientId, Event, Recipient};

impl Mock {
    /// Does all that the player wants done.
    pub(super) fn perform(&self, state: &mut State) {
        while let Some(action) = state.player.poll_action() {
            match action {
                Action::Send {
                    to,
                    frame,
                    delivery,
                } => self.send(state, &to, frame, delivery),
                Action::ReplyClose(id) => self.reply_close(state, id),
                Action::Unmatched {
                    connection,
                    nearest,
                } => self.unmatched(state, connection, nearest),
                Action::Matched { connection, span } => matched(state, connection, span),
                Action::Problem {
                    span,
                    connection,
                    what,
                } => self.problem(state, span, connection, &what),
                Action::Join { connection, room } => self.join(state, connection, &room),
                Action::Leave { connection, room } => {
                    if let Some(seat) = state.clients.get(&connection)
                        && self.hub.leave_room(seat.id(), &room)
                    {
                        self.tell(&Event::LeftRoom {
                            client: seat.client,
                            room: &room,
                        });
                    }
                }
                Action::Identify { connection, user } => {
                    if let Some(seat) = state.clients.get(&connection)
                        && self.hub.identify(seat.id(), Some(&user))
                    {
                        self.tell(&Event::Identified {
                            client: seat.client,
                            user: &user,
                        });
                    }
                }
                Action::Keep { room, value } => self.keep(state, &room, &value),
                Action::TakesMore(connection) => {
                    if let Some(Some(waker)) = state.paused.remove(&connection) {
                        waker.wake();
                    }
                }
                // Connections are opened, and tests end, in the other role.
                Action::Connect { .. } | Action::Finished(_) => {}
            }
        }
    }

    /// Sends to whom the player names.
    fn send(&self, state: &mut State, to: &Target, frame: Outgoing, how: Delivery) {
        let seat = |id: &ConnectionId| state.clients.get(id).map(|seat| seat.id());
        let target = match to {
            Target::One(id) => match seat(id) {
                Some(id) => HubTarget::One(id),
                None => return,
            },
            Target::All => HubTarget::All,
            Target::Others(id) => match seat(id) {
                Some(id) => HubTarget::Others(id),
                None => HubTarget::All,
            },
            Target::Room(room) => HubTarget::Room(room),
            Target::User(user) => HubTarget::User(user),
        };
        self.send_to(state, target, frame, how);
    }

    /// Sends the peer's close frame back to it.
    fn reply_close(&self, state: &mut State, id: ConnectionId) {
        let Some(seat) = state.clients.get(&id) else {
            return;
        };
        let client = seat.client;
        let target = HubTarget::One(seat.id());
        self.hub.control(target, &Command::ReplyClose, 0);
        // The close that it answers came just now.
        let came = state
            .pending
            .iter()
            .rev()
            .find_map(|entry| match &entry.kind {
                EntryKind::Received { frame, .. } if entry.client == Some(client) => frame.code,
                _ => None,
            });
        self.note(state, Some(client), || EntryKind::Sent {
            frame: Frame::sent(&Outgoing::Close {
                code: came.filter(|code| *code != 1005),
                reason: String::new(),
            }),
            to: To::new(Recipient::One(client), Vec::new()),
        });
    }

    /// Sends something, and gives the number of clients that it goes to.
    pub(super) fn send_to(
        &self,
        state: &mut State,
        target: HubTarget<'_>,
        frame: Outgoing,
        how: Delivery,
    ) -> usize {
        // Before it is delivered: a receiver may go because of it.
        let receivers = match &self.shared.journal {
            Some(_) => self.receivers(target),
            None => Vec::new(),
        };
        let one = |id: wiretalk_hub::ConnectionId| ClientId(id.0);
        let keeping = Keeping {
            history: state.remembers && !how.unremembered,
            keep: false,
        };
        let (count, frame) = self.deliver(target, frame, how, keeping);
        let to = match target {
            HubTarget::One(id) => Recipient::One(one(id)),
            HubTarget::All => Recipient::All(count),
            HubTarget::Others(id) => Recipient::Others(one(id), count),
            HubTarget::Room(room) | HubTarget::RoomBut(room, _) => Recipient::Room(room, count),
            HubTarget::User(user) | HubTarget::UserBut(user, _) => Recipient::User(user, count),
        };
        self.tell(&Event::Sent {
            to,
            what: &frame,
            how,
        });
        let client = match to {
            Recipient::One(client) => Some(client),
            _ => None,
        };
        self.note(state, client, || EntryKind::Sent {
            frame: Frame::sent(&frame),
            to: To::new(to, receivers),
        });
        count
    }

    /// Puts something into outboxes, framed once for all if it is a message and nothing else is asked for.
    fn deliver(
        &self,
        target: HubTarget<'_>,
        frame: Outgoing,
        how: Delivery,
        keeping: Keeping,
    ) -> (usize, Outgoing) {
        let delivery = match &frame {
            Outgoing::Text(text) if how.is_plain() => {
                self.deliver_message(target, &Prepared::text(text), keeping)
            }
            Outgoing::Binary(bytes) if how.is_plain() => {
                self.deliver_message(target, &Prepared::binary(bytes), keeping)
            }
            Outgoing::Ping(bytes) if how.chop.is_none() => {
                let command = Command::Ping(bytes[..].into());
                self.hub.control(target, &command, bytes.len())
            }
            Outgoing::Pong(bytes) if how.chop.is_none() => {
                let command = Command::Pong(bytes[..].into());
                self.hub.control(target, &command, bytes.len())
            }
            Outgoing::Close { code, reason } if how.chop.is_none() => {
                let command = Command::close(*code, reason);
                self.hub.control(target, &command, reason.len())
            }
            _ => {
                let bytes = size(&frame);
                let special = Arc::new((frame, how));
                let command = Command::special(&special);
                let delivery = self.hub.control(target, &command, bytes);
                return (delivery.receivers, special.0.clone());
            }
        };
        (delivery.receivers, frame)
    }

    /// Delivers a message, and measures how long some of them take.
    fn deliver_message(
        &self,
        target: HubTarget<'_>,
        message: &Prepared,
        keeping: Keeping,
    ) -> HubDelivery {
        let metrics = self.operation().metrics.as_ref();
        let probe = metrics.and_then(Metrics::probe);
        let delivery = self.hub.deliver_with(target, message, keeping);
        if let Some(probe) = probe
            && delivery.receivers > 0
        {
            let receiver = match target {
                HubTarget::One(id) => Some(id),
                _ => probe.choose(&self.hub_receivers(target)),
            };
            if let Some(receiver) = receiver {
                let command = Command::Probe(probe);
                self.hub.control(HubTarget::One(receiver), &command, 0);
            }
        }
        delivery
    }

    /// To whom something goes, for the journal.
    fn receivers(&self, target: HubTarget<'_>) -> Vec<ClientId> {
        let ids = match target {
            // Its entry names it already.
            HubTarget::One(_) => Vec::new(),
            _ => self.hub_receivers(target),
        };
        ids.into_iter().map(|id| ClientId(id.0)).collect()
    }

    fn hub_receivers(&self, target: HubTarget<'_>) -> Vec<wiretalk_hub::ConnectionId> {
        let mut ids = match target {
            HubTarget::One(id) => vec![id],
            HubTarget::All | HubTarget::Others(_) => self.hub.ids(),
            HubTarget::Room(room) | HubTarget::RoomBut(room, _) => self.hub.members(room),
            HubTarget::User(user) | HubTarget::UserBut(user, _) => self.hub.connections(user),
        };
        let but = match target {
            HubTarget::Others(id) | HubTarget::RoomBut(_, id) | HubTarget::UserBut(_, id) => {
                Some(id)
            }
            _ => None,
        };
        if but.is_some() {
            ids.retain(|id| Some(*id) != but);
        }
        ids
    }

    fn join(&self, state: &State, connection: ConnectionId, room: &str) {
        let Some(seat) = state.clients.get(&connection) else {
            return;
        };
        match self.hub.join_room(seat.id(), room) {
            Ok(_) => self.tell(&Event::JoinedRoom {
                client: seat.client,
                room,
            }),
            Err(error) => self.tell(&Event::Problem {
                source: state.plan.source(),
                span: Span::default(),
                client: Some(seat.client),
                what: &format!("it cannot join `{room}`: {error}"),
            }),
        }
    }

    fn keep(&self, state: &State, room: &str, value: &Outgoing) {
        let prepared = match value {
            Outgoing::Text(text) => Prepared::text(text),
            Outgoing::Binary(bytes) => Prepared::binary(bytes),
            // The player keeps messages only.
            _ => return,
        };
        match self.hub.keep(room, prepared) {
            Ok(()) => self.tell(&Event::Kept { room, value }),
            Err(error) => self.tell(&Event::Problem {
                source: state.plan.source(),
                span: Span::default(),
                client: None,
                what: &format!(
                    "`{room}` cannot keep a value of {} bytes: {error}",
                    size(value)
                ),
            }),
        }
    }

    fn unmatched(
        &self,
        state: &mut State,
        connection: ConnectionId,
        nearest: Option<(Span, Mismatch)>,
    ) {
        let Some(client) = state.clients.get(&connection).map(|seat| seat.client) else {
            return;
        };
        let source = state.plan.source();
        self.tell(&Event::Unmatched {
            client,
            source,
            nearest: nearest.as_ref().map(|(span, why)| (*span, why)),
        });
        if self.shared.journal.is_none() {
            return;
        }
        let near = nearest.map_or_else(Nearest::default, |(span, why)| Nearest {
            line: Some(source.position(span.start).0),
            why: describe_mismatch(&why),
        });
        // The message came just now, unless it had to wait for the talk to look at it.
        let entry = state
            .pending
            .iter_mut()
            .find_map(|entry| match &mut entry.kind {
                EntryKind::Received { unmatched, .. } if entry.client == Some(client) => {
                    unmatched.is_none().then_some(unmatched)
                }
                _ => None,
            });
        match entry {
            Some(unmatched) => *unmatched = Some(near),
            None => self.note(state, Some(client), || EntryKind::Unmatched(near)),
        }
    }

    fn problem(&self, state: &State, span: Span, connection: Option<ConnectionId>, what: &str) {
        let client = connection.and_then(|id| state.clients.get(&id));
        self.tell(&Event::Problem {
            source: state.plan.source(),
            span,
            client: client.map(|seat| seat.client),
            what,
        });
    }
}

/// Writes down which line took the message that came just now; of one that had to wait, its entry is filed already.
fn matched(state: &mut State, connection: ConnectionId, span: Span) {
    let Some(client) = state.clients.get(&connection).map(|seat| seat.client) else {
        return;
    };
    let number = state.plan.source().position(span.start).0;
    let entry = state
        .pending
        .iter_mut()
        .rev()
        .find_map(|entry| match &mut entry.kind {
            EntryKind::Received { line, .. } if entry.client == Some(client) => Some(line),
            _ => None,
        });
    if let Some(line) = entry {
        *line = Some(number);
    }
}

/// The bytes that something takes up while it waits.
fn size(frame: &Outgoing) -> usize {
    match frame {
        Outgoing::Text(text) => text.len(),
        Outgoing::Binary(bytes)
        | Outgoing::Ping(bytes)
        | Outgoing::Pong(bytes)
        | Outgoing::Raw(bytes)
        | Outgoing::Frame { payload: bytes, .. } => bytes.len(),
        Outgoing::Close { reason, .. } => reason.len(),
        Outgoing::Drop | Outgoing::Stall(_) => 0,
    }
}
