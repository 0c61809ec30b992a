//! Servers on tokio-tungstenite: an echo in batches, and one that sends what comes to all, through a channel for each
//! connection.

use std::{
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{Sink, SinkExt, StreamExt};
use peer_common::{Failure, MESSAGE_SIZE, Options, echo_in_batches, serve};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_tungstenite::{
    accept_async_with_config,
    tungstenite::{Error, Message, protocol::WebSocketConfig},
};

/// Buffers for many idle connections, in bytes.
const SMALL_BUFFER: usize = 4096;
/// The most messages that are taken out of a channel at once.
const BATCH: usize = 64;

type Room = Arc<Mutex<Vec<UnboundedSender<Message>>>>;

fn main() -> ExitCode {
    peer_common::run(async |options: Options| {
        options.only(&["small-buffers", "fan", "tls"])?;
        let config = config(&options);
        if options.fan {
            let room = Room::default();
            return serve(&options, move |stream| {
                fan(stream, config, Arc::clone(&room))
            })
            .await;
        }
        let acceptor = options.acceptor()?;
        serve(&options, move |stream| {
            let acceptor = acceptor.clone();
            async move {
                match acceptor {
                    Some(acceptor) => echo(acceptor.accept(stream).await?, config).await,
                    None => echo(stream, config).await,
                }
            }
        })
        .await
    })
}

fn config(options: &Options) -> WebSocketConfig {
    let config = WebSocketConfig::default().max_frame_size(Some(MESSAGE_SIZE));
    if options.small_buffers {
        config
            .read_buffer_size(SMALL_BUFFER)
            .write_buffer_size(SMALL_BUFFER)
    } else {
        config
    }
}

async fn echo(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    config: WebSocketConfig,
) -> Result<(), Failure> {
    let socket = accept_async_with_config(stream, Some(config)).await?;
    echo_in_batches(socket, |message: &Message| {
        message.is_text() || message.is_binary()
    })
    .await
}

async fn fan(stream: TcpStream, config: WebSocketConfig, room: Room) -> Result<(), Failure> {
    let socket = accept_async_with_config(stream, Some(config)).await?;
    let (sink, mut stream) = socket.split();
    let (sender, outbox) = unbounded_channel();
    members(&room).push(sender);
    // A task of its own, so that a delivery does not cost a look at what comes.
    tokio::spawn(deliver(sink, outbox));
    while let Some(message) = stream.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            members(&room).retain(|member| member.send(message.clone()).is_ok());
        }
    }
    Ok(())
}

async fn deliver(
    mut sink: impl Sink<Message, Error = Error> + Unpin,
    mut outbox: UnboundedReceiver<Message>,
) -> Result<(), Error> {
    let mut batch = Vec::with_capacity(BATCH);
    while outbox.recv_many(&mut batch, BATCH).await > 0 {
        for message in batch.drain(..) {
            sink.feed(message).await?;
        }
        sink.flush().await?;
    }
    Ok(())
}

fn members(room: &Room) -> MutexGuard<'_, Vec<UnboundedSender<Message>>> {
    room.lock().unwrap_or_else(PoisonError::into_inner)
}
