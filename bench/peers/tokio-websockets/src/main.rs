//! An echo on tokio-websockets: in batches, or as its own example does.

use std::process::ExitCode;

use peer_common::{Failure, MESSAGE_SIZE, Options, echo_in_gathered_batches, echo_singly, serve};
use tokio::net::TcpStream;
use tokio_websockets::{Config, Limits, Message, ServerBuilder};

/// What may wait before a feed writes by itself, in bytes.
const BATCH: usize = 128 * 1024;
/// The most messages that are gathered.
const MESSAGES: usize = 64;

fn main() -> ExitCode {
    peer_common::run(async |options: Options| {
        options.only(&["as-is"])?;
        let as_is = options.as_is;
        serve(&options, move |stream| client(stream, as_is)).await
    })
}

async fn client(stream: TcpStream, as_is: bool) -> Result<(), Failure> {
    let config = Config::default().frame_size(MESSAGE_SIZE);
    let config = if as_is {
        config
    } else {
        config.flush_threshold(BATCH)
    };
    let (_, socket) = ServerBuilder::new()
        .config(config)
        .limits(Limits::default().max_payload_len(Some(MESSAGE_SIZE)))
        .accept(stream)
        .await?;
    let data = |message: &Message| message.is_text() || message.is_binary();
    if as_is {
        echo_singly(socket, data).await
    } else {
        echo_in_gathered_batches(socket, MESSAGES, data).await
    }
}
