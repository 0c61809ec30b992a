//! One test, from its first line to the closed connections.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use wiretalk_net::{CloseCode, Request, Sender};
use wiretalk_talk::Span;
use wiretalk_talk::player::{
    Action, Change, ConnectionId, Delivery, Failure, Fault, Incoming, Outcome as PlayerOutcome,
    Outgoing, Player, Setup, Target,
};

use super::job::{Job, Run};
use super::link::{Outlet, Signal, Told, link, outlet};
use super::result::{Connection, Outcome};
use crate::record::{Direction, Kind, Log, Record, without_query_values};

/// How long a failed test goes on listening for what it waited for in vain.
const LATE: Duration = Duration::from_secs(1);

/// How long the close handshakes may take when the test is over.
const CLOSING: Duration = Duration::from_secs(2);

/// What became of one attempt at a test.
pub(super) struct Played {
    pub(super) outcome: Outcome,
    /// Until the last line; what comes behind is the closing of connections.
    pub(super) duration: Duration,
    pub(super) finally: Option<Duration>,
    pub(super) log: Log,
    pub(super) connections: Vec<Connection>,
    pub(super) changes: Vec<Change>,
    /// The values of the variables that are secret.
    pub(super) secrets: Vec<String>,
}

/// Plays a test of a talk once, from its first line to the closed connections.
pub(super) async fn play(job: &Job, setup: Setup, run: &Arc<Run>) -> Played {
    let began = Instant::now();
    let (outlet, told) = outlet(began);
    let mut session = Session {
        player: Player::test(Arc::clone(&job.plan), job.index, setup),
        run: Arc::clone(run),
        began,
        outlet,
        told,
        links: BTreeMap::new(),
        tasks: JoinSet::new(),
        log: Log::default(),
        connections: Vec::new(),
        closes: BTreeMap::new(),
        finally: None,
    };
    session.player.watch(&run.options.secrets);
    let outcome = match run.options.max_time {
        None => session.play().await,
        Some(most) => match timeout(most, session.play()).await {
            Ok(outcome) => outcome,
            Err(_) => took_too_long(job, most),
        },
    };
    let duration = began.elapsed();
    session.await_late(&outcome).await;
    let left = session.close().await;
    let (outcome, changes) = match session.player.conclude(outcome, left) {
        PlayerOutcome::Passed {
            unconsumed,
            changes,
        } => (Outcome::Passed { unconsumed }, changes),
        PlayerOutcome::Failed(mut failure) => {
            let changes = std::mem::take(&mut failure.changes);
            (Outcome::Failed(failure), changes)
        }
    };
    Played {
        outcome,
        duration,
        finally: session.finally,
        log: session.log,
        connections: session.connections,
        changes,
        secrets: session.player.values_of(&run.options.secrets),
    }
}

/// The outcome of a test that is given up.
fn took_too_long(job: &Job, most: Duration) -> PlayerOutcome {
    let lines = job.plan.source().text().split_inclusive('\n');
    let start = lines.take(job.line.saturating_sub(1)).map(str::len).sum();
    let line = job.plan.source().line(job.line);
    PlayerOutcome::Failed(Box::new(Failure::new(
        Span::new(start, start + line.len()),
        None,
        format!("the end of the test within {most:?}"),
        Fault::Impossible {
            why: "the test went on".into(),
        },
    )))
}

struct Session {
    player: Player,
    run: Arc<Run>,
    began: Instant,
    outlet: Outlet,
    told: mpsc::Receiver<Told>,
    links: BTreeMap<ConnectionId, Sender>,
    /// The tasks that read; they end with the connections, and with the session.
    tasks: JoinSet<()>,
    log: Log,
    connections: Vec<Connection>,
    /// The close codes that came, to be answered with the same.
    closes: BTreeMap<ConnectionId, u16>,
    /// When the lines of `finally` began.
    finally: Option<Duration>,
}

impl Session {
    async fn play(&mut self) -> PlayerOutcome {
        loop {
            while let Some(action) = self.player.poll_action() {
                self.look_for_finally();
                if let Action::Finished(outcome) = action {
                    return outcome;
                }
                self.perform(action).await;
            }
            self.look_for_finally();
            self.wait(std::future::pending::<()>()).await;
        }
    }

