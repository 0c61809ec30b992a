//! Both ends of a connection, in memory.

use std::sync::Arc;

use wiretalk_proto::Role;

use super::{Info, WebSocket};
use crate::{
    config::{Config, shared_default},
    transport::Transport,
};

/// How many bytes are on their way in one direction before the sender has to wait: about what the kernel takes of a TCP
/// connection on loopback.
const IN_FLIGHT: usize = 256 * 1024;

/// Both ends of a connection that is open already, the client's and the server's: for tests of what is written against a
/// [`WebSocket`], without a port or a handshake. All that they say goes through the protocol as ever, but in memory.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// let (mut client, mut server) = wiretalk_net::pair();
/// client.send("hello").await?;
/// let message = server.recv().await.expect("it is open")?;
/// assert_eq!(message.as_text(), Some("hello"));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn pair() -> (WebSocket, WebSocket) {
    pair_with(shared_default(), shared_default())
}

/// As [`pair`], with settings for the client and the server.
///
/// ```
/// use wiretalk_net::Config;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// let impatient = Config { max_queued: 10, ..Config::default() };
/// let (client, _server) = wiretalk_net::pair_with(impatient, Config::default());
/// let (sender, _receiver) = client.split();
/// sender.try_feed("one")?;
/// assert!(sender.try_feed("one too many").is_err());
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn pair_with(
    client: impl Into<Arc<Config>>,
    server: impl Into<Arc<Config>>,
) -> (WebSocket, WebSocket) {
    let (near, far) = tokio::io::duplex(IN_FLIGHT);
    let end = |stream, role, config| {
        let info = Info {
            peer_addr: None,
            local_addr: None,
            subprotocol: None,
        };
        WebSocket::new(Transport::Memory(stream), role, config, None, &[], info)
    };
    (
        end(near, Role::Client, client.into()),
        end(far, Role::Server, server.into()),
    )
}
