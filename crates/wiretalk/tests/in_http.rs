//! WebSockets inside the HTTP servers of others: axum's extractors, and a tower service.

use std::{future::Future, net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::ConnectInfo,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use wiretalk::{
    Connector, DeflateConfig, Error, Request, WebSocket,
    axum::{MaybeUpgrade, WebSocketUpgrade},
    server::Origins,
    tower::UpgradeLayer,
};

async fn soon<T>(future: impl Future<Output = T>) -> T {
    let future = timeout(Duration::from_secs(20), future);
    future.await.expect("in time")
}

/// An axum server, which ends when it is dropped.
struct Served {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(app: Router) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let task = tokio::spawn(async move {
        axum::serve(listener, app).await.expect("it serves");
    });
    Served { address, task }
}

impl Served {
    /// The whole answer to a request of these lines.
    async fn ask(&self, lines: &[&str]) -> String {
        let mut stream = TcpStream::connect(self.address)
            .await
            .expect("a connection");
        let request = format!(
            "{}\r\nHost: {}\r\nConnection: close\r\n\r\n",
            lines.join("\r\n"),
            self.address
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        soon(stream.read_to_string(&mut answer))
            .await
            .expect("an answer");
        answer.to_ascii_lowercase()
    }

    async fn connect(
        &self,
        path: &str,
        change: impl FnOnce(&mut Request),
    ) -> Result<WebSocket, Error> {
        let mut request = Request::new(format!("ws://{}{path}", self.address));
        change(&mut request);
        soon(Connector::new().connect(&request))
            .await
            .map(|(socket, _)| socket)
    }
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let known = format!(
            "{:?} {:?}",
            socket.subprotocol(),
            socket.peer_addr().is_some()
        );
        let text = message.as_text().map(str::to_owned).unwrap_or_default();
        if socket.send(format!("{text} {known}")).await.is_err() {
            break;
        }
    }
}

async fn only(upgrade: WebSocketUpgrade, ConnectInfo(peer): ConnectInfo<SocketAddr>) -> Response {
    upgrade
        .origins(Origins::list(["https://app.example"]).expect("origins"))
        .subprotocols(["v2", "v1"])
        .message_size(100)
        .peer_addr(peer)
        .on_upgrade(echo)
}

async fn both(request: MaybeUpgrade) -> Response {
    let is_websocket = request.is_websocket();
    match request.upgrade() {
        Some(upgrade) => upgrade.compression(None).on_upgrade(echo),
        None => format!("plain, {is_websocket}").into_response(),
    }
}

async fn optional(upgrade: Option<WebSocketUpgrade>) -> Response {
    match upgrade {
        Some(upgrade) => upgrade.on_upgrade(echo),
        None => "none".into_response(),
    }
}

fn app() -> Router {
    Router::new()
        .route("/only", any(only))
        .route("/both", any(both))
        .route("/optional", any(optional))
}

fn layered() -> Router {
    let layer = UpgradeLayer::new(async |socket, request| {
        if request.uri.path() == "/only" {
            echo(socket).await;
        }
    });
    let origins = Origins::list(["https://app.example"]).expect("origins");
    let layer = layer
        .origins(origins)
        .subprotocols(["v2", "v1"])
        .message_size(100);
    Router::new()
        .route("/only", get(async || "a page"))
        .layer(layer.compression(DeflateConfig::default()))
}

#[tokio::test]
async fn a_handshake_is_accepted_under_the_policy() {
    for (app, knows_peer) in [(app(), true), (layered(), false)] {
        let served = serve(app).await;
        let mut socket = served
            .connect("/only", |request| {
                request.subprotocols = vec!["v1".to_owned(), "v2".to_owned()];
                request.origin = Some("https://app.example".to_owned());
                request.deflate = vec![DeflateConfig::default()];
            })
            .await
            .expect("let in");
        assert_eq!(socket.subprotocol(), Some("v2"));
        assert!(socket.deflate().is_some());
        socket.send("hi").await.expect("sent");
        let answer = soon(socket.recv())
            .await
            .expect("an answer")
            .expect("no error");
        assert_eq!(
            answer.as_text(),
            Some(format!("hi Some(\"v2\") {knows_peer}").as_str())
        );
        socket.send("x".repeat(101)).await.expect("sent");
        assert!(soon(socket.recv()).await.is_none());
        assert_eq!(
            socket.close_frame().map(|frame| frame.code.as_u16()),
            Some(1009)
        );

        let evil = served.connect("/only", |request| {
            request.origin = Some("https://evil.example".to_owned());
        });
        let error = evil.await.expect_err("a refusal");
        assert_eq!(
            error.refusal().map(|refusal| refusal.response.status),
            Some(403)
        );
    }
}

#[tokio::test]
async fn what_is_no_handshake_is_refused_as_the_rfc_wants() {
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let served = serve(app()).await;
    let layered = serve(layered()).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1");
    for (path, lines, status, has) in [
        ("/only", &[][..], 426, "\r\nupgrade: websocket\r\n"),
        ("/both", &[], 200, "plain, false"),
        ("/optional", &[], 200, "none"),
        (
            "/only",
            &[
                "Upgrade: websocket",
                "Connection: upgrade",
                "Sec-WebSocket-Version: 12",
                KEY,
            ],
            426,
            "\r\nsec-websocket-version: 13\r\n",
        ),
        (
            "/both",
            &[
                "Upgrade: websocket",
                "Connection: upgrade",
                "Sec-WebSocket-Version: 12",
                KEY,
            ],
            426,
            "\r\nsec-websocket-version: 13\r\n",
        ),
        (
            "/optional",
            &[
                "Upgrade: websocket",
                "Connection: upgrade",
                "Sec-WebSocket-Version: 13",
            ],
            400,
            "sec-websocket-key",
        ),
        (
            "/both",
            &[
                "Upgrade: websocket",
                "Connection: upgrade",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: short",
            ],
            400,
            "sec-websocket-key",
        ),
        (
            "/only",
            &["Upgrade: h2c", "Connection: upgrade"],
            426,
            "\r\nupgrade: websocket\r\n",
        ),
    ] {
        let request = get(path);
        let mut request = vec![request.as_str()];
        request.extend(lines);
        let answer = served.ask(&request).await;
        assert!(
            answer.starts_with(&format!("http/1.1 {status} ")),
            "{request:?}: {answer}"
        );
        assert!(answer.contains(has), "{request:?}: {answer}");
        // The service refuses the same, but lets plain requests through.
        if lines.len() == 4 {
            let answer = layered.ask(&request).await;
            assert!(
                answer.starts_with(&format!("http/1.1 {status} ")),
                "{request:?}: {answer}"
            );
        }
    }
    let page = layered.ask(&["GET /only HTTP/1.1"]).await;
    assert!(page.ends_with("a page"), "{page}");
}

#[tokio::test]
async fn plain_requests_and_websockets_share_a_route() {
    let served = serve(app()).await;
    for path in ["/both", "/optional"] {
        let mut socket = served.connect(path, |_| {}).await.expect("let in");
        socket.send("hi").await.expect("sent");
        let answer = soon(socket.recv())
            .await
            .expect("an answer")
            .expect("no error");
        assert_eq!(answer.as_text(), Some("hi None false"));
        let answer = served.ask(&[&format!("GET {path} HTTP/1.1")]).await;
        assert!(answer.starts_with("http/1.1 200 "), "{answer}");
        // Without a list, a page of another place is kept out.
        let evil = served.connect(path, |request| {
            request.origin = Some("https://evil.example".to_owned());
        });
        assert!(evil.await.is_err());
        let own = format!("http://{}", served.address);
        served
            .connect(path, |request| request.origin = Some(own))
            .await
            .expect("let in");
    }
}

/// Over HTTP/2 a handshake is an extended CONNECT (RFC 8441), and the frames are those of RFC 6455.
#[tokio::test]
async fn a_handshake_over_http2_is_an_extended_connect() {
    for app in [app(), layered()] {
        let served = serve(app).await;
        let stream = TcpStream::connect(served.address)
            .await
            .expect("a connection");
        let (client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        let connection = tokio::spawn(connection);
        let mut client = soon(client.ready()).await.expect("a stream");
        soon(async {
            while !client.is_extended_connect_protocol_enabled() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        for (origin, status) in [("https://app.example", 200), ("https://evil.example", 403)] {
            let mut request = http::Request::builder()
                .method("CONNECT")
                .uri(format!("http://{}/only", served.address))
                .header("sec-websocket-version", "13")
                .header("sec-websocket-protocol", "v1")
                .header("origin", origin)
                .body(())
                .expect("a request");
            let protocol = h2::ext::Protocol::from_static("websocket");
            request.extensions_mut().insert(protocol);
            let (answer, mut frames) = client.send_request(request, false).expect("sent");
            let answer = soon(answer).await.expect("an answer");
            assert_eq!(answer.status(), status, "{origin}");
            if status != 200 {
                continue;
            }
            assert_eq!(
                answer
                    .headers()
                    .get("sec-websocket-protocol")
                    .expect("agreed"),
                "v1"
            );
            // "hi", masked with a key of zeros.
            let hi = b"\x81\x82\0\0\0\0hi";
            frames.send_data(hi[..].into(), false).expect("sent");
            let mut body = answer.into_body();
            let mut came = Vec::new();
            while came.len() < 3 || came.len() < 2 + usize::from(came[1]) {
                let data = soon(body.data()).await.expect("a frame").expect("no error");
                came.extend_from_slice(&data);
            }
            assert_eq!(came[0], 0x81);
            assert!(came[2..].starts_with(b"hi Some(\"v1\") "), "{came:?}");
            // A close frame is answered with one, and ends the stream.
            frames
                .send_data(b"\x88\x82\0\0\0\0\x03\xe8"[..].into(), false)
                .expect("sent");
            let close = soon(body.data()).await.expect("a frame").expect("no error");
            assert_eq!(&close[..], b"\x88\x02\x03\xe8");
            while let Some(data) = soon(body.data()).await {
                // What ends the stream may be a frame without data.
                assert_eq!(data.expect("no error"), b""[..]);
            }
        }
        connection.abort();
    }
}
