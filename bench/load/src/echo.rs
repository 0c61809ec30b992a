//! A closed loop: each connection keeps so many messages in flight, and sends one more for each that came back.

use measure::Report;
use mio::{Events, Interest, Poll, Token, unix::SourceFd};

use crate::{
    Failure, READ_SIZE,
    connect::Target,
    connection::Connection,
    script::Script,
    window::{Duty, Meter},
};

#[cfg(test)]
mod tests;

/// Runs `connections` connections with `in_flight` messages each.
pub(crate) fn run(
    target: &Target,
    script: &Script,
    connections: usize,
    in_flight: usize,
    duty: Duty,
) -> Result<Report, Failure> {
    let mut poll = Poll::new()?;
    let mut clients = Vec::with_capacity(connections);
    for (number, stream) in target.open(0..connections)?.into_iter().enumerate() {
        poll.registry().register(
            &mut SourceFd(&stream.fd()),
            Token(number),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        clients.push(Client::new(stream, number % script.count(), in_flight));
    }
    let mut meter = Meter::new(duty)?;
    let mut buffer = vec![0; READ_SIZE];
    let mut events = Events::with_capacity(connections.max(64));
    let mut received = 0;
    let now = meter.now();
    for client in &mut clients {
        client.start(script, now)?;
    }
    loop {
        poll.poll(&mut events, Some(meter.patience()))?;
        for event in &events {
            let client = &mut clients[event.token().0];
            if event.is_writable() {
                client.connection.flush(script)?;
            }
            if event.is_readable() {
                received += client.turn(script, &mut buffer, &mut meter)?;
            }
        }
        meter.now();
        if let Some(window) = meter.window()? {
            let replies = clients.iter().map(|client| client.connection.replies());
            return Ok(meter.report(window, received, replies));
        }
    }
}

/// A connection, and when each message in flight on it was sent.
struct Client {
    connection: Connection,
    /// A circle; `oldest` is the place of the one that is answered next.
    sent: Vec<u64>,
    oldest: usize,
}

impl Client {
    fn new(stream: crate::connect::Stream, first: usize, in_flight: usize) -> Self {
        Self {
            connection: Connection::new(stream, first),
            sent: vec![0; in_flight],
            oldest: 0,
        }
    }

    /// The first messages.
    fn start(&mut self, script: &Script, now: u64) -> Result<(), Failure> {
        self.sent.fill(now);
        self.connection.send(script, self.sent.len())
    }

    /// Takes what came, and sends as many.
    fn turn(
        &mut self,
        script: &Script,
        buffer: &mut [u8],
        meter: &mut Meter,
    ) -> Result<u64, Failure> {
        let replies = self.connection.receive(script, buffer)?;
        if replies == 0 {
            return Ok(0);
        }
        let now = meter.now();
        for _ in 0..replies {
            let Some(sent) = self.sent.get_mut(self.oldest) else {
                return Err("more replies came than messages were sent".into());
            };
            meter.count(now, *sent);
            *sent = now;
            self.oldest = (self.oldest + 1) % self.sent.len();
        }
        self.connection.send(script, replies)?;
        Ok(replies as u64)
    }
}
