//! The connection itself: bytes between the stream and the protocol's state machine, driven by whoever polls.
//!
//! There is no task and no channel in here. Each method does what can be done now and leaves a waker where it had to
//! stop; the receiving side also runs the clocks and writes what is due on its own, such as pongs.

mod ending;
mod inbox;
mod output;
#[cfg(feature = "raw")]
mod raw;
mod receive;
mod send;

use std::{
    io,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{task::coop, time::Instant};
use wiretalk_proto::{Agreed, CloseCode, Connection, Limits, Role, State};

use self::inbox::Inbox;
use self::output::Output;
use self::receive::{Lend, Own, Take};
pub(super) use self::{
    inbox::now,
    receive::{Place, fit},
    send::{Answering, Outgoing},
};
use super::{
    Info,
    keys::SystemKeys,
    timers::{Alarm, Due, Timers},
};
use crate::{
    config::Config,
    error::{Blame, Error, ErrorKind},
    message::{CloseFrame, Event},
    transport::Transport,
};

/// Events that count as one step of what tokio lets a task do at a time: telling of one costs far less than a read.
const EVENTS_PER_TURN: u8 = 8;

/// Pings and pongs in one read after which others have their turn, though no message was among them.
const PASSED_OVER_PER_TURN: u32 = 64;

pub(super) struct Core {
    pub(super) info: Info,
    stream: Option<Transport>,
    protocol: Connection,
    phase: Phase,
    timers: Timers,
    /// Bytes that came; those before `consumed` are done with. A buffer of the thread's while there is something to
    /// decode, else just the few bytes of an incomplete header.
    input: Vec<u8>,
    consumed: usize,
    output: Output,
    /// A ping was told of, and its pong is to be queued before the next event is decoded.
    pinged: bool,
    stall: Alarm,
    /// Nothing is read until what waits has left.
    held: bool,
    /// Counts events.
    turns: u8,
    /// Pings and pongs that nobody was told of.
    passed_over: u32,
    /// What came before anybody asked for it.
    inbox: Option<Box<Inbox>>,
    /// Something was read when the deadline of the close handshake was past.
    read_late: bool,
    /// What the peer's close frame said.
    close_frame: Option<Box<CloseFrame>>,
    /// Why nothing can be sent any more, for senders.
    failure: Option<Error>,
    /// Counts up when the connection fails or ends, so that whoever waits should look again.
    changes: u64,
    #[cfg(feature = "raw")]
    faults: Option<Box<raw::Faults>>,
}

enum Phase {
    /// Messages may come.
    Open,
    /// All is said. What waits is written, then the stream is ended in good order.
    Ending(Box<Ending>),
    /// The stream is gone. The error is told once.
    Ended(Option<Error>),
}

struct Ending {
    deadline: Instant,
    alarm: Alarm,
    error: Option<Error>,
    /// Whether the error has been told already.
    told: bool,
    /// Whether our side of the stream has ended.
    shut: bool,
}

impl Core {
    pub(super) fn new(
        stream: Transport,
        role: Role,
        config: Arc<Config>,
        deflate: Option<Agreed>,
        read_ahead: &[u8],
        info: Info,
    ) -> Self {
        Self {
            info,
            stream: Some(stream),
            protocol: Connection::new(role, config.protocol(deflate)),
            phase: Phase::Open,
            timers: Timers::new(config),
            input: read_ahead.to_vec(),
            consumed: 0,
            output: Output::default(),
            pinged: false,
            stall: Alarm::default(),
            held: false,
            turns: 0,
            passed_over: 0,
            inbox: None,
            read_late: false,
            close_frame: None,
            failure: None,
            changes: 0,
            #[cfg(feature = "raw")]
            faults: None,
        }
    }

    fn config(&self) -> &Config {
        self.timers.config()
    }

    pub(super) fn state(&self) -> super::State {
        match self.phase {
            Phase::Ended(_) => super::State::Closed,
            // The stream is still to end.
            _ if self.protocol.state() == State::Closed => super::State::Closing,
            _ => self.protocol.state().into(),
        }
    }

    pub(super) fn latency(&self) -> Option<Duration> {
        self.timers.latency()
    }

    pub(super) fn ping_timeout(&self) -> Duration {
        self.config().ping_timeout
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) fn deflate(&self) -> Option<Agreed> {
        self.protocol.config().deflate
    }

    pub(super) fn limits(&self) -> Limits {
        self.protocol.config().limits
    }

    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.protocol.set_limits(limits);
    }

    pub(super) fn close_frame(&self) -> Option<&CloseFrame> {
        self.close_frame.as_deref()
    }

    /// Whether both directions are between messages, with nothing left to take or to write.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Open)
            && self.protocol.state() == State::Open
            && !self.inbox.as_ref().is_some_and(|inbox| inbox.has_news())
            && self.consumed == self.input.len()
            && !self.protocol.is_mid_message()
            && !self.protocol.is_sending_message()
            && self.output.waiting() == 0
    }

    pub(super) fn passed_over(&self) -> u32 {
        self.passed_over
    }

    /// Bytes that wait to be sent.
    pub(super) fn buffered_amount(&self) -> usize {
        self.output.waiting()
    }

    pub(super) fn close_timeout(&self) -> Duration {
        self.config().close_timeout
    }

    /// Goes on until something came, and does whatever else is due meanwhile.
    pub(super) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Event>, Error>> {
        match self.take_queued() {
            Some(event) => Poll::Ready(event.map(Some)),
            None => self.poll_fresh::<Own>(cx),
        }
    }

    /// As [`poll_event`](Self::poll_event), but for messages alone, which are left where they lie.
    pub(super) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Place>, Error>> {
        if let Some(found) = self.seek_queued_message() {
            return Poll::Ready(found.map(|()| Some(Place::Queued)));
        }
        if matches!(self.phase, Phase::Open) {
            // Whoever answers on the spot cannot wait for room.
            if self.poll_batch(cx).is_pending() {
                self.held = true;
                return Poll::Pending;
            }
            if std::mem::take(&mut self.held) {
                self.timers.restart();
            }
        }
        self.poll_fresh::<Lend>(cx)
    }

    /// What comes from the stream next.
    fn poll_fresh<T: Take>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<T::Taken>, Error>> {
        // A buffer full of small messages must not keep the thread from everybody else.
        self.turns = self.turns.wrapping_add(1);
        if !self.turns.is_multiple_of(EVENTS_PER_TURN) {
            return self.poll_progress::<T>(cx);
        }
        let budget = ready!(coop::poll_proceed(cx));
        let result = self.poll_progress::<T>(cx);
        if result.is_ready() {
            budget.made_progress();
        }
        result
    }

    fn poll_progress<T: Take>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<T::Taken>, Error>> {
        loop {
            match &mut self.phase {
                Phase::Ended(error) => {
                    return Poll::Ready(error.take().map_or(Ok(None), Err));
                }
                Phase::Ending(_) => {
                    let ended = self.poll_ending(cx);
                    if let Some(error) = self.failed_now() {
                        return Poll::Ready(Err(error));
                    }
                    ready!(ended);
                }
                Phase::Open => {
                    if self.protocol.state() == State::Closed {
                        self.finish(None);
                        continue;
                    }
                    let passed_over = self.passed_over;
                    if let Some(taken) = self.decode::<T>() {
                        if self.protocol.state() == State::PeerClosed {
                            // Whoever gets the event may never ask for more, so the answer leaves now if it can.
                            let _ = self.poll_send_due(cx);
                        }
                        return Poll::Ready(Ok(Some(taken)));
                    }
                    if matches!(self.phase, Phase::Open) {
                        if self.passed_over.wrapping_sub(passed_over) >= PASSED_OVER_PER_TURN {
                            // Whoever drives us may want to look at how many there are.
                            cx.waker().wake_by_ref();
                            let _ = self.poll_send_due(cx);
                            return Poll::Pending;
                        }
                        ready!(self.poll_open(cx));
                    }
                }
            }
        }
    }

    /// One turn of an open connection with nothing left to decode: write, read, look at the clocks. Pending only if
    /// there is nothing to do.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = self.poll_send_due(cx);
        if !matches!(self.phase, Phase::Open) {
            // The queue had not moved for so long that the peer was given up.
            return Poll::Ready(());
        }
        if self.protocol.state() == State::Closed {
            // The last close frame was passed over, or answered just now: nothing is read behind it.
            return Poll::Ready(());
        }
        #[cfg(feature = "raw")]
        ready!(self.poll_stalled(cx));
        match self.poll_read(cx) {
            Poll::Ready(Ok(0)) => {
                self.on_end();
                return Poll::Ready(());
            }
            Poll::Ready(Ok(_)) => {
                self.timers.on_read();
                self.bound_reads_after_close(cx);
                return Poll::Ready(());
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                // TLS without a goodbye. Whether that is clean depends on the close handshake alone.
                self.on_end();
                return Poll::Ready(());
            }
            Poll::Ready(Err(error)) => {
                let clean = self.protocol.state() == State::PeerClosed;
                self.end((!clean).then(|| Error::io("reading failed", error)));
                return Poll::Ready(());
            }
            Poll::Pending => {}
        }
        if self.protocol.state() == State::PeerClosed {
            // The caller wants to answer the close frame itself, and may take its time.
            return Poll::Pending;
        }
        // Whoever was not polled for long does not drop a peer that has answered meanwhile: the runtime looks at the
        // stream before the clocks, and so do we.
        let due = ready!(self.timers.poll(cx));
        self.on_due(due, cx);
        Poll::Ready(())
    }

    /// A peer that keeps talking does not put off the end: once the deadline of the close handshake is past, what comes
    /// with one more read is all that counts.
    fn bound_reads_after_close(&mut self, cx: &mut Context<'_>) {
        let deadline = self.timers.close_deadline();
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            if self.read_late {
                self.on_due(Due::CloseTimeout, cx);
            }
            self.read_late = true;
        }
    }

    fn on_due(&mut self, due: Due, cx: &mut Context<'_>) {
        match due {
            Due::Ping => {
                let payload = self.timers.next_payload();
                let Self {
                    protocol,
                    output,
                    timers,
                    ..
                } = self;
                // Whoever keeps its window from message to message holds some 300 KiB for it. Now and then it begins anew, so
                // that a connection that fell silent gives them back.
                protocol.release_compressor();
                // It fails only once a close frame came or went; then there is nothing left to keep alive.
                let _ = output.append(|out| protocol.send_ping(&payload, &mut SystemKeys, out));
                timers.on_ping(payload, output.end());
            }
            Due::PingTimeout => {
                let error = silent(self.config().ping_timeout);
                self.give_up(CloseCode::INTERNAL, "ping timeout", error, cx);
            }
            Due::IdleTimeout => {
                let timeout = self.config().idle_timeout.unwrap_or_default();
                let sentence = format!("nothing came from the peer for {timeout:?}");
                let error = Error::new(ErrorKind::IdleTimeout, Blame::Peer, sentence);
                self.give_up(CloseCode::GOING_AWAY, "idle timeout", error, cx);
            }
            Due::MessageTimeout => {
                let timeout = self.config().message_timeout.unwrap_or_default();
                let sentence = format!(
                    "the peer did not finish within {timeout:?} a message that it had begun"
                );
                let error = Error::new(ErrorKind::MessageTimeout, Blame::Peer, sentence);
                self.give_up(CloseCode::POLICY, "message timeout", error, cx);
            }
            Due::CloseTimeout => {
                let error = self.failure.clone().unwrap_or_else(|| {
                    let what = "the peer did not answer our close frame";
                    Error::timeout(Blame::Peer, what, self.config().close_timeout)
                });
                self.end(Some(error));
            }
        }
    }
}

fn silent(limit: Duration) -> Error {
    let sentence = format!("the peer gave no sign of life for {limit:?}, though it was pinged");
    Error::new(ErrorKind::PingTimeout, Blame::Peer, sentence)
}
