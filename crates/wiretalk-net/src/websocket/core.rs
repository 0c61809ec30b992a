//! The connection itself: bytes between the stream and the protocol's state machine, driven by whoever polls.
//!
//! There is no task and no channel in here. Each method does what can be done now and leaves a waker where it had to
//! stop; the receiving side also runs the clocks and writes what is due on its own, such as pongs.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    task::coop,
    time::Instant,
};
use wiretalk_proto::{
    self as proto, Assembled, CloseCode, Connection, End, MessageKind, Prepared, ProtocolErrorKind,
    Role, SendError, State,
};

use super::{
    buffers,
    keys::SystemKeys,
    timers::{Alarm, Due, Timers, later},
};
use crate::{
    config::Config,
    error::{Blame, Error, ErrorKind},
    message::{CloseFrame, Event, Message},
    transport::Transport,
};

/// How long a peer that broke the protocol may go on sending after our close frame, while we only wait for it to end
/// the stream. Ending it with its bytes unread would make the kernel reset the connection, and the peer might never see
/// the close frame (RFC 6455 7.1.1).
const LINGER: Duration = Duration::from_secs(1);

/// What was written is cut off the front of the queue when it is this long.
const COMPACT: usize = 64 * 1024;

/// What is to be sent, before it is framed.
pub(super) enum Outgoing<'a> {
    Message(&'a Message),
    Prepared(&'a Prepared),
    Fragment {
        kind: MessageKind,
        payload: &'a [u8],
        fin: bool,
    },
    Ping(&'a [u8]),
    Pong(&'a [u8]),
}

impl Outgoing<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Message(message) => message.as_bytes().len(),
            Self::Prepared(prepared) => prepared.wire().len(),
            Self::Fragment { payload, .. } | Self::Ping(payload) | Self::Pong(payload) => {
                payload.len()
            }
        }
    }
}

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
    /// A deadline seems past, and this is the second look; see [`look_again`].
    overdue: bool,
    /// Why nothing can be sent any more, for senders.
    failure: Option<Error>,
    /// Counts up when a sender that waits should look again.
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
        shut: bool,
    },
    /// The stream is gone. The error is told once.
    Ended(Option<Error>),
}

/// The outgoing queue: framed bytes, in one buffer, so that many messages leave in one write.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    /// Bytes at the front of `bytes` that the stream has taken.
    sent: usize,
    /// Bytes that were queued, that the stream took, and that it handed to the kernel, since the beginning.
    queued_total: u64,
    sent_total: u64,
    flushed_total: u64,
    stalled_since: Option<Instant>,
}

