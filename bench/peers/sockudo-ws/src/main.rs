//! An echo on sockudo-ws, in batches, with or without compression.

use std::process::ExitCode;

use bytes::BytesMut;
use peer_common::{Failure, MESSAGE_SIZE, Options, echo_in_batches, serve};
use sockudo_ws::{
    CompressedWebSocketStream, Config, DeflateConfig, Message, Role, WebSocketStream,
    deflate::negotiate_server_deflate,
    handshake::{build_response, generate_accept_key, parse_request, server_handshake},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What may wait before a feed writes by itself.
const BATCH: usize = 128 * 1024;

fn main() -> ExitCode {
    peer_common::run(async |options: Options| {
        options.only(&["deflate"])?;
        if options.deflate {
            serve(&options, compressed_client).await
        } else {
            serve(&options, client).await
        }
    })
}

async fn client(mut stream: TcpStream) -> Result<(), Failure> {
    let ahead = server_handshake(&mut stream).await?.leftover;
    let mut socket = WebSocketStream::from_raw_with_leftover(stream, Role::Server, config(), ahead);
    socket.set_high_water_mark(BATCH);
    echo_in_batches(socket, data).await
}

/// The library's own handshake agrees on no extension, so this one is put together from its parts.
async fn compressed_client(mut stream: TcpStream) -> Result<(), Failure> {
    let policy = DeflateConfig {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        ..DeflateConfig::default()
    };
    let mut head = BytesMut::with_capacity(4096);
    let (response, negotiated) = loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
        let Some((request, _)) = parse_request(&head)? else {
            continue;
        };
        let negotiated = request
            .extensions
            .and_then(|offers| negotiate_server_deflate(offers, &policy))
            .ok_or("the client does not compress")?;
        let extension = negotiated.to_response_header();
        let key = generate_accept_key(request.key);
        break (build_response(&key, None, Some(&extension)), negotiated);
    };
    stream.write_all(&response).await?;
    let socket = CompressedWebSocketStream::server(stream, config(), negotiated.config);
    echo_in_batches(socket, data).await
}

fn config() -> Config {
    Config::builder().max_payload_length(MESSAGE_SIZE).build()
}

fn data(message: &Message) -> bool {
    matches!(message, Message::Text(_) | Message::Binary(_))
}
