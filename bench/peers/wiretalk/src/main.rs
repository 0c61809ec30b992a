//! Servers on wiretalk-net: an echo.

use std::{process::ExitCode, sync::Arc};

use peer_common::{MESSAGE_SIZE, Options};
use wiretalk_net::{
    Error, WebSocket,
    server::{AcceptOptions, Listener, Reply, Request, ServeOptions, TlsConfig, serve_connection},
};

fn main() -> ExitCode {
    peer_common::run(async |options: Options| {
        options.only(&["tls"])?;
        let tls = match &options.tls {
            Some((certificate, key)) => Some(TlsConfig::from_pem(
                &std::fs::read(certificate)?,
                &std::fs::read(key)?,
            )?),
            None => None,
        };
        let listener = Listener::bind(options.address(), tls).await?;
        loop {
            let incoming = listener.accept().await?;
            tokio::spawn(serve_connection(
                incoming,
                ServeOptions::default(),
                async |request| answer(request),
            ));
        }
    })
}

fn answer(mut request: Request) -> Reply {
    let upgrade = match request.upgrade() {
        Ok(upgrade) => upgrade,
        Err(refusal) => return Reply::from(refusal),
    };
    let mut options = AcceptOptions::default();
    let config = Arc::make_mut(&mut options.config);
    config.limits.message_size = MESSAGE_SIZE;
    config.limits.frame_size = MESSAGE_SIZE as u64;
    match upgrade.accept(options) {
        Ok((reply, socket)) => {
            tokio::spawn(async { echo(socket.await?).await });
            reply
        }
        Err(error) => Reply::text(500, error.to_string()),
    }
}

/// Sends back what comes. What is fed leaves in one go when nothing more is there to be received.
async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await {
        socket.feed(message?).await?;
    }
    Ok(())
}
