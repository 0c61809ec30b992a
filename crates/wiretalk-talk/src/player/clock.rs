//! Clocks: the bodies of `every`.

use std::sync::Arc;
use std::time::Duration;

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
}

impl Player {
    pub(super) fn start_clock(
        &mut self,
        period: Duration,
        body: Arc<[Statement]>,
        connection: Option<ConnectionId>,
    ) {
        self.last_clock += 1;
        let next = self.now + period;
        self.timers.insert((next, Timer::Clock(self.last_clock)));
        self.clocks.insert(
            self.last_clock,
            RunningClock {
                period,
                next,
                n: 0,
                connection,
                body,
            },
        );
    }

    pub(super) fn strike(&mut self, id: u64) {
        let Some(clock) = self.clocks.get_mut(&id) else {
            return;
        };
        let n = clock.n;
        clock.n += 1;
        clock.next += clock.period;
        if clock.next <= self.now {
            // The clock stood still (a suspended machine): it goes on from here, and does not catch up.
            clock.next = self.now + clock.period;
        }
        self.timers.insert((clock.next, Timer::Clock(id)));
        let locals = Bindings::from([("n".to_owned(), crate::Value::Json(n.into()))]);
        let run = Run::body(
            Arc::clone(&clock.body),
            clock.connection,
            locals,
            None,
            Owner::Clock,
        );
        self.start(run);
    }
}