impl Output {
    fn waiting(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Lets `write` append to the queue.
    fn append<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if self.bytes.capacity() == 0 {
            self.bytes = buffers::take_write();
        } else if self.sent >= COMPACT {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        let before = self.bytes.len();
        let result = write(&mut self.bytes);
        self.queued_total += (self.bytes.len() - before) as u64;
        result
    }

    fn discard(&mut self) {
        self.bytes = Vec::new();
        self.sent = 0;
    }
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
            overdue: false,
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
                Phase::Ending { .. } => ready!(self.poll_ending(cx)),
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
        if self
            .timers
            .close_deadline()
            .is_some_and(|deadline| deadline <= Instant::now())
        {
            // A peer that keeps talking does not put off the end.
            self.on_due(Due::CloseTimeout, cx);
            return Poll::Ready(());
        }
        match self.poll_read(cx) {
            Poll::Ready(Ok(0)) => {
                self.on_end();
                return Poll::Ready(());
            }
            Poll::Ready(Ok(_)) => {
                self.timers.on_read();
                self.overdue = false;
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
        let due = ready!(self.timers.poll(cx));
        if due != Due::Ping && !self.overdue {
            self.overdue = true;
            return look_again(cx);
        }
        self.on_due(due, cx);
        Poll::Ready(())
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

    /// Queues the pong, close reply or failing close frame that is due.
    fn reply(&mut self) {
        let Self {
            protocol, output, ..
        } = self;
        output.append(|out| protocol.poll_reply(&mut SystemKeys, out));
    }

    /// Writes what is queued and what is due. Errors wait: what the peer sent before it went is still to be read, and
    /// the end of that tells more.
    fn poll_send_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // While the peer does not take what waits, no more pongs are piled on it.
        if self.output.waiting() < self.max_queued || self.protocol.state() != State::Open {
            self.reply();
        }
        if self.failure.is_some() {
            return Poll::Ready(());
        }
        self.poll_write(cx).map(|_| ())
    }

    /// Writes all that is queued to the stream, and through it to the kernel.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let result = self.poll_write_all(cx);
        match &result {
            Poll::Ready(Ok(())) => {
                self.output.stalled_since = None;
                self.stall.disarm();
            }
            Poll::Ready(Err(error)) => {
                self.failure = Some(error.clone());
                self.output.discard();
                // What came before is still to be read, but the end of it is not waited for without a bound.
                if self.timers.close_deadline().is_none() {
                    self.timers
                        .close_by(later(Instant::now(), self.close_timeout));
                }
                self.changes += 1;
            }
            Poll::Pending => {
                if let Some(limit) = self.stall_limit {
                    let since = *self.output.stalled_since.get_or_insert_with(Instant::now);
                    ready!(self.stall.poll_until(later(since, limit), cx));
                    if !self.overdue {
                        self.overdue = true;
                        return look_again(cx).map(Ok);
                    }
                    let error = silent(limit);
                    self.end(Some(error.clone()));
                    return Poll::Ready(Err(error));
                }
            }
        }
        result
    }

    fn poll_write_all(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let output = &mut self.output;
        if output.flushed_total == output.queued_total {
            return Poll::Ready(Ok(()));
        }
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Err(self.failure.clone().unwrap_or_else(Error::closed)));
        };
        let failed = |error| Error::io("sending failed", error);
        while output.waiting() > 0 {
            let taken = ready!(Pin::new(&mut *stream).poll_write(cx, &output.bytes[output.sent..]))
                .map_err(failed)?;
            if taken == 0 {
                return Poll::Ready(Err(failed(io::ErrorKind::WriteZero.into())));
            }
            output.sent += taken;
            output.sent_total += taken as u64;
            output.stalled_since = None;
            self.overdue = false;
            self.changes += 1;
            self.timers.on_write(output.sent_total);
        }
        output.sent = 0;
        buffers::give_write(std::mem::take(&mut output.bytes));
        ready!(Pin::new(stream).poll_flush(cx)).map_err(failed)?;
        output.flushed_total = output.sent_total;
        Poll::Ready(Ok(()))
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

    /// Drops a peer that is likely gone. A close frame is tried, but not waited for.
    fn give_up(&mut self, code: CloseCode, reason: &str, error: Error, cx: &mut Context<'_>) {
        let Self {
            protocol, output, ..
        } = self;
        let _ = output.append(|out| protocol.send_close(Some(code), reason, &mut SystemKeys, out));
        if self.failure.is_none() {
            let _ = self.poll_write(cx);
        }
        self.end(Some(error));
    }

    /// The stream ended while the connection was open.
    fn on_end(&mut self) {
        let error = match self.protocol.handle_end() {
            End::Clean => None,
            End::Failed(error) => Some(error.into()),
            End::Abnormal {
                mid_frame,
                mid_message,
            } => {
                let place = match (mid_frame, mid_message) {
                    (true, _) => "in the middle of a frame",
                    (false, true) => "in the middle of a message",
                    (false, false) => "without a close frame",
                };
                let sentence = format!("the peer ended the stream {place} (close code 1006)");
                Some(Error::new(ErrorKind::Abnormal, Blame::Peer, sentence))
            }
        };
        self.end(error);
    }

