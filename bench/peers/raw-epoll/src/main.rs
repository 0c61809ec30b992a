//! The floor: bytes that come are sent back, with nothing between the sockets and epoll.

use std::{
    error::Error,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr},
};

use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};

const BUFFER_SIZE: usize = 128 * 1024;
const LISTENER: Token = Token(usize::MAX);

type Failure = Box<dyn Error>;

struct Client {
    stream: TcpStream,
    /// What the kernel would not take. Nothing is read until it did.
    rest: Vec<u8>,
}

fn main() -> Result<(), Failure> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port()?)))?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut clients: Vec<Option<Client>> = Vec::new();
    let mut buffer = vec![0; BUFFER_SIZE];
    let mut events = Events::with_capacity(1024);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                accept(&poll, &listener, &mut clients)?;
                continue;
            }
            let slot = &mut clients[event.token().0];
            if let Some(client) = slot
                && !client.turn(&mut buffer)
            {
                *slot = None;
            }
        }
    }
}

fn accept(
    poll: &Poll,
    listener: &TcpListener,
    clients: &mut Vec<Option<Client>>,
) -> Result<(), Failure> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        stream.set_nodelay(true)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let token = Token(clients.len());
        poll.registry().register(&mut stream, token, interest)?;
        clients.push(Some(Client {
            stream,
            rest: Vec::new(),
        }));
    }
}

impl Client {
    /// Echoes all that is there. `false`: the connection has ended.
    fn turn(&mut self, buffer: &mut [u8]) -> bool {
        loop {
            while !self.rest.is_empty() {
                match self.stream.write(&self.rest) {
                    Ok(written) => drop(self.rest.drain(..written)),
                    Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
                }
            }
            let read = match self.stream.read(buffer) {
                Ok(0) => return false,
                Ok(read) => read,
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            };
            match self.stream.write(&buffer[..read]) {
                Ok(written) => self.rest.extend_from_slice(&buffer[written..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.rest.extend_from_slice(&buffer[..read]);
                }
                Err(_) => return false,
            }
            // A TCP stream that gave less than was asked for has no more (epoll(7)).
            if read < buffer.len() && self.rest.is_empty() {
                return true;
            }
        }
    }
}

fn port() -> Result<u16, Failure> {
    use lexopt::prelude::{Long, ValueExt};
    let mut parser = lexopt::Parser::from_env();
    match parser.next()? {
        Some(Long("port")) => Ok(parser.value()?.parse()?),
        Some(other) => Err(other.unexpected().into()),
        None => Err("--port is missing".into()),
    }
}
