//! From a host name to a TCP stream.

use std::net::{IpAddr, SocketAddr};

use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};

use super::{handshake::Timings, url::Target};
use crate::error::{Blame, Error, ErrorKind};

/// Connects to the first address that answers. Each has its share of the time that is left.
pub(super) async fn dial(
    target: &Target,
    deadline: Instant,
    late: &impl Fn(&str) -> Error,
    timings: &mut Timings,
) -> Result<TcpStream, Error> {
    let since = Instant::now();
    let addresses = match timeout_at(deadline, resolve(target)).await {
        Ok(addresses) => addresses?,
        Err(_) => return Err(late("was not resolved")),
    };
    timings.dns = Some(since.elapsed());
    let since = Instant::now();
    let mut failed = None;
    for (index, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let others = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let share = left / others;
        match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                // Small messages must not wait for more; the connection batches on its own.
                tcp.set_nodelay(true)
                    .map_err(|error| Error::io("TCP_NODELAY cannot be set", error))?;
                timings.tcp = Some(since.elapsed());
                return Ok(tcp);
            }
            Ok(Err(error)) => failed = Some(not_connected(*address, error)),
            Err(_) => {
                failed = Some(Error::timeout(
                    Blame::Network,
                    format_args!("{address} did not answer"),
                    share,
                ));
            }
        }
    }
    Err(failed.unwrap_or_else(|| unresolved(target, None)))
}

async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, Error> {
    if let Ok(address) = target.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, target.port)]);
    }
    match lookup_host((target.host.as_str(), target.port)).await {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => Err(unresolved(target, Some(error))),
    }
}

fn unresolved(target: &Target, error: Option<std::io::Error>) -> Error {
    let sentence = format!("cannot resolve the host name `{}`", target.host);
    match error {
        Some(error) => Error::with_source(ErrorKind::Dns, Blame::Network, sentence, error),
        None => Error::new(ErrorKind::Dns, Blame::Network, sentence),
    }
}

fn not_connected(address: SocketAddr, error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::ConnectionRefused {
        let sentence = format!("{address} refused the connection");
        Error::with_source(ErrorKind::Refused, Blame::Peer, sentence, error)
    } else {
        let sentence = format!("{address} cannot be reached: {error}");
        Error::with_source(ErrorKind::Unreachable, Blame::Network, sentence, error)
    }
}
