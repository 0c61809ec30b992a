//! The task itself.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use tokio::select;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use wiretalk_hub::log::{Begun, HEARTBEAT};
use wiretalk_hub::{Hub, HubEvent};

use super::backoff::Backoff;
use super::{Arc, Shared};
use crate::{Broker, BrokerError, Read, Reader, Writer};

/// As many bytes are appended at once.
const BATCH: usize = 1024 * 1024;
/// A connection has so long to begin.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The broker has so long to take a batch.
const APPEND_LIMIT: Duration = Duration::from_secs(15);
/// Whoever reads hears its own heartbeats, so that a connection which is silent for so long is none.
const SILENCE_LIMIT: Duration = Duration::from_secs(10);
/// A connection that held so long was a good one.
const GOOD: Duration = Duration::from_secs(5);
/// After so many records others have their turn.
const TURN: usize = 128;

pub(super) struct Driver<C, B> {
    pub(super) broker: B,
    pub(super) ends: Ends<C>,
}

/// What a broker is driven for.
pub(super) struct Ends<C> {
    pub(super) hub: Hub<C>,
    pub(super) shared: Arc<Shared>,
    pub(super) ready: watch::Sender<bool>,
    pub(super) stop: watch::Receiver<bool>,
}

/// How a connection ended.
enum End {
    /// As it was told to; nothing waits.
    Stopped,
    Failed(BrokerError),
}

impl From<BrokerError> for End {
    fn from(error: BrokerError) -> Self {
        Self::Failed(error)
    }
}

impl<C: Send + 'static, B: Broker> Driver<C, B> {
    pub(super) async fn run(mut self) {
        let began = Instant::now();
        let mut backoff = Backoff::new();
        let mut told: Option<String> = None;
        loop {
            let since = Instant::now();
            let error = match self.connect_once(began, &mut told).await {
                Ok(None) => continue,
                Ok(Some(End::Stopped)) => return,
                Ok(Some(End::Failed(error))) | Err(error) => error,
            };
            self.ends.shared.log().disconnected();
            if since.elapsed() >= GOOD {
                backoff.reset();
            }
            let why = error.to_string();
            // Each reason once, not with every try.
            if told.as_ref() != Some(&why) {
                self.ends.hub.announce(HubEvent::Down { why: why.clone() });
                told = Some(why);
            }
            select! {
                () = sleep(backoff.next()) => {}
                () = self.ends.stopped_empty() => return,
            }
        }
    }

    /// One connection, from its begin to its end; `None`: it is to be made anew at once, from the log's begin.
    async fn connect_once(
        &mut self,
        began: Instant,
        told: &mut Option<String>,
    ) -> Result<Option<End>, BrokerError> {
        let after = self.ends.shared.log().after();
        let connected = select! {
            connected = timeout(CONNECT_LIMIT, self.broker.connect(after)) => connected,
            () = self.ends.stopped_empty() => return Ok(Some(End::Stopped)),
        };
        let (begin, writer, reader) = connected.map_err(|_| {
            BrokerError::new(format_args!(
                "the broker did not answer within {} seconds",
                CONNECT_LIMIT.as_secs()
            ))
        })??;
        let largest = self.broker.largest();
        let begun = self.ends.shared.log().connected(
            after,
            &begin.epoch,
            begin.last,
            largest,
            milliseconds(began),
        );
        match begun {
            Begun::Same => {}
            Begun::New(epoch) => self.ends.hub.begin(&epoch),
            Begun::Elsewhere => return Ok(None),
        }
        self.ends.hub.announce(HubEvent::Up);
        *told = None;
        self.ends.check_ready();
        let end = select! {
            end = self.ends.write(writer, began) => end,
            end = self.ends.read(reader, began) => end,
        };
        Ok(Some(match end {
            Ok(()) => End::Stopped,
            Err(error) => End::Failed(error),
        }))
    }
}

impl<C: Send + 'static> Ends<C> {
    /// Appends what the hub has for the log, and says what is to be said; ends when it is told to, and nothing waits.
    async fn write(&self, mut writer: impl Writer, began: Instant) -> Result<(), BrokerError> {
        let mut beat = interval(Duration::from_millis(HEARTBEAT));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_stopping = false;
        loop {
            let batch = self.shared.log().take(BATCH);
            if !batch.is_empty() {
                within(writer.append(&batch)).await?;
                continue;
            }
            let said = self.shared.log().say(milliseconds(began));
            for record in said {
                within(writer.tell(record)).await?;
            }
            if is_stopping && self.shared.log().is_drained() {
                let bye = self.shared.log().bye();
                return within(writer.tell(bye)).await;
            }
            select! {
                () = self.shared.news.notified() => {}
                _ = beat.tick() => {}
                () = self.stopped(), if !is_stopping => is_stopping = true,
            }
        }
    }

    async fn read(&self, mut reader: impl Reader, began: Instant) -> Result<(), BrokerError> {
        let mut look = interval(Duration::from_millis(HEARTBEAT / 2));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let since = Instant::now();
            let records = {
                // One reading from its begin to its end: it may take longer than a look.
                let mut reading = pin!(reader.read());
                loop {
                    select! {
                        records = &mut reading => break records?,
                        _ = look.tick() => self.look(since, began)?,
                    }
                }
            };
            self.follow(&records, milliseconds(began)).await;
            let is_wanted = self.shared.log().presence_is_wanted(milliseconds(began));
            if is_wanted {
                self.hub.tell_presence();
            }
        }
    }

    /// Looks whom nobody hears any more.
    fn look(&self, since: Instant, began: Instant) -> Result<(), BrokerError> {
        if since.elapsed() >= SILENCE_LIMIT {
            return Err(BrokerError::new(
                "the broker is silent: not even what this node says comes back",
            ));
        }
        let now = milliseconds(began);
        let silent = self.shared.log().silent(now);
        for node in silent {
            self.hub.node_gone(node);
        }
        let is_wanted = self.shared.log().presence_is_wanted(now);
        if is_wanted {
            self.hub.tell_presence();
        }
        Ok(())
    }

    /// Waits until the end is wanted.
    async fn stopped(&self) {
        // One who went without a word has ended this task as well.
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }

    /// Waits until the end is wanted, and nothing waits that is worth another try.
    async fn stopped_empty(&self) {
        self.stopped().await;
        if self.shared.log().pending() > 0 {
            pending::<()>().await;
        }
    }

    async fn follow(&self, records: &[Read], now: u64) {
        for turn in records.chunks(TURN) {
            for Read { offset, bytes } in turn {
                let outcome = self.shared.log().read(*offset, bytes, now);
                let _ = self.hub.follow(&outcome);
            }
            self.check_ready();
            yield_now().await;
        }
        // Something may be to be asked.
        self.shared.news.notify_one();
    }

    /// Tells that all is read, once.
    fn check_ready(&self) {
        if *self.ready.borrow() || !self.shared.log().is_ready() {
            return;
        }
        self.hub.announce(HubEvent::Ready);
        let _ = self.ready.send(true);
        self.shared.news.notify_one();
    }
}

async fn within(
    appending: impl Future<Output = Result<(), BrokerError>>,
) -> Result<(), BrokerError> {
    let done = timeout(APPEND_LIMIT, appending).await;
    done.unwrap_or_else(|_| {
        Err(BrokerError::new(format_args!(
            "the broker did not take what was appended within {} seconds",
            APPEND_LIMIT.as_secs()
        )))
    })
}

fn milliseconds(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
