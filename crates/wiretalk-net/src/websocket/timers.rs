//! The clocks of a connection: keepalive pings, silence, the close handshake, and a queue that does not move.

use std::{
    future::Future,
    num::NonZeroU32,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::config::Config;

/// What a clock asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A ping is to be sent.
    Ping,
    /// The ping stayed unanswered.
    PingTimeout,
    /// The peer was silent.
    IdleTimeout,
    /// The peer began a message and did not end it.
    MessageTimeout,
    /// The peer did not answer our close frame.
    CloseTimeout,
}

/// A moment that far away, or in some decades if the clock cannot count so far.
pub(super) fn later(from: Instant, by: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    from.checked_add(by).unwrap_or_else(|| from + FAR)
}

/// A timer that is armed when it is first needed, and again only when it fired or must fire earlier: a deadline that
/// moves back with each message costs nothing.
#[derive(Default)]
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready once `deadline` is past; otherwise the task is woken then or a little too early.
    pub(super) fn poll_until(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    pub(super) fn disarm(&mut self) {
        self.0 = None;
    }
}

/// The clocks while the connection is open.
pub(super) struct Timers {
    alarm: Alarm,
    config: Arc<Config>,
    last_ping: Instant,
    last_read: Instant,
    /// Since when a message has begun and is not whole.
    message_since: Option<Instant>,
    outstanding: Option<Box<Outstanding>>,
    close_deadline: Option<Instant>,
    count: u64,
    /// How long the last keepalive ping took to be answered, in microseconds.
    latency: Option<NonZeroU32>,
}

/// A keepalive ping that is not answered yet.
struct Outstanding {
    payload: [u8; 8],
    /// Where in the stream of what we send the ping ends.
    end: u64,
    /// When it was put into our queue.
    queued: Instant,
    /// Whether it has left our queue.
    sent: bool,
    /// The last sign of life since: a byte that came or, while the ping waits behind others, one that went.
    since: Instant,
}

impl Timers {
    pub(super) fn new(config: Arc<Config>) -> Self {
        let now = Instant::now();
        Self {
            alarm: Alarm::default(),
            config,
            last_ping: now,
            last_read: now,
            message_since: None,
            outstanding: None,
            close_deadline: None,
            count: 0,
            latency: None,
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Our close frame is on its way: from now on only the deadline counts.
    pub(super) fn close_by(&mut self, deadline: Instant) {
        self.close_deadline = Some(deadline);
    }

    pub(super) fn close_deadline(&self) -> Option<Instant> {
        self.close_deadline
    }

    /// Bytes came.
    pub(super) fn on_read(&mut self) {
        // Without these clocks nobody asks for the time.
        if self.config.ping_interval.is_some()
            || self.config.idle_timeout.is_some()
            || self.config.message_timeout.is_some()
        {
            self.last_read = Instant::now();
            if let Some(ping) = &mut self.outstanding {
                ping.since = self.last_read;
            }
        }
    }

    /// Nothing was read for a while, on purpose: that is not the peer's fault.
    pub(super) fn restart(&mut self) {
        self.on_read();
        if self.message_since.is_some() {
            self.message_since = Some(self.last_read);
        }
    }

    /// As [`restart`](Self::restart); nor was the peer's answer to our close frame read.
    #[cfg(feature = "raw")]
    pub(super) fn restart_all(&mut self) {
        self.restart();
        if let Some(deadline) = &mut self.close_deadline {
            *deadline = later(Instant::now(), self.config.close_timeout);
        }
    }

    /// A message is whole.
    pub(super) fn on_message(&mut self) {
        self.message_since = None;
    }

    /// All that came was looked at, and ends within a message or a frame, or not.
    pub(super) fn on_decoded(&mut self, partial: bool) {
        if !partial {
            self.message_since = None;
        } else if self.message_since.is_none() {
            self.message_since = Some(self.last_read);
        }
    }

    /// The stream took bytes, `written` in all.
    pub(super) fn on_write(&mut self, written: u64) {
        if let Some(ping) = &mut self.outstanding
            && !ping.sent
        {
            ping.since = Instant::now();
            ping.sent = written >= ping.end;
        }
    }

    /// The payload of the ping that is to be sent now. It never repeats, so that a late pong is told from its own.
    pub(super) fn next_payload(&mut self) -> [u8; 8] {
        self.count += 1;
        self.count.to_be_bytes()
    }

    /// The ping was put into the queue, and ends at `end`.
    pub(super) fn on_ping(&mut self, payload: [u8; 8], end: u64) {
        self.last_ping = Instant::now();
        self.outstanding = Some(Box::new(Outstanding {
            payload,
            end,
            queued: self.last_ping,
            sent: false,
            since: self.last_ping,
        }));
    }

    /// A pong came; says whether it answers our ping.
    pub(super) fn on_pong(&mut self, payload: &[u8]) -> bool {
        let answers = self
            .outstanding
            .as_ref()
            .is_some_and(|ping| ping.payload == payload);
        if answers && let Some(ping) = self.outstanding.take() {
            let micros = u32::try_from(ping.queued.elapsed().as_micros()).unwrap_or(u32::MAX);
            self.latency = NonZeroU32::new(micros.max(1));
        }
        answers
    }

    /// From the last keepalive ping that was answered to its pong.
    pub(super) fn latency(&self) -> Option<Duration> {
        let micros = self.latency?.get();
        Some(Duration::from_micros(micros.into()))
    }

    /// Waits for the next clock.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        let Some((deadline, due)) = self.next() else {
            self.alarm.disarm();
            return Poll::Pending;
        };
        self.alarm.poll_until(deadline, cx).map(|()| due)
    }

    fn next(&self) -> Option<(Instant, Due)> {
        if let Some(deadline) = self.close_deadline {
            return Some((deadline, Due::CloseTimeout));
        }
        let config = &*self.config;
        let ping = config
            .ping_interval
            .map(|interval| match &self.outstanding {
                Some(ping) => (later(ping.since, config.ping_timeout), Due::PingTimeout),
                None => (later(self.last_ping, interval), Due::Ping),
            });
        let idle = config
            .idle_timeout
            .map(|timeout| (later(self.last_read, timeout), Due::IdleTimeout));
        let message = self.message_since.zip(config.message_timeout);
        let message = message.map(|(since, timeout)| (later(since, timeout), Due::MessageTimeout));
        // Of several at the same moment the graver one counts: the first.
        [idle, message, ping]
            .into_iter()
            .flatten()
            .min_by_key(|(deadline, _)| *deadline)
    }
}

#[cfg(test)]
mod tests;
