//! The connection itself: bytes between the stream and the protocol's state machine, driven by whoever polls.
//!
//! There is no task and no channel in here. Each method does what can be done now and leaves a waker where it had to
//! stop; the receiving side also runs the clocks and writes what is due on its own, such as pongs.

mod ending;
mod send;

use std::{
    io,
    pin::pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::{io::AsyncReadExt, task::coop, time::Instant};
use wiretalk_proto::{
    self as proto, Assembled, CloseCode, Connection, ProtocolErrorKind, Role, State,
};

pub(super) use self::send::Outgoing;
use self::send::Output;
use super::{
    buffers,
    keys::SystemKeys,
    timers::{Alarm, Due, Timers},
};
use crate::{
    config::Config,
    error::{Blame, Error, ErrorKind},
    message::{CloseFrame, Event},
    transport::Transport,
};

pub(super) struct Core {
    stream: Option<Transport>,
    protocol: Connection,
    phase: Phase,
    timers: Timers,
    close_timeout: Duration,
    max_queued: usize,
    /// Bytes that came; those before `consumed` are done with. A buffer of the thread's while there is something to
    /// decode, else just the few bytes of an incomplete header.
    input: Vec<u8>,
    consumed: usize,
    output: Output,
    /// How long nothing may leave a queue that is not empty; only with keepalive.
    stall_limit: Option<Duration>,
    stall: Alarm,
    /// Something was read when the deadline of the close handshake was past.
    read_late: bool,
    /// Why nothing can be sent any more, for senders.
    failure: Option<Error>,
    /// Counts up when the connection fails or ends, so that whoever waits should look again.
    changes: u64,
}

enum Phase {
    /// Messages may come.
    Open,
    /// All is said. What waits is written, then the stream is ended in good order.
    Ending {
        deadline: Instant,
        alarm: Alarm,
        error: Option<Error>,
        /// Whether the error has been told already.
        told: bool,
        /// Whether our side of the stream has ended.
        shut: bool,
    },
    /// The stream is gone. The error is told once.
    Ended(Option<Error>),
}

impl Core {
    pub(super) fn new(stream: Transport, role: Role, config: &Config, read_ahead: &[u8]) -> Self {
        Self {
            stream: Some(stream),
            protocol: Connection::new(role, config.protocol()),
            phase: Phase::Open,
            timers: Timers::new(config),
            close_timeout: config.close_timeout,
            max_queued: config.max_queued,
            input: read_ahead.to_vec(),
            consumed: 0,
            output: Output::default(),
            stall_limit: config
                .ping_interval
                .map(|interval| interval.saturating_add(config.ping_timeout)),
            stall: Alarm::default(),
            read_late: false,
            failure: None,
            changes: 0,
        }
    }

    pub(super) fn state(&self) -> State {
        self.protocol.state()
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Bytes that wait to be sent.
    pub(super) fn queued(&self) -> usize {
        self.output.waiting()
    }

    pub(super) fn close_timeout(&self) -> Duration {
        self.close_timeout
    }

    /// Goes on until something came, and does whatever else is due meanwhile.
    pub(super) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Event>, Error>> {
        // A buffer full of small messages must not keep the thread from everybody else.
        let budget = ready!(coop::poll_proceed(cx));
        let result = self.poll_progress(cx);
        if result.is_ready() {
            budget.made_progress();
        }
        result
    }

    fn poll_progress(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        loop {
            match &mut self.phase {
                Phase::Ended(error) => {
                    return Poll::Ready(error.take().map_or(Ok(None), Err));
                }
                Phase::Ending { .. } => {
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
                    if let Some(event) = self.decode() {
                        if matches!(event, Event::Close(_)) {
                            // Whoever gets the event may never ask for more, so the answer leaves now if it can.
                            let _ = self.poll_send_due(cx);
                        }
                        return Poll::Ready(Ok(Some(event)));
                    }
                    if matches!(self.phase, Phase::Open) {
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

    /// Decodes up to the next event. `None`: more bytes are needed, or the peer broke the protocol and the phase has
    /// changed.
    fn decode(&mut self) -> Option<Event> {
        while self.consumed < self.input.len() {
            let step = match self.protocol.handle_input(&mut self.input[self.consumed..]) {
                Ok(step) => step,
                Err(error) if matches!(error.kind(), ProtocolErrorKind::DataAfterClose) => {
                    // Section 5.5.1: nothing is expected there, and nobody has to look at it.
                    self.consumed = self.input.len();
                    break;
                }
                Err(error) => {
                    self.release_input();
                    self.reply();
                    self.finish(Some(error.into()));
                    return None;
                }
            };
            self.consumed += step.consumed;
            let Some(event) = step.event else {
                break;
            };
            let event = match event {
                proto::Event::Text(_) | proto::Event::Binary(_) if step.assembled => {
                    match self.protocol.take_assembled() {
                        Some(Assembled::Text(text)) => Event::Text(text.into()),
                        Some(Assembled::Binary(payload)) => Event::Binary(payload.into()),
                        None => continue,
                    }
                }
                proto::Event::Text(text) => Event::Text(text.into()),
                proto::Event::Binary(payload) => Event::Binary(Bytes::copy_from_slice(payload)),
                proto::Event::Ping(payload) => Event::Ping(Bytes::copy_from_slice(payload)),
                proto::Event::Pong(payload) => {
                    if self.timers.on_pong(payload) {
                        continue;
                    }
                    Event::Pong(Bytes::copy_from_slice(payload))
                }
                proto::Event::Close(frame) => Event::Close(frame.map(|frame| CloseFrame {
                    code: frame.code,
                    reason: frame.reason.to_owned(),
                })),
            };
            return Some(event);
        }
        self.release_input();
        None
    }

    /// Reads once. The buffer is the thread's own; it is kept only if something came.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Ok(0));
        };
        let mut buffer = buffers::take_read();
        buffer.extend_from_slice(&self.input[self.consumed..]);
        let result = pin!(stream.read_buf(&mut buffer)).poll(cx);
        if matches!(result, Poll::Ready(Ok(read)) if read > 0) {
            self.input = buffer;
            self.consumed = 0;
        } else {
            buffers::give_read(buffer);
        }
        result
    }

    /// Gives the read buffer back, but for what could not be decoded yet.
    fn release_input(&mut self) {
        if self.consumed > 0 || self.input.capacity() >= buffers::READ_SIZE {
            let rest = self.input[self.consumed..].to_vec();
            buffers::give_read(std::mem::replace(&mut self.input, rest));
            self.consumed = 0;
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
                // It fails only once a close frame came or went; then there is nothing left to keep alive.
                let _ = output.append(|out| protocol.send_ping(&payload, &mut SystemKeys, out));
                timers.on_ping(payload, output.queued_total);
            }
            Due::PingTimeout => {
                let error = silent(self.timers.ping_timeout());
                self.give_up(CloseCode::INTERNAL, "ping timeout", error, cx);
            }
            Due::IdleTimeout => {
                let timeout = self.timers.idle_timeout();
                let sentence = format!("nothing came from the peer for {timeout:?}");
                let error = Error::new(ErrorKind::IdleTimeout, Blame::Peer, sentence);
                self.give_up(CloseCode::GOING_AWAY, "idle timeout", error, cx);
            }
            Due::CloseTimeout => {
                let error = self.failure.clone().unwrap_or_else(|| {
                    let what = "the peer did not answer our close frame";
                    Error::timeout(Blame::Peer, what, self.close_timeout)
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
