//! From a host name to a TCP stream.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use tokio::{
    net::{TcpStream, lookup_host},
    time::Instant,
};

use super::{
    deadline::Deadline,
    handshake::Timings,
    overrides::{AddressFamily, Resolve},
    race::{Attempt, interleave, race},
};
use crate::error::{Blame, Error, ErrorKind};

/// How names become addresses.
#[derive(Clone, Debug, Default)]
pub(super) struct Resolver {
    pub(super) family: AddressFamily,
    pub(super) known: Vec<Resolve>,
}

impl Resolver {
    /// Connects to the first address of the host that answers.
    pub(super) async fn dial(
        &self,
        host: &str,
        port: u16,
        deadline: Deadline,
        timings: &mut Timings,
    ) -> Result<TcpStream, Error> {
        let addresses = self.resolve(host, port, deadline, timings).await?;
        let since = Instant::now();
        let tcp = race(&addresses, deadline.at, TcpStream::connect)
            .await
            .map_err(|attempts| none_answers(host, attempts, deadline))?;
        // Small messages must not wait for more; the connection batches on its own.
        tcp.set_nodelay(true)
            .map_err(|error| Error::io("TCP_NODELAY cannot be set", error))?;
        timings.tcp = Some(timings.tcp.unwrap_or_default() + since.elapsed());
        Ok(tcp)
    }

    /// The addresses of a host, in the order in which they are to be tried; there is at least one.
    ///
    /// The system's resolver blocks, so it runs on one of tokio's threads for that, whose number is bounded. It
    /// cannot be stopped: if this future is dropped, the thread is free again when the system gives up.
    pub(super) async fn resolve(
        &self,
        host: &str,
        port: u16,
        deadline: Deadline,
        timings: &mut Timings,
    ) -> Result<Vec<SocketAddr>, Error> {
        let since = Instant::now();
        let known = self.known.iter().find(|known| known.is_for(host, port));
        let found: Vec<SocketAddr> = if let Some(known) = known {
            known.addresses(port).collect()
        } else if let Ok(address) = host.parse::<IpAddr>() {
            vec![SocketAddr::new(address, port)]
        } else {
            let late = |limit| {
                let what = format_args!("the host name `{host}` was not resolved");
                Error::timeout(Blame::Network, what, limit)
            };
            let looked_up = deadline.within(lookup_host((host, port)), late).await?;
            looked_up
                .map_err(|error| unresolved(host, Some(error)))?
                .collect()
        };
        timings.dns = Some(timings.dns.unwrap_or_default() + since.elapsed());
        let order = interleave(found.iter().copied().filter(|one| self.family.has(*one)));
        match (order.is_empty(), found.is_empty()) {
            (false, _) => Ok(order),
            (true, true) => Err(unresolved(host, None)),
            (true, false) => Err(Error::new(
                ErrorKind::Dns,
                Blame::Us,
                format!("`{host}` has no {} address", self.family),
            )),
        }
    }
}

fn unresolved(host: &str, error: Option<io::Error>) -> Error {
    let sentence = format!("cannot resolve the host name `{host}`");
    match error {
        Some(error) => Error::with_source(ErrorKind::Dns, Blame::Network, sentence, error),
        None => Error::new(ErrorKind::Dns, Blame::Network, sentence),
    }
}

/// Tells all that was tried.
fn none_answers(host: &str, attempts: Vec<Attempt>, deadline: Deadline) -> Error {
    let count = attempts.len();
    let mut errors: Vec<_> = attempts
        .into_iter()
        .map(|attempt| not_connected(attempt, deadline))
        .collect();
    if count == 1
        && let Some(only) = errors.pop()
    {
        return only;
    }
    let alike = |kind| errors.iter().all(|error| error.kind() == kind);
    let (kind, blame) = match () {
        () if alike(ErrorKind::Refused) => (ErrorKind::Refused, Blame::Peer),
        () if alike(ErrorKind::Timeout) => (ErrorKind::Timeout, Blame::Network),
        () => (ErrorKind::Unreachable, Blame::Network),
    };
    let all: Vec<_> = errors.iter().map(ToString::to_string).collect();
    let sentence = format!(
        "none of the {count} addresses of `{host}` could be connected to: {}",
        all.join("; ")
    );
    Error::new(kind, blame, sentence)
}

fn not_connected(attempt: Attempt, deadline: Deadline) -> Error {
    let Attempt { address, error } = attempt;
    match error {
        None => Error::timeout(
            Blame::Network,
            format_args!("{address} did not answer"),
            deadline.limit,
        ),
        Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let sentence = format!("{address} refused the connection");
            Error::with_source(ErrorKind::Refused, Blame::Peer, sentence, error)
        }
        Some(error) => {
            let sentence = format!("{address} cannot be reached: {error}");
            Error::with_source(ErrorKind::Unreachable, Blame::Network, sentence, error)
        }
    }
}
