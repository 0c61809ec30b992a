//! Connections that do nothing: each has one message sent back to it, then only answers pings.

use std::{
    io::{self, Read, Write},
    time::Duration,
};

use mio::{Events, Interest, Poll, Token, unix::SourceFd};

use crate::{Failure, READ_SIZE, connect::Target, connection::Connection, script::Script};

/// Standard input, among the connections.
const INPUT: Token = Token(usize::MAX);

/// Connections whose message is on its way at the same time. Few, for a server may need a buffer for each of those.
const TOGETHER: usize = 32;
/// How long to wait for the first of them to come back.
const PATIENCE: Duration = Duration::from_secs(20);

const PING: u8 = 0x89;
const PONG: u8 = 0x8A;
const MASKED: u8 = 0x80;

/// Opens `connections` connections, says that they are open, and keeps them until somebody answers.
pub(crate) fn run(target: &Target, script: &Script, connections: usize) -> Result<(), Failure> {
    let mut crowd = Crowd {
        poll: Poll::new()?,
        clients: Vec::with_capacity(connections),
        waiting: 0,
        answered: false,
        buffer: vec![0; READ_SIZE],
    };
    let mut events = Events::with_capacity(1024);
    crowd
        .poll
        .registry()
        .register(&mut SourceFd(&0), INPUT, Interest::READABLE)?;
    for begin in (0..connections).step_by(TOGETHER) {
        let numbers = begin..connections.min(begin + TOGETHER);
        for (number, stream) in numbers.clone().zip(target.open(numbers)?) {
            crowd.poll.registry().register(
                &mut SourceFd(&stream.fd()),
                Token(number),
                Interest::READABLE | Interest::WRITABLE,
            )?;
            let mut connection = Connection::new(stream, number % script.count());
            connection.send(script, 1)?;
            crowd.clients.push(Client {
                connection,
                done: false,
            });
            crowd.waiting += 1;
        }
        while crowd.waiting > 0 {
            crowd.turn(script, &mut events, Some(PATIENCE))?;
        }
    }
    println!("{connections} connections are open");
    while !crowd.answered {
        crowd.turn(script, &mut events, None)?;
    }
    for client in crowd.clients {
        client.connection.reset()?;
    }
    Ok(())
}

struct Crowd {
    poll: Poll,
    clients: Vec<Client>,
    /// Connections that have not got their message back.
    waiting: usize,
    /// Whether somebody has answered on standard input.
    answered: bool,
    buffer: Vec<u8>,
}

struct Client {
    connection: Connection,
    /// Whether the message came back.
    done: bool,
}

impl Crowd {
    fn turn(
        &mut self,
        script: &Script,
        events: &mut Events,
        patience: Option<Duration>,
    ) -> Result<(), Failure> {
        self.poll.poll(events, patience)?;
        if events.is_empty() && patience.is_some() {
            return Err(format!("{} messages did not come back", self.waiting).into());
        }
        for event in &*events {
            if event.token() == INPUT {
                self.answered = true;
                continue;
            }
            let client = &mut self.clients[event.token().0];
            if event.is_writable() {
                client.connection.flush(script)?;
            }
            if !event.is_readable() {
                continue;
            }
            if client.done {
                client.answer_pings(&mut self.buffer)?;
            } else if client.connection.receive(script, &mut self.buffer)? > 0 {
                client.done = true;
                self.waiting -= 1;
            }
        }
        Ok(())
    }
}

impl Client {
    /// Answers pings (RFC 6455 section 5.5.3). A ping is so small that it comes in one piece, and comes alone.
    fn answer_pings(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        let stream = self.connection.stream();
        loop {
            let read = match stream.read(buffer) {
                Ok(0) => return Err("the server ended an idle connection".into()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(format!("an idle connection failed: {error}").into()),
            };
            let &[PING, length, ref payload @ ..] = &buffer[..read] else {
                return Err("something other than a ping came on an idle connection".into());
            };
            if payload.len() != usize::from(length) {
                return Err("a ping did not come in one piece".into());
            }
            // A masking key of zero leaves the payload as it is.
            let mut pong = vec![PONG, MASKED | length, 0, 0, 0, 0];
            pong.extend_from_slice(payload);
            stream.write_all(&pong)?;
        }
    }
}