    /// Waits until `until` is done, or something happens that the player is to know: then whether it is done.
    async fn wait<T>(&mut self, until: impl Future<Output = T>) -> Option<T> {
        let deadline = self.player.deadline().map(|time| self.began + time);
        tokio::select! {
            biased;
            done = until => return Some(done),
            // The session keeps an outlet itself, so this end is never told that there is nothing more.
            Some(told) = self.told.recv() => self.tell(told),
            () = sleep_until(deadline.unwrap_or(self.began)), if deadline.is_some() => {
                self.player.tick(self.began.elapsed());
            }
        }
        None
    }

    /// What is logged from here on belongs to `finally`, if that has begun.
    fn look_for_finally(&mut self) {
        if self.finally.is_none() && self.player.in_finally() {
            self.finally = Some(self.began.elapsed());
        }
    }

    async fn perform(&mut self, action: Action) {
        match action {
            Action::Connect {
                connection,
                name,
                url,
                headers,
                subprotocols,
                compression,
            } => {
                let shown = without_query_values(&url);
                self.note(connection, format!("connects to {shown}"));
                self.connections.push(Connection { name, url: shown });
                let request = Request {
                    url,
                    headers,
                    subprotocols,
                    ..Request::default()
                };
                let run = Arc::clone(&self.run);
                let outlet = self.outlet.clone();
                self.tasks
                    .spawn(link(run, request, compression, connection, outlet));
            }
            Action::Send {
                to: Target::One(connection),
                frame,
                delivery,
            } => self.send(connection, frame, delivery).await,
            Action::ReplyClose(connection) => {
                let code = self.closes.get(&connection).copied();
                let frame = Outgoing::Close {
                    code: code.filter(|code| *code != 1005),
                    reason: String::new(),
                };
                self.send(connection, frame, Delivery::default()).await;
            }
            // A test names each connection that it sends to; the rest are a mock's.
            Action::Send { .. }
            | Action::Join { .. }
            | Action::Leave { .. }
            | Action::Identify { .. }
            | Action::Keep { .. }
            | Action::TakesMore(_)
            | Action::Matched { .. }
            | Action::Unmatched { .. }
            | Action::Problem { .. }
            | Action::Finished(_) => {}
        }
    }

    /// Sends, and goes on listening while the peer is slow to take it.
    async fn send(&mut self, connection: ConnectionId, frame: Outgoing, delivery: Delivery) {
        let Some(mut sender) = self.links.get(&connection).cloned() else {
            return;
        };
        self.log
            .push(record(connection, &frame, self.began.elapsed()));
        let sending = async move { crate::wire::send(&mut sender, frame, delivery).await };
        let mut sending = Box::pin(sending);
        while !self.player.is_over() {
            // What went wrong comes from the reading half too, and the player hears it there.
            if self.wait(&mut sending).await.is_some() {
                return;
            }
        }
        // The test's last line may be the one that sends.
        let _ = tokio::time::timeout(CLOSING, sending).await;
    }

    fn tell(&mut self, told: Told) {
        let Told {
            connection,
            at,
            signal,
            ..
        } = told;
        match signal {
            Signal::Opened(opened) => {
                let (sender, response) = *opened;
                self.links.insert(connection, sender);
                let extensions = response
                    .headers
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-extensions"));
                self.note(
                    connection,
                    match extensions {
                        Some((_, agreed)) => format!("is open, with {agreed}"),
                        None => "is open".to_owned(),
                    },
                );
                self.player.opened(at, connection, &response);
            }
            Signal::Refused(response) => {
                self.note(
                    connection,
                    format!("was refused with HTTP {}", response.status),
                );
                self.player.refused(at, connection, &response);
            }
            Signal::Failed(kind, why) => {
                self.note(connection, format!("failed: {why}"));
                self.player.failed(at, connection, kind, why);
            }
            Signal::Received(incoming) => {
                if let Incoming::Close { code, .. } = &incoming {
                    self.closes.insert(connection, *code);
                }
                self.log.push(received(connection, &incoming, at));
                self.player.received(at, connection, incoming);
            }
            Signal::Gone => {
                self.links.remove(&connection);
                self.player.gone(at, connection);
            }
        }
    }

    fn note(&mut self, connection: ConnectionId, what: String) {
        self.log.push(Record {
            connection: connection.0,
            direction: Direction::Sent,
            kind: Kind::Event,
            payload: what.into(),
            at: self.began.elapsed(),
        });
    }

