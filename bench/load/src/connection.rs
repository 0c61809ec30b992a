//! One connection that sends its round of the script and looks at what comes back.

use std::io::{self, Read, Write};

use crate::{Failure, connect::Stream, replies::Replies, script::Script};

/// One connection.
pub(crate) struct Connection {
    stream: Stream,
    replies: Replies,
    /// Messages that may be sent, that were sent whole, and the bytes of the next that were sent.
    due: usize,
    sent: usize,
    partial: usize,
}

impl Connection {
    /// A connection that begins its round of the script at `first`.
    pub(crate) fn new(stream: Stream, first: usize) -> Self {
        Self {
            stream,
            replies: Replies::new(first),
            due: first,
            sent: first,
            partial: 0,
        }
    }

    /// What has come back.
    pub(crate) fn replies(&self) -> &Replies {
        &self.replies
    }

    /// Sends so many messages more, as far as the kernel takes them now.
    pub(crate) fn send(&mut self, script: &Script, messages: usize) -> Result<(), Failure> {
        self.due += messages;
        self.flush(script)
    }

    /// Sends what could not be sent before.
    pub(crate) fn flush(&mut self, script: &Script) -> Result<(), Failure> {
        while self.sent < self.due {
            let wire = script.wire(self.sent, self.due - self.sent);
            match self.stream.write(&wire[self.partial..]) {
                Ok(written) => self.advance(script, written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(format!("a write failed: {error}").into()),
            }
        }
        match self.stream.flush() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                Err(format!("a write failed: {error}").into())
            }
            _ => Ok(()),
        }
    }

    /// Reads all that has come; how many replies are complete with it.
    pub(crate) fn receive(&mut self, script: &Script, buffer: &mut [u8]) -> Result<usize, Failure> {
        let mut complete = 0;
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err("the server ended a connection".into()),
                Ok(read) => {
                    complete += self.replies.handle(script, &buffer[..read])?;
                    // A TCP stream that gave less than was asked for has no more (epoll(7)).
                    if read < buffer.len() && matches!(self.stream, Stream::Tcp(_)) {
                        return Ok(complete);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(complete),
                Err(error) => return Err(format!("a read failed: {error}").into()),
            }
        }
    }

    fn advance(&mut self, script: &Script, written: usize) {
        self.partial += written;
        while self.sent < self.due {
            let length = script.length(self.sent);
            if self.partial < length {
                break;
            }
            self.partial -= length;
            self.sent += 1;
        }
    }

    /// The stream itself, for what is in no script.
    pub(crate) fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Ends the connection with a reset, so that no port is left waiting.
    pub(crate) fn reset(self) -> io::Result<()> {
        self.stream.reset()
    }
}
