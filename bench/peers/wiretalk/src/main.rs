//! Servers on wiretalk-net: an echo, and one that sends what comes to all.

mod fan;

use std::{process::ExitCode, sync::Arc};

use peer_common::{Failure, MESSAGE_SIZE, Options};
use wiretalk_net::{
    Config, DeflateConfig, Error, WebSocket,
    server::{AcceptOptions, Listener, Reply, Request, ServeOptions, TlsConfig, serve_connection},
};

use crate::fan::Room;

/// What all connections share.
struct Server {
    config: Arc<Config>,
    deflate: Option<DeflateConfig>,
    /// With `--fan`: where everyone is.
    room: Option<Arc<Room>>,
}

fn main() -> ExitCode {
    peer_common::run(async |options: Options| {
        options.only(&["deflate", "fan", "tls"])?;
        let listener = Listener::bind(options.address(), tls(&options)?).await?;
        let server = Arc::new(Server::new(&options));
        loop {
            let incoming = listener.accept().await?;
            let server = Arc::clone(&server);
            tokio::spawn(serve_connection(
                incoming,
                ServeOptions::default(),
                move |request| {
                    let server = Arc::clone(&server);
                    async move { server.answer(request) }
                },
            ));
        }
    })
}

fn tls(options: &Options) -> Result<Option<TlsConfig>, Failure> {
    let Some((certificate, key)) = &options.tls else {
        return Ok(None);
    };
    let (certificate, key) = (std::fs::read(certificate)?, std::fs::read(key)?);
    Ok(Some(TlsConfig::from_pem(&certificate, &key)?))
}

impl Server {
    fn new(options: &Options) -> Self {
        let mut config = Config::default();
        config.limits.message_size = MESSAGE_SIZE;
        config.limits.frame_size = MESSAGE_SIZE as u64;
        Self {
            config: Arc::new(config),
            deflate: options.deflate.then(DeflateConfig::default),
            room: options.fan.then(Arc::default),
        }
    }

    fn answer(&self, mut request: Request) -> Reply {
        let upgrade = match request.upgrade() {
            Ok(upgrade) => upgrade,
            Err(refusal) => return Reply::from(refusal),
        };
        let accepted = upgrade.accept(AcceptOptions {
            config: Arc::clone(&self.config),
            deflate: self.deflate,
            ..AcceptOptions::default()
        });
        match accepted {
            Ok((reply, socket)) => {
                match &self.room {
                    None => drop(tokio::spawn(async { echo(socket.await?).await })),
                    Some(room) => {
                        let room = Arc::clone(room);
                        tokio::spawn(async move { room.serve(socket.await?).await });
                    }
                }
                reply
            }
            Err(error) => Reply::text(500, error.to_string()),
        }
    }
}

/// Sends back what comes. Answers leave in one go when nothing more is there to be received.
async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(mut exchange) = socket.next_exchange().await? {
        exchange.replies.send_back(exchange.message)?;
    }
    Ok(())
}
