//! The end of a connection: RFC 6455 section 7.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    time::Instant,
};
use wiretalk_proto::{CloseCode, End, Role};

use super::{
    super::{
        buffers,
        keys::SystemKeys,
        timers::{Alarm, later},
    },
    Core, Ending, Phase,
};
use crate::error::{Blame, Error, ErrorKind};

/// How long a peer that broke the protocol may go on sending after our close frame, while we only wait for it to end
/// the stream. Ending it with its bytes unread would make the kernel reset the connection, and the peer might never see
/// the close frame (RFC 6455 7.1.1).
const LINGER: Duration = Duration::from_secs(1);

impl Core {
    /// All is said: the close handshake is done or the connection has failed. Goes on to the orderly end.
    pub(super) fn finish(&mut self, error: Option<Error>) {
        let deadline = self
            .timers
            .close_deadline()
            .unwrap_or_else(|| later(Instant::now(), self.config().close_timeout));
        self.phase = Phase::Ending(Box::new(Ending {
            deadline,
            alarm: Alarm::default(),
            error,
            told: false,
            shut: false,
        }));
        self.changes += 1;
    }

    /// Section 7.1.1: the server ends the stream first, the client waits for that; whoever fails the connection ends it
    /// and waits for the other to have seen it. None of it takes longer than the deadline.
    pub(super) fn poll_ending(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.failure.is_none() && self.poll_write(cx).is_pending() {
            return self.poll_ending_deadline(cx);
        }
        let Phase::Ending(ending) = &mut self.phase else {
            // The write ended the connection.
            return Poll::Ready(());
        };
        let Ending {
            deadline,
            error,
            shut,
            ..
        } = &mut **ending;
        let Some(stream) = self.stream.as_mut().filter(|_| self.failure.is_none()) else {
            self.end_as_told();
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
        self.end_as_told();
        Poll::Ready(())
    }

    /// How the connection failed, once the peer has been told and nobody else has. What is left is to wait for the peer
    /// to end the stream, and that can take a while.
    pub(super) fn failed_now(&mut self) -> Option<Error> {
        match &mut self.phase {
            Phase::Ending(ending) if ending.shut && !ending.told => {
                ending.told = ending.error.is_some();
                ending.error.clone()
            }
            _ => None,
        }
    }

    /// The end of [`Phase::Ending`].
    fn end_as_told(&mut self) {
        let Phase::Ending(ending) = &mut self.phase else {
            return;
        };
        let told = ending.told;
        let error = ending.error.take();
        self.end(error);
        if told {
            self.phase = Phase::Ended(None);
        }
    }

    fn poll_ending_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Phase::Ending(ending) = &mut self.phase {
            ready!(ending.alarm.poll_until(ending.deadline, cx));
            self.end_as_told();
        }
        Poll::Ready(())
    }

    /// Ends the stream, whatever was going on. With bytes that the peer never took it is reset, so that the kernel does
    /// not hold them for a peer that is gone.
    pub(super) fn end(&mut self, error: Option<Error>) {
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
    pub(in crate::websocket) fn abort(&mut self) {
        if let Some(stream) = self.stream.take() {
            stream.reset();
        }
        self.end(None);
    }

    /// Drops a peer that is likely gone. A close frame is tried, but not waited for.
    pub(super) fn give_up(
        &mut self,
        code: CloseCode,
        reason: &str,
        error: Error,
        cx: &mut Context<'_>,
    ) {
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
    pub(super) fn on_end(&mut self) {
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
}
