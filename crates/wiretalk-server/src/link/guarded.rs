//! A gate and its clock.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::time::{Sleep, sleep_until};
use wiretalk_net::CloseCode;

use crate::gate::{Expelled, Gate, Pass, Payload};

/// A gate with the timer for its deadline.
pub(super) struct Guarded {
    gate: Box<dyn Gate>,
    /// Armed when there is a deadline to wait for, and again only when it went off or has to go off earlier, so that a
    /// deadline which moves back with each message costs nothing.
    alarm: Option<Pin<Box<Sleep>>>,
    /// Pings and pongs that the gate was asked for, of those that the connection has passed over.
    seen: u32,
}

impl Guarded {
    pub(super) fn new(gate: Box<dyn Gate>) -> Box<Self> {
        Box::new(Self {
            gate,
            alarm: None,
            seen: 0,
        })
    }

    pub(super) fn message(&mut self, payload: Payload<'_>) -> Result<Pass, Expelled> {
        self.gate
            .message(payload, tokio::time::Instant::now().into())
    }

    pub(super) fn control(&mut self) -> Result<(), Expelled> {
        self.gate.control(tokio::time::Instant::now().into())
    }

    /// Asks for the pings and pongs that the connection has passed over, so many by now.
    pub(super) fn passed_over(&mut self, count: u32) -> Result<(), Expelled> {
        let new = count.wrapping_sub(self.seen);
        self.seen = count;
        (0..new).try_for_each(|_| self.control())
    }

    pub(super) fn unread(&mut self) {
        self.gate.unread(tokio::time::Instant::now().into());
    }

    /// Waits for the moment at which the gate has enough of the client.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<Expelled> {
        loop {
            let Some(deadline) = self.gate.deadline() else {
                self.alarm = None;
                return Poll::Pending;
            };
            let deadline = tokio::time::Instant::from_std(deadline);
            let alarm = self
                .alarm
                .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if alarm.deadline() > deadline {
                alarm.as_mut().reset(deadline);
            }
            ready!(alarm.as_mut().poll(cx));
            // By tokio's clock, which a test may have stopped.
            let now = tokio::time::Instant::now();
            if now < deadline {
                alarm.as_mut().reset(deadline);
                continue;
            }
            match self.gate.over(now.into()) {
                Err(expelled) => return Poll::Ready(expelled),
                // It has found a later one.
                Ok(()) => {
                    self.alarm = None;
                    let next = self.gate.deadline();
                    if next.is_some_and(|next| next <= deadline.into_std()) {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

/// The gate of a client that may be silent for so long, and is closed with 1001 then.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    limit: Duration,
    /// When it last sent a message.
    since: Instant,
}

impl Silence {
    /// From now on.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self {
            limit,
            since: tokio::time::Instant::now().into(),
        }
    }
}

impl Gate for Silence {
    fn message(&mut self, _: Payload<'_>, now: Instant) -> Result<Pass, Expelled> {
        self.since = now;
        Ok(Pass::On)
    }

    fn unread(&mut self, now: Instant) {
        self.since = now;
    }

    fn deadline(&self) -> Option<Instant> {
        // A limit that the clock cannot count to is none.
        self.since.checked_add(self.limit)
    }

    fn over(&mut self, now: Instant) -> Result<(), Expelled> {
        if now.duration_since(self.since) < self.limit {
            return Ok(());
        }
        Err(Expelled {
            code: CloseCode::GOING_AWAY.as_u16(),
            kind: "idle",
            reason: "the client was silent for too long".into(),
        })
    }
}
