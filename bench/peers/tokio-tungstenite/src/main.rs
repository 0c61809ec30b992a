//! An echo on tokio-tungstenite, in batches.

use std::process::ExitCode;

use peer_common::{Failure, Options, echo_in_batches, serve};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{accept_async, tungstenite::Message};

fn main() -> ExitCode {
    peer_common::run(async |options: Options| {
        options.only(&["tls"])?;
        let acceptor = options.acceptor()?;
        serve(&options, move |stream| {
            let acceptor = acceptor.clone();
            async move {
                match acceptor {
                    Some(acceptor) => client(acceptor.accept(stream).await?).await,
                    None => client(stream).await,
                }
            }
        })
        .await
    })
}

async fn client(stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), Failure> {
    let socket = accept_async(stream).await?;
    echo_in_batches(socket, |message: &Message| {
        message.is_text() || message.is_binary()
    })
    .await
}
