//! The measured part of a run: what is counted between the end of the warm-up and the end.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use measure::{Cpu, Latency, Report, Window, cpu};

use crate::{Failure, replies::Replies};

/// Latencies of up to a minute are told apart; longer ones count as one.
const LONGEST: u64 = 60_000_000_000;

/// How long a run takes.
#[derive(Clone, Copy)]
pub(crate) struct Duty {
    /// What comes before anything is counted.
    pub(crate) warm_up: Duration,
    /// What is counted.
    pub(crate) measured: Duration,
    /// The server's process.
    pub(crate) server: u32,
}

/// Counts what happens within the window.
pub(crate) struct Meter {
    duty: Duty,
    origin: Instant,
    now: u64,
    messages: u64,
    started: Option<Start>,
    latency: Histogram<u64>,
}

struct Start {
    at: Instant,
    server: Cpu,
    client: Cpu,
}

impl Meter {
    /// The warm-up begins now.
    pub(crate) fn new(duty: Duty) -> Result<Self, Failure> {
        Ok(Self {
            duty,
            origin: Instant::now(),
            now: 0,
            messages: 0,
            started: None,
            latency: Histogram::new_with_bounds(1, LONGEST, 3)?,
        })
    }

    /// Looks at the clock. The time is in nanoseconds since the start of the warm-up.
    pub(crate) fn now(&mut self) -> u64 {
        self.now = self.origin.elapsed().as_nanos() as u64;
        self.now
    }

    /// A reply came to what was sent at `sent`.
    pub(crate) fn count(&mut self, now: u64, sent: u64) {
        if self.started.is_some() {
            self.messages += 1;
            self.latency.saturating_record(now.saturating_sub(sent));
        }
    }

    /// Opens the window when the warm-up is over; tells what it showed when it is over itself.
    pub(crate) fn window(&mut self) -> Result<Option<Window>, Failure> {
        let Some(start) = &self.started else {
            if self.now >= self.duty.warm_up.as_nanos() as u64 {
                self.started = Some(Start {
                    at: Instant::now(),
                    server: cpu(self.duty.server)?,
                    client: cpu(std::process::id())?,
                });
            }
            return Ok(None);
        };
        if self.now < (self.duty.warm_up + self.duty.measured).as_nanos() as u64 {
            return Ok(None);
        }
        Ok(Some(Window {
            messages: self.messages,
            seconds: start.at.elapsed().as_secs_f64(),
            server: cpu(self.duty.server)? - start.server,
            client: cpu(std::process::id())? - start.client,
        }))
    }

    /// How long until the window opens or closes: no wait should be longer.
    pub(crate) fn patience(&self) -> Duration {
        let end = match self.started {
            None => self.duty.warm_up,
            Some(_) => self.duty.warm_up + self.duty.measured,
        };
        end.saturating_sub(Duration::from_nanos(self.now))
    }

    /// The report on all connections.
    pub(crate) fn report<'a>(
        &self,
        window: Window,
        received: u64,
        replies: impl Iterator<Item = &'a Replies>,
    ) -> Report {
        let (bytes, verified) = replies.fold((0, 0), |(bytes, verified), replies| {
            (bytes + replies.bytes(), verified + replies.verified())
        });
        let micros = |nanos: u64| nanos as f64 / 1e3;
        Report {
            window,
            latency: Latency {
                p50: micros(self.latency.value_at_quantile(0.5)),
                p99: micros(self.latency.value_at_quantile(0.99)),
                max: micros(self.latency.max()),
            },
            reply_bytes: bytes as f64 / received.max(1) as f64,
            verified,
        }
    }
}
