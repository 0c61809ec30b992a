//! A client's end of a WebSocket, as bare as can be: the handshake by hand, and frames one by one (RFC 6455 4.1 and 5.2).

use std::{
    cell::RefCell,
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use socket2::{Domain, SockRef, Socket as RawSocket, Type};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::Failure;

/// The key of the example in RFC 6455 section 1.3, so that the answer to it is known too.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// How long a server may take for a connection and its handshake.
const PATIENCE: Duration = Duration::from_secs(60);

/// As many connections share one source address. There are 28,232 ports to an address by default, but the more of them
/// are taken, the longer the kernel looks for one.
const PER_ADDRESS: usize = 4_000;

pub(crate) const TEXT: u8 = 1;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

thread_local! {
    /// What is read goes through here: a silent connection keeps none of it.
    static CHUNK: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 * 1024]);
}

/// A connection after its handshake.
pub(crate) struct Socket {
    stream: TcpStream,
    /// What came and was not looked at yet.
    came: Vec<u8>,
}

/// A frame that came: its opcode and its payload.
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

/// The loopback address that a connection comes from, by its number.
pub(crate) fn source(number: usize) -> Ipv4Addr {
    let host = 1 + number / PER_ADDRESS;
    Ipv4Addr::new(127, 0, (host / 250) as u8, (host % 250) as u8)
}