    /// All is said: the close handshake is done or the connection has failed. Goes on to the orderly end.
    fn finish(&mut self, error: Option<Error>) {
        let deadline = self
            .timers
            .close_deadline()
            .unwrap_or_else(|| later(Instant::now(), self.close_timeout));
        self.phase = Phase::Ending {
            deadline,
            alarm: Alarm::default(),
            error,
            shut: false,
        };
        self.changes += 1;
    }

    /// Section 7.1.1: the server ends the stream first, the client waits for that; whoever fails the connection ends it
    /// and waits for the other to have seen it. None of it takes longer than the deadline.
    fn poll_ending(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.failure.is_none() && self.poll_write(cx).is_pending() {
            return self.poll_ending_deadline(cx);
        }
        let Phase::Ending {
            deadline,
            error,
            shut,
            ..
        } = &mut self.phase
        else {
            // The write ended the connection.
            return Poll::Ready(());
        };
        let Some(stream) = self.stream.as_mut().filter(|_| self.failure.is_none()) else {
            let error = error.take();
            self.end(error);
            return Poll::Ready(());
        };
        let we_end = self.protocol.role() == Role::Server || error.is_some();
        if we_end && !*shut {
            if Pin::new(&mut *stream).poll_shutdown(cx).is_pending() {
                return self.poll_ending_deadline(cx);
            }
            *shut = true;
            *deadline = (*deadline).min(Instant::now() + LINGER);
        }
        if error.is_some() || !we_end {
            // What still comes is not looked at.
            let mut buffer = buffers::take_read();
            loop {
                buffer.clear();
                match pin!(stream.read_buf(&mut buffer)).poll(cx) {
                    Poll::Ready(Ok(read)) if read > 0 => {
                        if Instant::now() < *deadline {
                            continue;
                        }
                    }
                    Poll::Ready(_) => {}
                    Poll::Pending => {
                        buffers::give_read(buffer);
                        return self.poll_ending_deadline(cx);
                    }
                }
                buffers::give_read(buffer);
                break;
            }
            if !we_end {
                // A TLS goodbye, if there is room for it; TCP is ended by the drop.
                let _ = Pin::new(stream).poll_shutdown(cx);
            }
        }
        let error = error.take();
        self.end(error);
        Poll::Ready(())
    }

