//! An echo on yawc, in batches.

use std::process::ExitCode;

use futures_util::StreamExt;
use http_body_util::Empty;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use peer_common::{Failure, MESSAGE_SIZE, Options, echo_in_batches, serve};
use tokio::net::TcpStream;
use yawc::{Frame, OpCode, UpgradeFut, WebSocket, WebSocketError};

/// What may wait before a feed writes by itself.
const BATCH: usize = 128 * 1024;

fn main() -> ExitCode {
    peer_common::run(async |options: Options| {
        options.only(&["deflate"])?;
        let deflate = options.deflate;
        serve(&options, move |stream| client(stream, deflate)).await
    })
}

async fn client(stream: TcpStream, deflate: bool) -> Result<(), Failure> {
    let service = service_fn(async |request| answer(request, deflate));
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await?;
    Ok(())
}

fn answer(
    mut request: Request<Incoming>,
    deflate: bool,
) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let mut options = yawc::Options::default()
        .with_limits(MESSAGE_SIZE, 2 * MESSAGE_SIZE)
        .with_backpressure_boundary(BATCH)
        .with_utf8();
    options = if deflate {
        options
            .with_balanced_compression()
            .server_no_context_takeover()
            .client_no_context_takeover()
    } else {
        options.without_compression()
    };
    let (response, socket) = WebSocket::upgrade_with_options(&mut request, options)?;
    tokio::spawn(echo(socket));
    Ok(response)
}

async fn echo(socket: UpgradeFut) -> Result<(), Failure> {
    let socket = socket.await?.map(Ok::<_, WebSocketError>);
    echo_in_batches(socket, |frame: &Frame| {
        matches!(frame.opcode(), OpCode::Text | OpCode::Binary)
    })
    .await
}
