//! WebSockets out of an HTTP/2 server that others run: hyper, with the extended CONNECT of RFC 8441.

use std::convert::Infallible;

use bytes::Bytes;
use h2::ext::Protocol;
use http_body_util::Full;
use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::duplex;
use wiretalk_net::{
    ErrorKind,
    server::{AcceptOptions, RefusalKind, Reply, Upgrade},
};

/// Echoes; whatever is no WebSocket is told its refusal.
async fn service(
    request: http::Request<hyper::body::Incoming>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let (mut parts, _) = request.into_parts();
    let upgrade = match Upgrade::from_parts(&mut parts) {
        Ok(upgrade) => upgrade,
        Err(refusal) if *refusal.kind() == RefusalKind::NotUpgrade => {
            return Ok(Reply::text(200, "plain").into_http());
        }
        Err(refusal) => return Ok(Reply::from(refusal).into_http()),
    };
    let (reply, socket) = upgrade
        .accept(AcceptOptions {
            subprotocol: Some("chat".to_owned()),
            ..AcceptOptions::default()
        })
        .unwrap();
    tokio::spawn(async {
        let mut socket = socket.await.unwrap();
        while let Some(message) = socket.recv().await {
            match message {
                Ok(message) => socket.send(message).await.unwrap(),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Abnormal),
            }
        }
    });
    Ok(reply.into_http())
}

async fn dial() -> h2::client::SendRequest<Bytes> {
    let (client, server) = duplex(64 * 1024);
    tokio::spawn(
        http2::Builder::new(TokioExecutor::new())
            .enable_connect_protocol()
            .serve_connection(TokioIo::new(server), service_fn(service)),
    );
    let (sender, connection) = h2::client::handshake(client).await.unwrap();
    tokio::spawn(connection);
    let mut sender = sender.ready().await.unwrap();
    while !sender.is_extended_connect_protocol_enabled() {
        // The settings come with the answer to anything.
        let (response, _) = sender
            .send_request(http::Request::get("http://h/").body(()).unwrap(), true)
            .unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
        sender = sender.ready().await.unwrap();
    }
    sender
}

fn request(protocol: &'static str, version: &str) -> http::Request<()> {
    let mut request = http::Request::connect("https://h/chat")
        .version(http::Version::HTTP_2)
        .header("sec-websocket-version", version)
        .header("sec-websocket-protocol", "chat")
        .body(())
        .unwrap();
    request
        .extensions_mut()
        .insert(Protocol::from_static(protocol));
    request
}

#[tokio::test]
async fn an_extended_connect_becomes_a_websocket() {
    let mut sender = dial().await;
    let (response, mut frames) = sender
        .send_request(request("websocket", "13"), false)
        .unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
    for name in ["upgrade", "connection", "sec-websocket-accept"] {
        assert!(!response.headers().contains_key(name), "{name}");
    }
    let mut answers = response.into_body();
    // `Hello`, masked, of RFC 6455 5.7.
    let hello = [
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ];
    frames
        .send_data(Bytes::copy_from_slice(&hello), false)
        .unwrap();
    let mut came = Vec::new();
    while came.len() < 7 {
        came.extend_from_slice(&answers.data().await.unwrap().unwrap());
    }
    assert_eq!(came, b"\x81\x05Hello");
    // A close frame without a code is answered with one, and the stream ends.
    let close = [0x88, 0x80, 0, 0, 0, 0];
    frames
        .send_data(Bytes::copy_from_slice(&close), false)
        .unwrap();
    let mut came = Vec::new();
    while let Some(data) = answers.data().await {
        came.extend_from_slice(&data.unwrap());
    }
    assert_eq!(came, [0x88, 0]);
}

#[tokio::test]
async fn others_are_refused_with_a_status() {
    let mut sender = dial().await;
    for (protocol, version, status) in [("websocket", "12", 426), ("other", "13", 501)] {
        let (response, _frames) = sender
            .send_request(request(protocol, version), false)
            .unwrap();
        assert_eq!(response.await.unwrap().status(), status, "{protocol}");
    }
}
