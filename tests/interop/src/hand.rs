//! A connection on which every byte is written by hand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use crate::{DEADLINE, Server};

/// A client that says what it is told to, right or wrong.
#[derive(Debug)]
pub struct Hand {
    stream: TcpStream,
    /// What came, and was not looked at yet.
    read: Vec<u8>,
    /// For the `Host` header.
    authority: String,
}

impl Hand {
    /// Connects to a server.
    #[must_use]
    pub fn to(server: &Server) -> Self {
        Self::from("127.0.0.1", server)
    }

    /// The same from this address of the machine, of which loopback has many.
    #[must_use]
    pub fn from(source: &str, server: &Server) -> Self {
        let authority = format!("127.0.0.1:{}", server.port());
        let source: SocketAddr = format!("{source}:0").parse().expect("an address");
        let target: SocketAddr = authority.parse().expect("an address");
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        bind(&socket, &source).expect("the address is this machine's");
        connect(&socket, &target).expect("somebody listens");
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(DEADLINE)).expect("a limit");
        stream.set_nodelay(true).expect("an option");
        Self {
            stream,
            read: Vec::new(),
            authority,
        }
    }

    /// Asks for a WebSocket, with these header lines besides: the status, and the head of the answer.
    pub fn handshake(&mut self, path: &str, lines: &[&str]) -> (u16, String) {
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            self.authority
        );
        for line in lines {
            request.push_str(line);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        self.write(request.as_bytes());
        let head = self.head();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("no status: {head}")), head)
    }

    /// Writes bytes; to a peer that is gone as well, for it may have said why before.
    pub fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// What comes back for these bytes until the stream ends; nothing if it is reset at once.
    pub fn answer_to(&mut self, bytes: &[u8]) -> String {
        self.write(bytes);
        while self.more() {}
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
    }

    /// The head of an answer, up to its empty line.
    pub fn head(&mut self) -> String {
        loop {
            let end = self.read.windows(4).position(|part| part == b"\r\n\r\n");
            if let Some(end) = end {
                let head = self.read.drain(..end + 4).collect();
                return String::from_utf8(head).expect("a head is ASCII");
            }
            assert!(
                self.more(),
                "the stream ended in the middle of a head: {self:?}"
            );
        }
    }

    /// Sends a text message.
    pub fn send_text(&mut self, text: &str) {
        self.send_frame(0x81, text.as_bytes());
    }

    /// Sends a frame with this first byte, masked with a key of zeros.
    pub fn send_frame(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | length as u8),
            length @ 126..65_536 => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.write(&frame);
    }

    /// The next frame: its first byte, and its payload. `None`: the stream has ended.
    pub fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((first, start, end)) = bounds(&self.read) {
                let payload = self.read[start..end].to_vec();
                self.read.drain(..end);
                return Some((first, payload));
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// The next frame, which is a text message.
    pub fn text(&mut self) -> String {
        match self.frame() {
            Some((0x81, payload)) => String::from_utf8(payload).expect("it is UTF-8"),
            other => panic!("no text, but {other:?}"),
        }
    }

    /// The code and the reason of the close frame that comes, whatever comes before it.
    pub fn close_frame(&mut self) -> (u16, String) {
        loop {
            match self.frame() {
                Some((0x88, payload)) if payload.len() >= 2 => {
                    let code = u16::from_be_bytes([payload[0], payload[1]]);
                    let reason = String::from_utf8(payload[2..].to_vec());
                    return (code, reason.expect("it is UTF-8"));
                }
                Some(_) => {}
                None => panic!("the stream ended without a close frame"),
            }
        }
    }

    /// Reads on; whether something came.
    fn more(&mut self) -> bool {
        let mut buffer = [0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(length) => {
                self.read.extend(&buffer[..length]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing more came of {self:?}: {error}"),
        }
    }
}

/// The first byte of a whole frame without a mask, and where its payload begins and ends.
fn bounds(read: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*read.first()?, *read.get(1)?);
    let (start, length) = match second {
        126 => (
            4,
            u64::from(u16::from_be_bytes(read.get(2..4)?.try_into().ok()?)),
        ),
        127 => (10, u64::from_be_bytes(read.get(2..10)?.try_into().ok()?)),
        length => (2, u64::from(length)),
    };
    let end = start + usize::try_from(length).ok()?;
    (read.len() >= end).then_some((first, start, end))
}
