//! The way from this machine to a server: over TCP, or a Unix socket.

use tokio::time::Instant;

use super::{
    deadline::Deadline,
    handshake::Timings,
    overrides::ConnectTo,
    tcp::Resolver,
    unix::{self, UnixAddress},
    url::Target,
};
use crate::{error::Error, transport::Transport};

/// What the caller said about the way.
#[derive(Clone, Debug, Default)]
pub(super) struct Route {
    /// Dialed whatever the URL says.
    pub(super) unix: Option<UnixAddress>,
    pub(super) resolver: Resolver,
    pub(super) connect_to: Vec<ConnectTo>,
}

impl Route {
    /// A stream on whose other end is the server.
    pub(super) async fn dial(
        &self,
        target: &Target,
        deadline: Deadline,
        timings: &mut Timings,
    ) -> Result<Transport, Error> {
        if let Some(socket) = self.unix.as_ref().or(target.unix.as_ref()) {
            let since = Instant::now();
            let stream = unix::dial(socket, deadline).await?;
            timings.unix = Some(since.elapsed());
            return Ok(stream);
        }
        let (host, port) = self.destination(target);
        let tcp = self.resolver.dial(&host, port, deadline, timings).await?;
        Ok(Transport::Tcp(tcp))
    }

    /// The host and port to connect to: those of the URL, unless an override is for them.
    fn destination(&self, target: &Target) -> (String, u16) {
        self.connect_to
            .iter()
            .find_map(|other| other.apply(&target.host, target.port))
            .unwrap_or_else(|| (target.host.clone(), target.port))
    }
}
