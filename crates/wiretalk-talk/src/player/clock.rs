//! Clocks: the bodies of `every`.

use std::sync::Arc;
use std::time::Duration;

use super::plan::Clock;
use super::run::{Owner, Run};
use super::{ConnectionId, Player, Time, Timer};
use crate::scope::Bindings;
use crate::syntax::Statement;

pub(super) struct RunningClock {
    pub(super) period: Duration,
    pub(super) next: Time,
    pub(super) n: u64,
    pub(super) connection: Option<ConnectionId>,
    pub(super) body: Arc<[Statement]>,
    /// The lines as they stand in the talk.
    pub(super) text: Arc<str>,
}

impl Player {
    pub(super) fn start_clock(&mut self, clock: &Clock, connection: Option<ConnectionId>) {
        let period = clock.period;
        self.last_clock += 1;
        let next = self.now.saturating_add(period);
        if let Some(connection) = connection.and_then(|id| self.connections.get_mut(&id)) {
            connection.clocks.push(self.last_clock);
        }
        self.timers.insert((next, Timer::Clock(self.last_clock)));
        self.clocks.insert(
            self.last_clock,
            RunningClock {
                period,
                next,
                n: 0,
                connection,
                body: Arc::clone(&clock.body),
                text: Arc::clone(&clock.text),
            },
        );
    }

    pub(super) fn strike(&mut self, id: u64) {
        let Some(clock) = self.clocks.get_mut(&id) else {
            return;
        };
        let n = clock.n;
        clock.n += 1;
        clock.next = clock.next.saturating_add(clock.period);
        if clock.next <= self.now {
            // The clock stood still (a suspended machine): it goes on from here, and does not catch up.
            clock.next = self.now.saturating_add(clock.period);
        }
        self.timers.insert((clock.next, Timer::Clock(id)));
        let (connection, body) = (clock.connection, Arc::clone(&clock.body));
        if connection.is_some_and(|id| self.is_closing(id)) {
            return;
        }
        if self.too_many_runs(connection) {
            let span = body.first().map(|step| step.span).unwrap_or_default();
            let what = "so many bodies of the clock run already that no more are started";
            self.problem(span, connection, what.to_owned());
            return;
        }
        let locals = Bindings::from([("n".to_owned(), crate::Value::Json(n.into()))]);
        let run = Run::body(body, connection, locals, None, Owner::Clock);
        self.start(run);
    }
}