/// A TCP connection, with a receive buffer of so many bytes if that matters.
pub(crate) async fn dial(
    to: SocketAddr,
    from: Ipv4Addr,
    buffer: Option<usize>,
) -> Result<TcpStream, Failure> {
    let socket = RawSocket::new(Domain::IPV4, Type::STREAM, None)?;
    if to.ip().is_loopback() && from != Ipv4Addr::LOCALHOST {
        socket.bind(&SocketAddr::from((from, 0)).into())?;
    }
    if let Some(buffer) = buffer {
        socket.set_recv_buffer_size(buffer)?;
    }
    socket.set_nonblocking(true)?;
    let socket = TcpSocket::from_std_stream(socket.into());
    let stream = timeout(PATIENCE, socket.connect(to))
        .await
        .map_err(|_| "the server did not take a connection in time")??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Socket {
    /// Opens a connection.
    pub(crate) async fn open(
        to: SocketAddr,
        from: Ipv4Addr,
        path: &str,
        buffer: Option<usize>,
    ) -> Result<Self, Failure> {
        let mut stream = dial(to, from, buffer).await?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {to}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut socket = Self {
            stream,
            came: Vec::new(),
        };
        timeout(PATIENCE, socket.shake())
            .await
            .map_err(|_| "the server did not answer a handshake in time")??;
        Ok(socket)
    }

    async fn shake(&mut self) -> Result<(), Failure> {
        let end = loop {
            let found = self.came.windows(4).position(|four| four == b"\r\n\r\n");
            match found {
                Some(at) => break at + 4,
                None if !self.read().await? => return Err("the server ended the stream".into()),
                None => {}
            }
        };
        let head = String::from_utf8_lossy(&self.came[..end]).into_owned();
        self.came.drain(..end);
        if !head.starts_with("HTTP/1.1 101") || !head.contains(ACCEPT) {
            let status = head.lines().next().unwrap_or_default();
            return Err(format!("the server answered `{status}`").into());
        }
        Ok(())
    }

    /// The next frame; `None` at the end of the stream. Cancel-safe.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some((frame, end)) = frame(&self.came) {
                self.came.drain(..end);
                if self.came.is_empty() {
                    self.came = Vec::new();
                }
                return Ok(Some(frame));
            }
            if !self.read().await? {
                return Ok(None);
            }
        }
    }

    /// The next message, after pings are answered; `None` at the end of the stream, or behind a close frame, which is
    /// answered: its code.
    pub(crate) async fn message(&mut self) -> io::Result<Result<Vec<u8>, Option<u16>>> {
        loop {
            let Some(frame) = self.next().await? else {
                return Ok(Err(None));
            };
            match frame.opcode {
                PING => self.send(PONG, &frame.payload).await?,
                PONG => {}
                CLOSE => {
                    let code = match frame.payload[..] {
                        [high, low, ..] => u16::from_be_bytes([high, low]),
                        _ => 1005,
                    };
                    // A server that is gone already needs no answer.
                    let _ = self
                        .send(CLOSE, &frame.payload[..frame.payload.len().min(2)])
                        .await;
                    return Ok(Err(Some(code)));
                }
                _ => return Ok(Ok(frame.payload)),
            }
        }
    }

    /// Sends a frame. A masking key of zero leaves the payload as it is.
    pub(crate) async fn send(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let mut wire = Vec::with_capacity(14 + payload.len());
        encode(opcode, payload, &mut wire);
        self.stream.write_all(&wire).await
    }

    /// Sends bytes, whatever they are.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Ends the stream with a reset, so that no port is left waiting.
    pub(crate) fn reset(self) {
        reset(self.stream);
    }

    /// Reads what is there; whether there is more to come.
    async fn read(&mut self) -> io::Result<bool> {
        loop {
            self.stream.readable().await?;
            let read = CHUNK.with_borrow_mut(|chunk| {
                let read = self.stream.try_read(chunk)?;
                self.came.extend_from_slice(&chunk[..read]);
                Ok::<_, io::Error>(read)
            });
            match read {
                Ok(read) => return Ok(read > 0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Ends a stream with a reset.
pub(crate) fn reset(stream: TcpStream) {
    // One that is gone already cannot be reset.
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

/// A client's frame, with the masking key zero.
pub(crate) fn encode(opcode: u8, payload: &[u8], wire: &mut Vec<u8>) {
    wire.push(0x80 | opcode);
    match payload.len() {
        length @ 0..=125 => wire.push(0x80 | length as u8),
        length @ 126..=0xFFFF => {
            wire.push(0x80 | 126);
            wire.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            wire.push(0x80 | 127);
            wire.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    wire.extend_from_slice(&[0; 4]);
    wire.extend_from_slice(payload);
}

/// The first frame of some bytes, if it is whole, and where it ends. Servers do not mask.
fn frame(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match second & 0x7F {
        126 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (u64::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk::<8>()?;
            (u64::from_be_bytes(*length), rest)
        }
        length => (u64::from(length), rest),
    };
    let payload = rest.get(..usize::try_from(length).ok()?)?;
    let frame = Frame {
        opcode: first & 0x0F,
        payload: payload.to_vec(),
    };
    Some((frame, bytes.len() - rest.len() + payload.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame as a server sends it.
    fn wire(opcode: u8, length: usize) -> Vec<u8> {
        let mut masked = Vec::new();
        encode(opcode, &vec![b'x'; length], &mut masked);
        let head = masked.len() - length - 4;
        masked[1] &= 0x7F;
        masked.drain(head..head + 4);
        masked
    }

    #[test]
    fn frames_of_all_lengths_are_taken_whole_or_not_at_all() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let mut bytes = wire(TEXT, length);
            let end = bytes.len();
            for cut in [0, 1, 2, end - 1] {
                if cut < end {
                    assert!(frame(&bytes[..cut]).is_none(), "{length}, cut at {cut}");
                }
            }
            bytes.extend_from_slice(b"more");
            let (frame, at) = frame(&bytes).expect("it is whole");
            assert_eq!((frame.opcode, frame.payload.len(), at), (TEXT, length, end));
        }
    }

    #[test]
    fn sources_are_loopback_addresses_that_may_be_used() {
        assert_eq!(source(0), Ipv4Addr::LOCALHOST);
        assert_eq!(source(4_000), Ipv4Addr::new(127, 0, 0, 2));
        assert!((0..100_000).map(source).all(|address| address.is_loopback()
            && address.octets()[3] != 255
            && address != Ipv4Addr::new(127, 0, 0, 0)));
    }
}
