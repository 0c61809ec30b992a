//! One message to many: what the first connection sends comes back on all, itself included. The next burst leaves when
//! everyone has the last.

use measure::Report;
use mio::{Events, Interest, Poll, Token, unix::SourceFd};

use crate::{
    Failure, READ_SIZE,
    connect::Target,
    connection::Connection,
    script::Script,
    window::{Duty, Meter},
};

/// Runs `receivers` connections, to which `burst` messages are sent at once.
pub(crate) fn run(
    target: &Target,
    script: &Script,
    receivers: usize,
    burst: usize,
    duty: Duty,
) -> Result<Report, Failure> {
    let mut poll = Poll::new()?;
    let mut connections = Vec::with_capacity(receivers);
    for (number, stream) in target.open(0..receivers)?.into_iter().enumerate() {
        poll.registry().register(
            &mut SourceFd(&stream.fd()),
            Token(number),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        connections.push(Connection::new(stream, 0));
    }
    let mut meter = Meter::new(duty)?;
    let mut buffer = vec![0; READ_SIZE];
    let mut events = Events::with_capacity(receivers.clamp(64, 4096));
    let mut received = 0;
    // Deliveries of the burst that are still to come.
    let mut missing = 0;
    let mut sent = 0;
    loop {
        if missing == 0 {
            missing = receivers * burst;
            sent = meter.now();
            connections[0].send(script, burst)?;
        }
        poll.poll(&mut events, Some(meter.patience()))?;
        for event in &events {
            let connection = &mut connections[event.token().0];
            if event.is_writable() {
                connection.flush(script)?;
            }
            if event.is_readable() {
                let deliveries = connection.receive(script, &mut buffer)?;
                missing = missing
                    .checked_sub(deliveries)
                    .ok_or("more messages were delivered than were sent")?;
                received += deliveries as u64;
                let now = meter.now();
                for _ in 0..deliveries {
                    meter.count(now, sent);
                }
            }
        }
        meter.now();
        if let Some(window) = meter.window()? {
            let replies = connections.iter().map(Connection::replies);
            return Ok(meter.report(window, received, replies));
        }
    }
}
