//! The matrix of reach: each way to a server, against programs that we did not write, and each way that it fails, which
//! is told apart from the others in words.
//!
//! A module is a kind of way. The library is what is tested; the binary is where it adds something of its own.

mod commands;
mod counterparts;
mod http2;
mod proxy;
mod redirect;
mod tls;
mod unix;

use std::future::Future;

use wiretalk_interop::DEADLINE;
use wiretalk_net::{Connector, Error, Message, Request, WebSocket};

/// Fails instead of hanging for ever.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future)
        .await
        .unwrap_or_else(|_| panic!("nothing happened within {DEADLINE:?}"))
}

/// Dials, sends a message, which must come back, and closes.
async fn echoes(connector: &Connector, request: impl Into<Request>) {
    let request = request.into();
    let (mut socket, _) = soon(connector.connect(&request))
        .await
        .unwrap_or_else(|error| panic!("{}: {error}", request.url));
    echo(&mut socket).await;
    soon(socket.close(None, "")).await.expect("a close");
}

/// Sends a message, which must come back.
async fn echo(socket: &mut WebSocket) {
    let message = Message::from("is somebody there?");
    soon(socket.send(message.clone())).await.expect("sent");
    let came = soon(socket.recv()).await.expect("a message");
    assert!(came.expect("a message") == message);
}

/// Dials, which must fail.
async fn fails(connector: &Connector, request: impl Into<Request>) -> Error {
    let request = request.into();
    match soon(connector.connect(&request)).await {
        Ok(_) => panic!("{} was reached", request.url),
        Err(error) => error,
    }
}
