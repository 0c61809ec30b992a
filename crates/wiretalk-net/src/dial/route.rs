//! The way from this machine to a server: over TCP, a Unix socket, or a proxy.

use tokio::time::Instant;

use super::{
    Connector,
    deadline::Deadline,
    handshake::Timings,
    http2::Http2,
    overrides::ConnectTo,
    proxy::{self, Proxies, Proxy, Scheme},
    tcp::Resolver,
    tls,
    unix::{self, UnixAddress},
    url::Target,
};
use crate::{
    error::{Error, ProxyFailure},
    transport::Transport,
};

/// What the caller said about the way.
#[derive(Clone, Debug, Default)]
pub(super) struct Route {
    /// Dialed whatever the URL says.
    pub(super) unix: Option<UnixAddress>,
    pub(super) proxies: Proxies,
    pub(super) resolver: Resolver,
    pub(super) connect_to: Vec<ConnectTo>,
}

impl Route {
    /// The host and port to connect to: those of the URL, unless an override is for them.
    fn destination(&self, target: &Target) -> (String, u16) {
        self.connect_to
            .iter()
            .find_map(|other| other.apply(&target.host, target.port))
            .unwrap_or_else(|| (target.host.clone(), target.port))
    }
}

impl Connector {
    /// A stream on whose other end is the server: what is written to it reaches the server, and nobody else.
    pub(super) async fn reach(
        &self,
        target: &Target,
        deadline: Deadline,
        timings: &mut Timings,
    ) -> Result<Transport, Error> {
        let route = &self.route;
        if let Some(socket) = route.unix.as_ref().or(target.unix.as_ref()) {
            let since = Instant::now();
            let stream = unix::dial(socket, deadline).await?;
            timings.unix = Some(since.elapsed());
            return Ok(stream);
        }
        let (host, port) = route.destination(target);
        let Some(proxy) = route.proxies.for_target(target) else {
            let dialed = route.resolver.dial(&host, port, deadline, timings).await?;
            return Ok(Transport::Tcp(dialed));
        };
        if proxy.scheme != Scheme::Socks5 {
            return self.tunnel(proxy, (&host, port), deadline, timings).await;
        }
        // The names are resolved here, and the proxy is asked for one address after the other.
        let resolved = route
            .resolver
            .resolve(&host, port, deadline, timings)
            .await?;
        let count = resolved.len();
        let mut failed = Vec::new();
        for address in resolved {
            let ip = address.ip().to_string();
            match self.tunnel(proxy, (&ip, port), deadline, timings).await {
                Err(error) if error.proxy_failure() == Some(ProxyFailure::Target) => {
                    failed.push(error);
                }
                done => return done,
            }
        }
        match failed.pop() {
            Some(only) if failed.is_empty() => Err(only),
            last => {
                let all: Vec<_> = failed
                    .iter()
                    .chain(&last)
                    .map(ToString::to_string)
                    .collect();
                let sentence = format!(
                    "none of the {count} addresses of `{host}`: {}",
                    all.join("; ")
                );
                Err(Error::proxy(ProxyFailure::Target, sentence, None, None))
            }
        }
    }

    /// A stream through the proxy to the host and port.
    async fn tunnel(
        &self,
        proxy: &Proxy,
        target: (&str, u16),
        deadline: Deadline,
        timings: &mut Timings,
    ) -> Result<Transport, Error> {
        let resolver = &self.route.resolver;
        let tcp = resolver
            .dial(&proxy.host, proxy.port, deadline, timings)
            .await;
        let mut stream = Transport::Tcp(tcp.map_err(|error| proxy.not_reached(error))?);
        let since = Instant::now();
        let result = async {
            if proxy.scheme == Scheme::Https {
                let authority = proxy::authority(&proxy.host, proxy.port);
                let peer = tls::Peer {
                    host: &proxy.host,
                    authority: &authority,
                    part: tls::Part::Proxy,
                };
                let secured = self.secure(stream, peer, Http2::Off.alpn(), deadline).await;
                (stream, _) = secured.map_err(|error| proxy.not_reached(error))?;
            }
            let late = |limit| {
                let (host, port) = target;
                let target = proxy::authority(host, port);
                let why = format!("did not connect to {target} within {limit:?}");
                proxy.failed(ProxyFailure::Timeout, why)
            };
            match proxy.scheme {
                Scheme::Http | Scheme::Https => {
                    let asked = proxy::connect(proxy, &mut stream, target, deadline);
                    deadline.within(asked, late).await??;
                }
                Scheme::Socks5 | Scheme::Socks5h => {
                    let asked = proxy::socks(proxy, &mut stream, target);
                    deadline.within(asked, late).await??;
                }
            }
            Ok(stream)
        };
        let result = result.await;
        timings.proxy = Some(timings.proxy.unwrap_or_default() + since.elapsed());
        result
    }
}