    fn poll_ending_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Phase::Ending {
            deadline,
            alarm,
            error,
            ..
        } = &mut self.phase
        {
            ready!(alarm.poll_until(*deadline, cx));
            let error = error.take();
            self.end(error);
        }
        Poll::Ready(())
    }

    /// Ends the stream, whatever was going on. With bytes that the peer never took it is reset, so that the kernel does
    /// not hold them for a peer that is gone.
    fn end(&mut self, error: Option<Error>) {
        if let Some(stream) = self.stream.take() {
            if self.output.waiting() > 0 {
                stream.reset();
            } else {
                drop(stream);
            }
        }
        self.protocol.handle_end();
        self.output.discard();
        self.input = Vec::new();
        self.consumed = 0;
        if self.failure.is_none() {
            self.failure = Some(error.clone().unwrap_or_else(Error::closed));
        }
        self.phase = Phase::Ended(error);
        self.changes += 1;
    }

    /// Ends the stream with a reset.
    pub(super) fn abort(&mut self) {
        if let Some(stream) = self.stream.take() {
            stream.reset();
        }
        self.end(None);
    }

    /// Frames something and puts it into the queue.
    pub(super) fn queue(&mut self, outgoing: &Outgoing<'_>) -> Result<u64, Error> {
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        let Self {
            protocol, output, ..
        } = self;
        output.append(|out| -> Result<(), SendError> {
            let keys = &mut SystemKeys;
            match outgoing {
                Outgoing::Message(Message::Text(text)) => protocol.send_text(text, keys, out),
                Outgoing::Message(Message::Binary(payload)) => {
                    protocol.send_binary(payload, keys, out)
                }
                Outgoing::Prepared(prepared) => protocol.send_prepared(prepared, keys, out),
                Outgoing::Fragment { kind, payload, fin } => {
                    protocol.send_fragment(*kind, payload, *fin, keys, out)
                }
                Outgoing::Ping(payload) => protocol.send_ping(payload, keys, out),
                Outgoing::Pong(payload) => protocol.send_pong(payload, keys, out),
            }
        })?;
        Ok(output.queued_total)
    }

    /// Waits until there is room for something in the queue, then puts it there; gives the position to flush to.
    pub(super) fn poll_queue(
        &mut self,
        outgoing: &Outgoing<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<u64, Error>> {
        if self.failure.is_none() && !self.has_room(outgoing) {
            // An error is told by the queueing below.
            while !self.has_room(outgoing) && self.failure.is_none() {
                let before = self.output.sent_total;
                if self.poll_write(cx).is_pending() && self.output.sent_total == before {
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(self.queue(outgoing))
    }

    /// Puts something into the queue and writes as much as goes without waiting.
    pub(super) fn try_send(
        &mut self,
        outgoing: &Outgoing<'_>,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        if !self.has_room(outgoing) {
            let _ = self.poll_write(cx);
        }
        if self.failure.is_none() && !self.has_room(outgoing) {
            let waiting = self.output.waiting();
            let sentence =
                format!("the peer reads too slowly: {waiting} bytes wait to be sent to it");
            return Err(Error::new(ErrorKind::TooSlow, Blame::Peer, sentence));
        }
        self.queue(outgoing)?;
        match self.poll_write(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        }
    }

    fn has_room(&self, outgoing: &Outgoing<'_>) -> bool {
        let waiting = self.output.waiting();
        waiting == 0 || waiting + outgoing.len() <= self.max_queued
    }

    /// Where the queue ends.
    pub(super) fn position(&self) -> u64 {
        self.output.queued_total
    }

    /// Waits until all before `position` is handed to the kernel.
    pub(super) fn poll_flush(
        &mut self,
        position: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if self.output.flushed_total >= position {
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = &self.failure {
            return Poll::Ready(Err(error.clone()));
        }
        let result = self.poll_write(cx);
        if self.output.flushed_total >= position {
            return Poll::Ready(Ok(()));
        }
        result
    }

    /// Queues a close frame and starts the clock of the close handshake. `None` if there is nothing left to close.
    pub(super) fn start_close(
        &mut self,
        code: Option<CloseCode>,
        reason: &str,
    ) -> Result<Option<u64>, Error> {
        if let Some(error) = &self.failure
            && self.stream.is_some()
        {
            // It cannot be written, and what the peer sent before it went is still to be read.
            return Err(error.clone());
        }
        let Self {
            protocol, output, ..
        } = self;
        match output.append(|out| protocol.send_close(code, reason, &mut SystemKeys, out)) {
            Ok(()) => {}
            Err(SendError::Closed) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        self.timers
            .close_by(later(Instant::now(), self.close_timeout));
        Ok(Some(self.output.queued_total))
    }

    /// Our close frame could not even be handed to the kernel in time.
    pub(super) fn close_timed_out(&mut self) -> Error {
        let error = Error::timeout(
            Blame::Peer,
            "the peer did not take our close frame",
            self.close_timeout,
        );
        self.end(Some(error.clone()));
        error
    }
}

/// Whoever was not polled for long finds its deadlines past, though what they wait for may have come meanwhile and only
/// the runtime has not looked yet. So it is let look, before a peer is given up.
fn look_again(cx: &mut Context<'_>) -> Poll<()> {
    pin!(tokio::task::yield_now()).poll(cx)
}

fn silent(limit: Duration) -> Error {
    let sentence = format!("the peer gave no sign of life for {limit:?}, though it was pinged");
    Error::new(ErrorKind::PingTimeout, Blame::Peer, sentence)
}
