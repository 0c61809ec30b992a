//! WebSockets out of an HTTP server that others run: hyper, over HTTP/1.1.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::mpsc,
    task::JoinHandle,
};
use wiretalk_net::{
    DeflateConfig, ErrorKind, Event, Request, WebSocket, connect,
    server::{AcceptOptions, RefusalKind, Reply, Upgrade},
};

/// What the servers of this file do with a connection.
type Accepted = mpsc::UnboundedReceiver<Result<WebSocket, wiretalk_net::Error>>;

/// Answers one request as `path` asks for; sockets that come of it are told of.
async fn service<B>(
    request: http::Request<B>,
    sockets: mpsc::UnboundedSender<Result<WebSocket, wiretalk_net::Error>>,
    peer: SocketAddr,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let (mut parts, _) = request.into_parts();
    let upgrade = match Upgrade::from_parts(&mut parts) {
        Ok(upgrade) => upgrade,
        Err(refusal) if *refusal.kind() == RefusalKind::NotUpgrade => {
            return Ok(Reply::text(200, "plain").into_http());
        }
        Err(refusal) => return Ok(Reply::from(refusal).into_http()),
    };
    if parts.uri.path() == "/twice" {
        let refusal = Upgrade::from_parts(&mut parts).unwrap_err();
        assert_eq!(*refusal.kind(), RefusalKind::NotUpgradable);
        return Ok(Reply::from(refusal).into_http());
    }
    let subprotocol = upgrade.subprotocols().next().map(str::to_owned);
    let upgrade = match parts.uri.path() {
        "/address" => upgrade.peer_addr(peer).local_addr(peer),
        _ => upgrade,
    };
    let (reply, socket) = upgrade
        .accept(AcceptOptions {
            subprotocol,
            ..AcceptOptions::default()
        })
        .unwrap();
    tokio::spawn(async move { sockets.send(socket.await) });
    Ok(match parts.uri.path() {
        "/other" => Reply::text(403, "not for you").into_http(),
        _ => reply.into_http(),
    })
}

/// Serves over plain TCP streams, or over streams whose type nobody can know.
async fn server(hidden: bool) -> (String, Accepted, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (sender, sockets) = mpsc::unbounded_channel();
    let task = tokio::spawn(async move {
        while let Ok((tcp, peer)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                if hidden {
                    serve(Hidden(tcp), sender, peer).await;
                } else {
                    serve(tcp, sender, peer).await;
                }
            });
        }
    });
    (url, sockets, task)
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    sockets: mpsc::UnboundedSender<Result<WebSocket, wiretalk_net::Error>>,
    peer: SocketAddr,
) {
    let service = service_fn(|request| service(request, sockets.clone(), peer));
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

/// A stream of a type of its own.
struct Hidden<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for Hidden<S> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Hidden<S> {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn messages_of_all_sizes_go_both_ways_and_the_connection_closes() {
    for hidden in [false, true] {
        let (url, mut sockets, _task) = server(hidden).await;
        let request = Request {
            subprotocols: vec!["a".to_owned(), "b".to_owned()],
            deflate: vec![DeflateConfig::default()],
            ..Request::new(url)
        };
        let (mut client, handshake) = connect(request).await.unwrap();
        assert_eq!(handshake.response.subprotocol.as_deref(), Some("a"));
        let mut server = sockets.recv().await.unwrap().unwrap();
        assert_eq!(server.subprotocol(), Some("a"));
        assert!(server.deflate().is_some());
        assert_eq!(server.peer_addr(), None);
        let echo = tokio::spawn(async move {
            while let Some(message) = server.recv().await {
                server.send(message?).await?;
            }
            Ok::<_, wiretalk_net::Error>(())
        });
        for size in [0, 1, 125, 126, 4096, 65_535, 65_536, 3 << 20] {
            let payload: Vec<u8> = (0..size).map(|at: usize| ((at * at) >> 3) as u8).collect();
            client.send(payload.clone()).await.unwrap();
            let came = client.recv().await.unwrap().unwrap();
            assert_eq!(came.as_bytes(), payload, "{size} bytes, hidden: {hidden}");
        }
        client.close(None, "").await.unwrap();
        while let Some(event) = client.next_event().await.unwrap() {
            assert!(matches!(event, Event::Close(_)), "{event:?}");
        }
        echo.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_abort_resets_the_stream_where_it_is_within_reach() {
    let (url, mut sockets, _task) = server(false).await;
    let (mut client, _) = connect(url).await.unwrap();
    sockets.recv().await.unwrap().unwrap().abort();
    let error = client.recv().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Reset);

    let (url, mut sockets, _task) = server(true).await;
    let (mut client, _) = connect(url).await.unwrap();
    sockets.recv().await.unwrap().unwrap().abort();
    let error = client.recv().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Abnormal);
}

#[tokio::test]
async fn addresses_are_those_that_were_said() {
    let (url, mut sockets, _task) = server(false).await;
    let (client, _) = connect(format!("{url}/address")).await.unwrap();
    let server = sockets.recv().await.unwrap().unwrap();
    assert_eq!(server.peer_addr(), client.local_addr());
    assert_eq!(server.local_addr(), client.local_addr());
}

#[tokio::test]
async fn an_answer_of_another_kind_is_told_on_both_sides() {
    let (url, mut sockets, _task) = server(false).await;
    let error = connect(format!("{url}/other")).await.unwrap_err();
    let refusal = error.refusal().unwrap();
    assert_eq!(refusal.response.status, 403);
    assert_eq!(&refusal.body[..], b"not for you");
    let error = sockets.recv().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Handshake);
    assert!(
        error.to_string().contains("answered with something else"),
        "{error}"
    );

    let error = connect(format!("{url}/twice")).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().response.status, 500);
}

#[test]
fn plain_http_is_left_as_it_is() {
    let (mut parts, ()) = http::Request::get("/").body(()).unwrap().into_parts();
    let refusal = Upgrade::from_parts(&mut parts).unwrap_err();
    assert_eq!(*refusal.kind(), RefusalKind::NotUpgrade);
}

#[test]
fn sockets_can_be_sent_and_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<WebSocket>();
}
