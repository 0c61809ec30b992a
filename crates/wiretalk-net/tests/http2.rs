//! WebSocket over HTTP/2 (RFC 8441): our client and our server, each also against a bare HTTP/2 of the other side.

mod common;

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use common::{is_pending, ms, quiet, soon};
use h2::{Reason, ext::Protocol};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;
use wiretalk_net::{
    Config, Connector, DeflateConfig, Error, ErrorKind, Event, Handshake, Http2, Request,
    TlsOptions, WebSocket,
    server::{
        self, AcceptOptions, Listener, RefusalKind, Reply, ServeOptions, TlsConfig,
        serve_connection,
    },
};

type Sockets = mpsc::UnboundedReceiver<Result<WebSocket, Error>>;

/// Serves each connection in its own task; the sockets are handed out.
struct Server {
    address: SocketAddr,
    secure: bool,
    sockets: Sockets,
    /// How each connection ended.
    ends: mpsc::UnboundedReceiver<Result<(), Error>>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(secure: bool, options: ServeOptions) -> Self {
        let tls = secure.then(|| {
            let (certificate, key) = certificate();
            TlsConfig::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap()
        });
        let listener = Listener::bind("127.0.0.1:0", tls).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (give, sockets) = mpsc::unbounded_channel();
        let (told, ends) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let incoming = listener.accept().await.unwrap();
                let (give, told, options) = (give.clone(), told.clone(), options.clone());
                connections.spawn(async move {
                    let handler = |request| std::future::ready(answer(request, give.clone()));
                    let _ = told.send(serve_connection(incoming, options, handler).await);
                });
            }
        });
        Self {
            address,
            secure,
            sockets,
            ends,
            task,
        }
    }

    fn url(&self, path: &str) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        format!("{scheme}://{}{path}", self.address)
    }

    async fn next(&mut self) -> WebSocket {
        soon(self.sockets.recv()).await.unwrap().unwrap()
    }

    async fn dial(&self, path: &str) -> Result<(WebSocket, Handshake), Error> {
        dial(Request::new(self.url(path)), Http2::Only).await
    }

    async fn pair(&mut self) -> (WebSocket, WebSocket) {
        let (client, _) = self.dial("/").await.unwrap();
        (client, self.next().await)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn certificate() -> (String, String) {
    let names = vec!["127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

fn answer(
    mut request: server::Request,
    give: mpsc::UnboundedSender<Result<WebSocket, Error>>,
) -> Reply {
    let upgrade = match request.upgrade() {
        Ok(upgrade) => upgrade,
        Err(refusal) if *refusal.kind() == RefusalKind::NotUpgrade => {
            let text = format!("{} over {:?}", request.uri.path(), request.version());
            return Reply::text(200, text);
        }
        Err(refusal) => return Reply::from(refusal),
    };
    if request.uri.path() == "/refused" {
        let reply = Reply::text(403, "not for you").header("why", "because");
        return reply.unwrap();
    }
    let subprotocol = upgrade.subprotocols().last().map(str::to_owned);
    let options = AcceptOptions {
        subprotocol,
        config: quiet().into(),
        ..AcceptOptions::default()
    };
    let (reply, socket) = upgrade.accept(options).unwrap();
    tokio::spawn(async move { give.send(socket.await) });
    match request.uri.path() {
        "/other" => Reply::text(404, "something else"),
        _ => reply,
    }
}

async fn dial(request: Request, http2: Http2) -> Result<(WebSocket, Handshake), Error> {
    let connector = Connector::new()
        .config(quiet())
        .tls(TlsOptions::new().insecure(true))
        .http2(http2);
    soon(connector.connect(&request)).await
}

async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await {
        socket.send(message?).await?;
    }
    Ok(())
}

/// Bytes that do not compress to nothing.
fn payload(size: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8 & 0x3f
    };
    (0..size).map(|_| next()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_all_sizes_go_both_ways() {
    const SIZES: [usize; 9] = [0, 1, 125, 126, 16_384, 65_535, 65_536, 1 << 20, 16 << 20];
    for secure in [false, true] {
        for deflate in [vec![], vec![DeflateConfig::default()]] {
            let mut server = Server::start(secure, ServeOptions::default()).await;
            let request = Request {
                deflate: deflate.clone(),
                ..Request::new(server.url("/"))
            };
            let (mut client, handshake) = dial(request, Http2::Only).await.unwrap();
            assert_eq!(handshake.http_version, http::Version::HTTP_2);
            assert_eq!(handshake.response.status, 200);
            assert_eq!(client.peer_addr(), Some(server.address));
            let accepted = server.next().await;
            assert_eq!(accepted.peer_addr(), client.local_addr());
            assert_eq!(client.deflate().is_some(), !deflate.is_empty());
            assert_eq!(client.deflate(), accepted.deflate());
            let echoing = tokio::spawn(echo(accepted));
            for size in SIZES {
                let payload = payload(size);
                client.send(payload.clone()).await.unwrap();
                let came = soon(client.recv()).await.unwrap().unwrap();
                assert!(came.as_bytes() == payload, "{size} bytes, TLS: {secure}");
            }
            client.ping(b"are you there").await.unwrap();
            let event = soon(client.next_event()).await.unwrap().unwrap();
            assert!(matches!(event, Event::Pong(payload) if &payload[..] == b"are you there"));
            client.close(None, "").await.unwrap();
            while let Some(event) = soon(client.next_event()).await.unwrap() {
                assert!(matches!(event, Event::Close(_)), "{event:?}");
            }
            soon(echoing).await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn large_messages_cross_and_a_slow_reader_slows_the_sender() {
    let mut server = Server::start(false, ServeOptions::default()).await;
    let (client, accepted) = server.pair().await;
    let (client_sends, mut client_receives) = client.split();
    let (server_sends, mut server_receives) = accepted.split();
    let large = payload(8 << 20);
    // More than all the windows between them hold: neither is done before the other reads.
    let sending = tokio::spawn({
        let large = large.clone();
        async move { client_sends.send(large).await.map(|()| client_sends) }
    });
    let answering = tokio::spawn({
        let large = large.clone();
        async move { server_sends.send(large).await.map(|()| server_sends) }
    });
    assert!(
        is_pending(async {
            while !sending.is_finished() {
                tokio::task::yield_now().await;
            }
        })
        .await
    );
    let (to_server, to_client) =
        soon(async { tokio::join!(server_receives.recv(), client_receives.recv()) }).await;
    assert!(to_server.unwrap().unwrap().as_bytes() == large);
    assert!(to_client.unwrap().unwrap().as_bytes() == large);
    soon(sending).await.unwrap().unwrap();
    soon(answering).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_was_agreed_and_what_was_refused_is_told() {
    for secure in [false, true] {
        let mut server = Server::start(secure, ServeOptions::default()).await;
        let request = Request {
            subprotocols: vec!["a".to_owned(), "b".to_owned()],
            headers: vec![("X-Me".to_owned(), "it is".to_owned())],
            origin: Some("https://example.com".to_owned()),
            ..Request::new(server.url("/?a=b"))
        };
        let (client, handshake) = dial(request, Http2::Only).await.unwrap();
        assert_eq!(handshake.response.subprotocol.as_deref(), Some("b"));
        assert_eq!(client.subprotocol(), Some("b"));
        assert_eq!(server.next().await.subprotocol(), Some("b"));

        let error = server.dial("/refused").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Handshake);
        assert_eq!(error.to_string(), "the server answered 403 instead of 200");
        let refusal = error.refusal().unwrap();
        assert_eq!(refusal.response.status, 403);
        assert_eq!(refusal.response.headers.get("Why"), Some(&b"because"[..]));
        assert_eq!(&refusal.body[..], b"not for you");
        assert!(!refusal.truncated);

        let error = server.dial("/other").await.unwrap_err();
        assert_eq!(error.refusal().unwrap().response.status, 404);
        let error = soon(server.sockets.recv()).await.unwrap().unwrap_err();
        assert!(error.to_string().contains("something else"), "{error}");
    }
}

/// What of HTTP/2 is wanted, what the server does, and what comes of it.
#[tokio::test]
async fn without_http2_it_is_http1_or_a_clear_error() {
    let no_http2 = ServeOptions {
        http2: false,
        ..ServeOptions::default()
    };
    for (secure, options, http2, version) in [
        (
            true,
            ServeOptions::default(),
            Http2::Off,
            http::Version::HTTP_11,
        ),
        (
            true,
            ServeOptions::default(),
            Http2::Prefer,
            http::Version::HTTP_2,
        ),
        (
            true,
            no_http2.clone(),
            Http2::Prefer,
            http::Version::HTTP_11,
        ),
        (
            false,
            ServeOptions::default(),
            Http2::Off,
            http::Version::HTTP_11,
        ),
        (
            false,
            ServeOptions::default(),
            Http2::Prefer,
            http::Version::HTTP_11,
        ),
        (
            false,
            ServeOptions::default(),
            Http2::Only,
            http::Version::HTTP_2,
        ),
    ] {
        let mut server = Server::start(secure, options).await;
        let (mut client, handshake) = dial(Request::new(server.url("/")), http2).await.unwrap();
        assert_eq!(handshake.http_version, version, "{secure} {http2:?}");
        let echoing = tokio::spawn(echo(server.next().await));
        client.send("hello").await.unwrap();
        let came = soon(client.recv()).await.unwrap().unwrap();
        assert_eq!(came.as_text(), Some("hello"));
        client.close(None, "").await.unwrap();
        while soon(client.next_event()).await.unwrap().is_some() {}
        soon(echoing).await.unwrap().unwrap();
    }
    let server = Server::start(true, no_http2.clone()).await;
    let error = server.dial("/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    let server = Server::start(false, no_http2).await;
    let error = server.dial("/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Http2, "{error}");
    assert!(
        error.to_string().contains("does not speak HTTP/2"),
        "{error}"
    );
}

#[tokio::test]
async fn an_abort_resets_the_stream_and_a_drop_ends_it() {
    for secure in [false, true] {
        let mut server = Server::start(secure, ServeOptions::default()).await;
        let kind = |error: &Error| (error.kind(), error.to_string());
        let reset = "the connection was reset: the peer reset the stream with CANCEL";

        let (mut client, accepted) = server.pair().await;
        accepted.abort();
        let error = soon(client.recv()).await.unwrap().unwrap_err();
        assert_eq!(kind(&error), (ErrorKind::Reset, reset.to_owned()));
        assert!(soon(client.recv()).await.is_none());

        let (client, mut accepted) = server.pair().await;
        client.abort();
        let error = soon(accepted.recv()).await.unwrap().unwrap_err();
        assert_eq!(kind(&error), (ErrorKind::Reset, reset.to_owned()));

        let (mut client, accepted) = server.pair().await;
        drop(accepted);
        let error = soon(client.recv()).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Abnormal, "{error}");

        let (client, mut accepted) = server.pair().await;
        drop(client);
        let error = soon(accepted.recv()).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Abnormal, "{error}");
        // The connections of clients that went away have ended without a complaint.
        for _ in 0..2 {
            soon(server.ends.recv()).await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_sent_before_a_drop_still_arrives() {
    let mut server = Server::start(false, ServeOptions::default()).await;
    let large = payload(200_000);
    let (mut client, mut accepted) = server.pair().await;
    client.send(large.clone()).await.unwrap();
    drop(client);
    let came = soon(accepted.recv()).await.unwrap().unwrap();
    assert!(came.as_bytes() == large);

    let (mut client, mut accepted) = server.pair().await;
    accepted.send(large.clone()).await.unwrap();
    drop(accepted);
    let came = soon(client.recv()).await.unwrap().unwrap();
    assert!(came.as_bytes() == large);
}

/// A server of bare HTTP/2 that does `act` with the first connection.
async fn bare_server<F, T>(
    act: impl FnOnce(h2::server::Connection<TcpStream, Bytes>) -> F + Send + 'static,
    connect: bool,
) -> String
where
    F: Future<Output = T> + Send,
    T: Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut builder = h2::server::Builder::new();
        if connect {
            builder.enable_connect_protocol();
        }
        act(builder.handshake(tcp).await.unwrap()).await;
    });
    url
}

#[tokio::test]
async fn a_server_that_wants_http1_for_it_is_asked_so() {
    let mut behind = Server::start(
        true,
        ServeOptions {
            http2: false,
            ..ServeOptions::default()
        },
    )
    .await;
    let address = behind.address;
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}/", front.local_addr().unwrap());
    tokio::spawn(async move {
        let (tcp, _) = front.accept().await.unwrap();
        let (certificate, key) = certificate();
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let tls = TlsAcceptor::from(Arc::new(config))
            .accept(tcp)
            .await
            .unwrap();
        let mut connection = h2::server::Builder::new()
            .enable_connect_protocol()
            .handshake::<_, Bytes>(tls)
            .await
            .unwrap();
        let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
        respond.send_reset(Reason::HTTP_1_1_REQUIRED);
        while connection.accept().await.is_some() {}
        let (mut tcp, _) = front.accept().await.unwrap();
        let mut server = TcpStream::connect(address).await.unwrap();
        let _ = copy_bidirectional(&mut tcp, &mut server).await;
    });
    let (mut client, handshake) = dial(Request::new(url), Http2::Prefer).await.unwrap();
    assert_eq!(handshake.http_version, http::Version::HTTP_11);
    client.send("hello").await.unwrap();
    let came = soon(behind.next().await.recv()).await.unwrap().unwrap();
    assert_eq!(came.as_text(), Some("hello"));
}

/// Ways in which a server does not answer: what it does with the stream, what the error says.
#[tokio::test]
async fn streams_that_are_not_answered_are_told_apart() {
    type Respond = h2::server::SendResponse<Bytes>;
    type Answer = fn(Respond);
    let cases: [(Answer, &str); 4] = [
        (
            |mut respond| respond.send_reset(Reason::REFUSED_STREAM),
            "no answer to the handshake came over HTTP/2: the server reset the stream with REFUSED_STREAM: it did nothing about it, so it may be tried again",
        ),
        (
            |mut respond| respond.send_reset(Reason::PROTOCOL_ERROR),
            "no answer to the handshake came over HTTP/2: the server reset the stream with PROTOCOL_ERROR",
        ),
        (
            |mut respond| respond.send_reset(Reason::HTTP_1_1_REQUIRED),
            "no answer to the handshake came over HTTP/2: the server reset the stream with HTTP_1_1_REQUIRED: it wants HTTP/1.1",
        ),
        (
            |mut respond| respond.send_reset(Reason::CANCEL),
            "no answer to the handshake came over HTTP/2: the server reset the stream with CANCEL",
        ),
    ];
    for (act, expected) in cases {
        let url = bare_server(
            move |mut connection| async move {
                let (_request, respond) = connection.accept().await.unwrap().unwrap();
                act(respond);
                connection.accept().await.is_none()
            },
            true,
        )
        .await;
        let error = dial(Request::new(url), Http2::Only).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::Http2, expected)
        );
        assert!(error.refusal().is_none());
    }
}

#[tokio::test]
async fn a_connection_that_ends_before_the_answer_is_told() {
    let url = bare_server(
        |mut connection| async move {
            let _stream = connection.accept().await.unwrap().unwrap();
            connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            while connection.accept().await.is_some() {}
        },
        true,
    )
    .await;
    let error = dial(Request::new(url), Http2::Only).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Http2);
    let text = error.to_string();
    assert!(text.contains("GOAWAY ENHANCE_YOUR_CALM"), "{text}");

    let url = bare_server(
        |mut connection| async move { drop(connection.accept().await) },
        true,
    )
    .await;
    let error = dial(Request::new(url), Http2::Only).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Http2, "{error}");

    let url = bare_server(
        |mut connection| async move { connection.accept().await.is_none() },
        false,
    )
    .await;
    let error = dial(Request::new(url), Http2::Only).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Http2);
    let text = error.to_string();
    assert!(text.contains("SETTINGS_ENABLE_CONNECT_PROTOCOL"), "{text}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_late() {
    let url = bare_server(
        |mut connection| async move {
            let stream = connection.accept().await;
            connection.accept().await.is_none() && stream.is_some()
        },
        true,
    )
    .await;
    let connector = Connector::new()
        .config(Config {
            handshake_timeout: ms(200),
            ..quiet()
        })
        .http2(Http2::Only);
    let error = soon(connector.connect(&Request::new(url)))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let text = error.to_string();
    assert!(
        text.contains("did not answer the opening handshake over HTTP/2"),
        "{text}"
    );
}

#[tokio::test]
async fn a_stream_that_the_server_half_closes_ends_without_a_close_frame() {
    let url = bare_server(
        |mut connection| async move {
            let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
            let mut send = respond
                .send_response(http::Response::new(()), false)
                .unwrap();
            send.send_data(Bytes::from_static(b"\x81\x02hi"), true)
                .unwrap();
            connection.accept().await.is_none()
        },
        true,
    )
    .await;
    let (mut client, _) = dial(Request::new(url), Http2::Only).await.unwrap();
    let came = soon(client.recv()).await.unwrap().unwrap();
    assert_eq!(came.as_text(), Some("hi"));
    let error = soon(client.recv()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Abnormal);
}

/// A client of bare HTTP/2, whose connection goes on by itself.
async fn bare_client(server: &Server) -> h2::client::SendRequest<Bytes> {
    let tcp = TcpStream::connect(server.address).await.unwrap();
    let (sender, connection) = h2::client::Builder::new()
        .initial_max_send_streams(0)
        // One frame each of a thousand streams is more than it takes by itself.
        .data_frame_budget(1 << 24)
        .handshake(tcp)
        .await
        .unwrap();
    tokio::spawn(connection);
    soon(async {
        while !sender.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    sender.ready().await.unwrap()
}

fn extended_connect(path: &str) -> http::Request<()> {
    let mut request = http::Request::connect(format!("http://h{path}"))
        .version(http::Version::HTTP_2)
        .header("sec-websocket-version", "13")
        .body(())
        .unwrap();
    let protocol = Protocol::from_static("websocket");
    request.extensions_mut().insert(protocol);
    request
}

#[tokio::test]
async fn one_connection_carries_a_thousand_websockets() {
    const STREAMS: usize = 1000;
    /// `Hello`, masked, of RFC 6455 5.7.
    const HELLO: [u8; 11] = [
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ];
    let mut server = Server::start(false, ServeOptions::default()).await;
    let mut sender = bare_client(&server).await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let sent = sender.send_request(extended_connect("/"), false).unwrap();
        streams.push(sent);
        sender = sender.ready().await.unwrap();
    }
    let mut echoing = JoinSet::new();
    for _ in 0..STREAMS {
        echoing.spawn(echo(server.next().await));
    }
    let mut open = Vec::new();
    for (response, mut frames) in streams {
        let response = soon(response).await.unwrap();
        assert_eq!(response.status(), 200);
        frames.send_data(Bytes::from_static(&HELLO), false).unwrap();
        open.push((response.into_body(), frames));
    }
    for (answers, _) in &mut open {
        let mut came = Vec::new();
        while came.len() < 7 {
            came.extend_from_slice(&soon(answers.data()).await.unwrap().unwrap());
        }
        assert_eq!(came, b"\x81\x05Hello");
    }
    drop((open, sender));
    while let Some(ended) = soon(echoing.join_next()).await {
        let kind = ended.unwrap().unwrap_err().kind();
        assert!(
            matches!(kind, ErrorKind::Reset | ErrorKind::Abnormal),
            "{kind:?}"
        );
    }
    soon(server.ends.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn plain_requests_are_answered_beside_websockets() {
    let server = Server::start(false, ServeOptions::default()).await;
    let mut sender = bare_client(&server).await;
    for (method, body) in [("GET", &b"/page over HTTP/2.0"[..]), ("HEAD", b"")] {
        let request = http::Request::builder()
            .method(method)
            .uri("http://h/page")
            .body(())
            .unwrap();
        let (response, _) = sender.send_request(request, true).unwrap();
        let response = soon(response).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-length"], "19");
        assert!(response.headers().contains_key("date"));
        let mut came = Vec::new();
        let mut answer = response.into_body();
        while let Some(data) = soon(answer.data()).await {
            came.extend_from_slice(&data.unwrap());
        }
        assert_eq!(came, body);
    }
    // A body that nobody reads is not waited for.
    let request = http::Request::post("http://h/page").body(()).unwrap();
    let (response, _body) = sender.send_request(request, false).unwrap();
    assert_eq!(soon(response).await.unwrap().status(), 200);

    // HTTP/1.1 on the same port, even in pieces.
    let mut tcp = TcpStream::connect(server.address).await.unwrap();
    tcp.write_all(b"P").await.unwrap();
    tokio::task::yield_now().await;
    tcp.write_all(
        b"UT /page HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    )
    .await
    .unwrap();
    let mut answer = String::new();
    soon(tcp.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.ends_with("/page over HTTP/1.1"), "{answer}");
}

#[tokio::test]
async fn a_connection_without_streams_ends_after_a_while_and_one_with_a_websocket_stays() {
    let options = ServeOptions {
        handshake_timeout: ms(100),
        ..ServeOptions::default()
    };
    let mut server = Server::start(false, options).await;
    let idle = bare_client(&server).await;
    soon(server.ends.recv()).await.unwrap().unwrap();
    drop(idle);

    let (mut client, mut accepted) = server.pair().await;
    assert!(is_pending(server.ends.recv()).await);
    tokio::time::sleep(Duration::from_millis(300)).await;
    client.send("still here").await.unwrap();
    let came = soon(accepted.recv()).await.unwrap().unwrap();
    assert_eq!(came.as_text(), Some("still here"));
}

#[tokio::test]
async fn the_options_of_the_server_hold_for_http2() {
    let options = ServeOptions {
        handshake_timeout: Duration::MAX,
        head_size: 1024,
        ..ServeOptions::default()
    };
    let server = Server::start(false, options).await;
    let mut sender = bare_client(&server).await;
    for (length, status) in [(100, 200), (2000, 431)] {
        let request = http::Request::get("http://h/page")
            .header("x", "y".repeat(length))
            .body(())
            .unwrap();
        let (response, _) = sender.send_request(request, true).unwrap();
        assert_eq!(soon(response).await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn a_client_that_breaks_the_rules_of_http2_is_told_off() {
    let mut server = Server::start(false, ServeOptions::default()).await;
    let mut tcp = TcpStream::connect(server.address).await.unwrap();
    tcp.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    // Settings, then a frame of data on stream 0 (RFC 9113 6.1).
    tcp.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    tcp.write_all(&[0, 0, 1, 0, 0, 0, 0, 0, 0, 7])
        .await
        .unwrap();
    let error = soon(server.ends.recv()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Http2, "{error}");
    assert!(error.to_string().contains("PROTOCOL_ERROR"), "{error}");
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_what_is_left_is_left() {
    let listener = Listener::bind("127.0.0.1:0", None).await.unwrap();
    let mut tcp = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let options = ServeOptions {
        handshake_timeout: ms(100),
        ..ServeOptions::default()
    };
    let incoming = listener.accept().await.unwrap();
    let page = async |_| Reply::new(200).body(vec![0; 64 << 20]);
    let served = serve_connection(incoming, options, page);
    // Windows for all of it, and a GET of `/` as below.
    let mut wire = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    wire.extend_from_slice(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff]);
    wire.extend_from_slice(&[0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0, 0, 0]);
    wire.extend_from_slice(&[0, 0, 3, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84]);
    tcp.write_all(&wire).await.unwrap();
    soon(served).await.unwrap();
}

/// CVE-2023-44487.
#[tokio::test]
async fn a_client_that_resets_streams_rapidly_is_sent_away() {
    let mut server = Server::start(false, ServeOptions::default()).await;
    let mut tcp = TcpStream::connect(server.address).await.unwrap();
    let mut wire = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    wire.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
    for stream in (1..10_000u32).step_by(2) {
        // HEADERS that end the head, with `:method: GET`, `:scheme: http` and `:path: /` of the static table; RST_STREAM
        // with CANCEL.
        wire.extend_from_slice(&[0, 0, 3, 1, 4]);
        wire.extend_from_slice(&stream.to_be_bytes());
        wire.extend_from_slice(&[0x82, 0x86, 0x84]);
        wire.extend_from_slice(&[0, 0, 4, 3, 0]);
        wire.extend_from_slice(&stream.to_be_bytes());
        wire.extend_from_slice(&[0, 0, 0, 8]);
    }
    // It may be gone before all is written.
    let _ = tcp.write_all(&wire).await;
    let error = soon(server.ends.recv()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Http2, "{error}");
    assert!(error.to_string().contains("ENHANCE_YOUR_CALM"), "{error}");
}
