//! An echo on sockudo-ws, in batches.

use std::process::ExitCode;

use peer_common::{Failure, MESSAGE_SIZE, Options, echo_in_batches, serve};
use sockudo_ws::{Config, Message, Role, WebSocketStream, handshake::server_handshake};
use tokio::net::TcpStream;

/// What may wait before a feed writes by itself.
const BATCH: usize = 128 * 1024;

fn main() -> ExitCode {
    peer_common::run(async |options: Options| {
        options.only(&[])?;
        serve(&options, client).await
    })
}

async fn client(mut stream: TcpStream) -> Result<(), Failure> {
    let ahead = server_handshake(&mut stream).await?.leftover;
    let mut socket = WebSocketStream::from_raw_with_leftover(stream, Role::Server, config(), ahead);
    socket.set_high_water_mark(BATCH);
    echo_in_batches(socket, data).await
}

fn config() -> Config {
    Config::builder().max_payload_length(MESSAGE_SIZE).build()
}

fn data(message: &Message) -> bool {
    matches!(message, Message::Text(_) | Message::Binary(_))
}
