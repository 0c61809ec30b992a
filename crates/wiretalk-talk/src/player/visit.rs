//! Clients of a mock that come and go, and those for whom something is lost: `on open`, `on close`, `on lost`.

use std::sync::Arc;

use super::plan::{Common, Visit};
use super::run::{Owner, Run};
use super::{
    Action, Connection, ConnectionId, Delivery, Outgoing, Player, Side, State, Target, Time,
};
use crate::pattern::Captures;
use crate::query::{self, Subject};
use crate::scope::Bindings;

impl Player {
    /// A client is gone: `on close` is for those that are left, and only then it leaves its rooms.
    pub(super) fn client_is_gone(&mut self, id: ConnectionId, was_open: bool) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.close_sent = true;
        let plays = connection.plays.take();
        let group = connection.group.take();
        let dialogue = connection.dialogue.and_then(|run| self.runs.get(&run));
        let place = dialogue.map(|run| run.at);
        for run in std::mem::take(&mut connection.runs) {
            self.drop_run(run);
        }
        self.forgets_work(id);
        if let Some(count) = plays.and_then(|plays| self.played.get_mut(&plays)) {
            *count = count.saturating_sub(1);
        }
        if let Some(group) = group {
            self.leave_group(group, id, place);
        }
        if was_open {
            let none = Bindings::new();
            self.start_visit(id, |common| &common.closes, Owner::Close, &none);
        }
        self.forget_if_done(id);
    }

    /// Starts the bodies of `on open`, `on close` or `on lost` whose guards hold for a client.
    pub(super) fn start_visit(
        &mut self,
        id: ConnectionId,
        which: fn(&Common) -> &Vec<Visit>,
        owner: Owner,
        bound: &Bindings,
    ) {
        let mut bodies = Vec::new();
        for visit in self.commons().flat_map(which) {
            let client = self
                .connections
                .get(&id)
                .map(|connection| &connection.client);
            let subject = Subject {
                headers: client.map_or(&[], |client| &client.headers[..]),
                ..Subject::default()
            };
            let context = self.context_of(bound, Some(id), None);
            let mut captures = Captures::new();
            if query::hold(&visit.checks, &subject, &context, &mut captures) {
                bodies.push((Arc::clone(&visit.body), captures));
            }
        }
        for (body, captures) in bodies {
            let mut locals = bound.clone();
            locals.extend(captures);
            self.start(Run::body(body, Some(id), locals, None, owner));
        }
    }

    /// In a mock: `count` messages from other nodes are lost for good, for all of its clients. A talk with `on lost`
    /// says so in its own words; otherwise the clients are closed with 1012 and told how many, for what comes next would
    /// hide that something is missing.
    pub fn lost(&mut self, now: Time, count: u64) {
        self.begin(now);
        if self.side == Side::Client || count == 0 {
            return;
        }
        if self.commons().all(|common| common.losses.is_empty()) {
            let messages = if count == 1 {
                "message was"
            } else {
                "messages were"
            };
            let outgoing = Outgoing::Close {
                code: Some(1012),
                reason: format!("{count} {messages} lost on the way to this server: connect again"),
            };
            self.note_sent(&Target::All, &outgoing);
            self.actions.push_back(Action::Send {
                to: Target::All,
                frame: outgoing,
                delivery: Delivery::default(),
            });
        } else {
            let bound = Bindings::from([("lost".to_owned(), crate::Value::Json(count.into()))]);
            for id in self.connections.keys().copied().collect::<Vec<_>>() {
                if !self.is_closing(id) {
                    self.start_visit(id, |common| &common.losses, Owner::Rule, &bound);
                }
            }
        }
        self.advance();
    }

    /// Once no `on close` runs for a client that is gone, it is forgotten.
    pub(super) fn forget_if_done(&mut self, id: ConnectionId) {
        let done =
            |connection: &Connection| connection.state == State::Gone && connection.runs.is_empty();
        if self.side == Side::Server
            && self
                .connections
                .get(&id)
                .is_some_and(|connection| done(connection))
        {
            self.leave_all_rooms(id);
            self.connections.remove(&id);
        }
    }
}