    /// After a line that waited in vain: what comes a moment later tells a slow peer from one that does not answer.
    async fn await_late(&mut self, outcome: &PlayerOutcome) {
        let PlayerOutcome::Failed(failure) = outcome else {
            return;
        };
        let (Fault::Nothing { .. }, Some(silent)) = (&failure.fault, failure.connection) else {
            return;
        };
        let deadline = Instant::now() + LATE;
        while self.links.contains_key(&silent) {
            tokio::select! {
                () = sleep_until(deadline) => return,
                Some(Told { connection, at, signal, .. }) = self.told.recv() => match signal {
                    Signal::Received(incoming) => {
                        let message = matches!(incoming, Incoming::Text(_) | Incoming::Binary(_));
                        self.log.push(received(connection, &incoming, at));
                        if message && connection == silent {
                            return;
                        }
                    }
                    Signal::Gone => {
                        self.links.remove(&connection);
                    }
                    Signal::Opened(_) | Signal::Refused(_) | Signal::Failed(..) => {}
                }
            }
        }
    }

    /// Closes what is still open with 1000, and waits for the close handshakes. What comes meanwhile is too late for
    /// the test, but the log keeps it: it may explain the failure. The messages that came before the peer's close are
    /// given back.
    async fn close(&mut self) -> Vec<(ConnectionId, Incoming)> {
        let links = std::mem::take(&mut self.links);
        let mut left = Vec::new();
        if links.is_empty() {
            self.tasks.shutdown().await;
            return left;
        }
        let deadline = Instant::now() + CLOSING;
        // All at once: a peer that does not read must not keep the others from their close.
        let mut closing = JoinSet::new();
        for sender in links.values() {
            let sender = sender.clone();
            // A peer that is gone already needs no close.
            closing.spawn(async move { sender.close(CloseCode::NORMAL, "").await });
        }
        let mut open = links.len();
        while open > 0 {
            tokio::select! {
                () = sleep_until(deadline) => break,
                Some(Told { connection, at, signal, .. }) = self.told.recv() => match signal {
                    Signal::Received(incoming) => {
                        self.log.push(received(connection, &incoming, at));
                        if matches!(incoming, Incoming::Text(_) | Incoming::Binary(_)) {
                            left.push((connection, incoming));
                        }
                    }
                    Signal::Gone => open -= usize::from(links.contains_key(&connection)),
                    Signal::Opened(_) | Signal::Refused(_) | Signal::Failed(..) => {}
                }
            }
        }
        self.tasks.shutdown().await;
        left
    }
}

/// A record of something that is sent.
fn record(connection: ConnectionId, frame: &Outgoing, at: Duration) -> Record {
    let (kind, payload) = match frame {
        Outgoing::Text(text) => (Kind::Text, Bytes::copy_from_slice(text.as_bytes())),
        Outgoing::Binary(bytes) => (Kind::Binary, Bytes::copy_from_slice(bytes)),
        Outgoing::Ping(bytes) => (Kind::Ping, Bytes::copy_from_slice(bytes)),
        Outgoing::Pong(bytes) => (Kind::Pong, Bytes::copy_from_slice(bytes)),
        Outgoing::Close { code, reason } => (
            Kind::Close(code.unwrap_or(1005)),
            Bytes::copy_from_slice(reason.as_bytes()),
        ),
        Outgoing::Frame { payload, .. } => (Kind::Frame, Bytes::copy_from_slice(payload)),
        Outgoing::Raw(bytes) => (Kind::Raw, Bytes::copy_from_slice(bytes)),
        Outgoing::Drop => (Kind::Event, Bytes::from_static(b"resets the connection")),
        Outgoing::Stall(time) => (Kind::Event, format!("reads nothing for {time:?}").into()),
    };
    Record {
        connection: connection.0,
        direction: Direction::Sent,
        kind,
        payload,
        at,
    }
}

/// A record of something that came.
fn received(connection: ConnectionId, incoming: &Incoming, at: Duration) -> Record {
    let (kind, payload): (Kind, &[u8]) = match incoming {
        Incoming::Text(text) => (Kind::Text, text.as_bytes()),
        Incoming::Binary(bytes) => (Kind::Binary, bytes),
        Incoming::Ping(bytes) => (Kind::Ping, bytes),
        Incoming::Pong(bytes) => (Kind::Pong, bytes),
        Incoming::Close { code, reason } => (Kind::Close(*code), reason.as_bytes()),
        Incoming::End { why, .. } => (Kind::Event, why.as_bytes()),
    };
    Record {
        connection: connection.0,
        direction: Direction::Received,
        kind,
        payload: Bytes::copy_from_slice(payload),
        at,
    }
}
