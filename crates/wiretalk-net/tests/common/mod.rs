//! The other side of each test: scripts over bare TCP, and servers of the crate's own.

// Each test file takes what it needs of this.
#![allow(dead_code)]

use std::{future::Future, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};
use wiretalk_net::{
    Config, Connector, DeflateConfig, Request, WebSocket,
    server::{self, AcceptOptions, Listener, Reply, ServeOptions, TlsConfig, serve_connection},
};
use wiretalk_proto::handshake::accept_value;

pub(crate) const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Fails instead of hanging for ever.
#[track_caller]
pub(crate) fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let place = std::panic::Location::caller();
    async move {
        let result = timeout(Duration::from_secs(20), future).await;
        result.unwrap_or_else(|_| panic!("nothing happened at {place}"))
    }
}

/// A server that does as the script says with the first client. The handle gives the script's result.
pub(crate) async fn script<F, T>(
    play: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> (SocketAddr, JoinHandle<T>)
where
    F: Future<Output = T> + Send,
    T: Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let played = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        play(stream).await
    });
    (address, played)
}

/// Reads up to the empty line.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a whole head"));
    }
    String::from_utf8(head).unwrap()
}

/// The value of a header, by its name in small letters.
pub(crate) fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// The right answer to a request, with more header lines (each with its line end).
pub(crate) fn switching(request: &str, more: &str) -> String {
    let accept = accept_value(header(request, "Sec-WebSocket-Key").expect("a key"));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
}

/// Does the server's part of the handshake.
pub(crate) async fn accept(stream: &mut TcpStream) {
    let request = read_head(stream).await;
    stream
        .write_all(switching(&request, "").as_bytes())
        .await
        .unwrap();
}

/// Connects and does the client's part of the handshake.
pub(crate) async fn raw_client(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&upgrade_request("")).await.unwrap();
    let head = read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    stream
}

/// A client's request, with more header lines (each with its line end).
pub(crate) fn upgrade_request(more: &str) -> Vec<u8> {
    format!(
        "GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
    .into_bytes()
}

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// A frame as a server sends it.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    let mut frame = vec![first, payload.len() as u8];
    frame.extend_from_slice(payload);
    frame
}

/// A frame as a client sends it; with a key of zeros, which leaves the payload as it is.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = frame(first, &[]);
    frame[1] = 0x80 | payload.len() as u8;
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// Reads a frame: its first byte, and its payload, unmasked.
pub(crate) async fn read_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let first = stream.read_u8().await.expect("a frame");
    let second = stream.read_u8().await.unwrap();
    let length = match second & 0x7f {
        126 => u64::from(stream.read_u16().await.unwrap()),
        127 => stream.read_u64().await.unwrap(),
        length => u64::from(length),
    };
    let mut key = [0; 4];
    if second & 0x80 != 0 {
        stream.read_exact(&mut key).await.unwrap();
    }
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).await.unwrap();
    for (index, byte) in payload.iter_mut().enumerate() {
        *byte ^= key[index % 4];
    }
    (first, payload)
}

/// The code of a close frame's payload.
pub(crate) fn code(payload: &[u8]) -> u16 {
    u16::from_be_bytes([payload[0], payload[1]])
}

/// A server that accepts every WebSocket and hands it out.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepted: mpsc::UnboundedReceiver<WebSocket>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(config: Config) -> Self {
        Self::with_tls(config, None).await
    }

    pub(crate) async fn with_tls(config: Config, tls: Option<TlsConfig>) -> Self {
        Self::start_with(config, AcceptOptions::default().deflate, tls).await
    }

    /// One that compresses that way.
    pub(crate) async fn start_with(
        config: Config,
        deflate: Option<DeflateConfig>,
        tls: Option<TlsConfig>,
    ) -> Self {
        let (give, accepted) = mpsc::unbounded_channel();
        let listener = Listener::bind("127.0.0.1:0", tls).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            loop {
                let incoming = listener.accept().await.unwrap();
                let (config, give) = (config.clone(), give.clone());
                tokio::spawn(serve_connection(
                    incoming,
                    ServeOptions::default(),
                    move |request| {
                        std::future::ready(accept_upgrade(
                            request,
                            config.clone(),
                            deflate,
                            give.clone(),
                        ))
                    },
                ));
            }
        });
        Self {
            address,
            accepted,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    pub(crate) async fn next(&mut self) -> WebSocket {
        soon(self.accepted.recv()).await.expect("a connection")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn accept_upgrade(
    mut request: server::Request,
    config: Config,
    deflate: Option<DeflateConfig>,
    give: mpsc::UnboundedSender<WebSocket>,
) -> Reply {
    let options = AcceptOptions {
        config: config.into(),
        deflate,
        ..AcceptOptions::default()
    };
    let (reply, socket) = request.upgrade().unwrap().accept(options).unwrap();
    tokio::spawn(async move {
        if let Ok(socket) = socket.await {
            let _ = give.send(socket);
        }
    });
    reply
}

/// Dials with these settings.
pub(crate) async fn dial(url: &str, config: Config) -> WebSocket {
    let dialed = soon(Connector::new().config(config).connect(&Request::new(url))).await;
    dialed.unwrap_or_else(|error| panic!("{url}: {error}")).0
}

/// Both ends of a connection: client, server.
pub(crate) async fn pair(client: Config, server: Config) -> (WebSocket, WebSocket) {
    let mut server = Server::start(server).await;
    let client = dial(&server.url(), client).await;
    let server = server.next().await;
    (client, server)
}

/// Both ends of a connection that may be compressed: client, server.
pub(crate) async fn pair_with(
    offers: Vec<DeflateConfig>,
    accepts: Option<DeflateConfig>,
) -> (WebSocket, WebSocket) {
    let mut server = Server::start_with(quiet(), accepts, None).await;
    let request = Request {
        deflate: offers,
        ..Request::new(server.url())
    };
    let connector = Connector::new().config(quiet());
    let (client, _) = soon(connector.connect(&request))
        .await
        .expect("the server accepts");
    let server = server.next().await;
    (client, server)
}

/// Settings without clocks of their own.
pub(crate) fn quiet() -> Config {
    Config {
        ping_interval: None,
        ..Config::default()
    }
}

/// Whether a future has to wait now. It is dropped then.
pub(crate) async fn is_pending<F: Future>(future: F) -> bool {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}
