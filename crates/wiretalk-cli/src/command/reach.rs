//! How a command reaches a server: the options that `connect` and `test` share.

mod tls;

use std::env;
use std::path::PathBuf;

use clap::Args;
use wiretalk_net::{AddressFamily, ConnectTo, Connector, Http2, NoProxy, Proxies, Proxy, Resolve};

use tls::Tls;

pub(super) use tls::warn_of;

/// Servers on this machine, which the environment's proxies are not for: browsers see it so, too.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Reaching the server")]
pub(crate) struct Reach {
    /// Connect through this proxy: http://, https://, socks5:// or socks5h://, with USER:PASSWORD@ before the host if
    /// need be; else through that of $ws_proxy, $http_proxy, $https_proxy or $all_proxy
    #[arg(long, value_name = "URL")]
    proxy: Option<Proxy>,
    /// Hosts to connect to without a proxy, separated by commas, or *; else those of $no_proxy
    #[arg(long, visible_alias = "no-proxy", value_name = "HOSTS")]
    noproxy: Option<NoProxy>,
    /// Connect to this Unix socket, whatever host the URL names
    #[arg(long, value_name = "PATH", conflicts_with = "abstract_unix_socket")]
    unix_socket: Option<PathBuf>,
    /// The same, to one of Linux's abstract namespace
    #[arg(long, value_name = "NAME")]
    abstract_unix_socket: Option<String>,
    /// Connect to another host and port than the URL's: HOST1:PORT1:HOST2:PORT2; an empty one stands for any, or the same
    #[arg(long, value_name = "H1:P1:H2:P2")]
    connect_to: Vec<ConnectTo>,
    /// Take the addresses of a host from here: HOST:PORT:ADDRESS[,ADDRESS]
    #[arg(long, value_name = "HOST:PORT:ADDRESS")]
    resolve: Vec<Resolve>,
    /// Connect to IPv4 addresses only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// Connect to IPv6 addresses only
    #[arg(short = '6', long)]
    ipv6: bool,
    /// Follow redirects; credentials stay with the server of the URL
    #[arg(short = 'L', long)]
    location: bool,
    /// Follow so many redirects at most
    #[arg(long, value_name = "N", default_value = "10", requires = "location")]
    max_redirs: u32,
    /// Take HTTP/2 over TLS if the server does WebSockets over it (RFC 8441), else HTTP/1.1
    #[arg(long, conflicts_with = "http2_prior_knowledge")]
    http2: bool,
    /// HTTP/2 and nothing else, without TLS, too
    #[arg(long)]
    http2_prior_knowledge: bool,
    #[command(flatten)]
    tls: Tls,
}

impl Reach {
    /// A connector by these options. Says why there is none.
    pub(crate) fn connector(&self) -> Result<Connector, String> {
        let mut connector = Connector::new()
            .tls(self.tls.options()?)
            .proxies(self.proxies()?)
            .redirects(if self.location { self.max_redirs } else { 0 })
            .http2(match (self.http2, self.http2_prior_knowledge) {
                (_, true) => Http2::Only,
                (true, false) => Http2::Prefer,
                (false, false) => Http2::Off,
            });
        if let Some(path) = &self.unix_socket {
            connector = connector.unix_socket(path);
        }
        if let Some(name) = &self.abstract_unix_socket {
            connector = connector.abstract_unix_socket(name.clone());
        }
        for other in &self.connect_to {
            connector = connector.connect_to(other.clone());
        }
        for known in &self.resolve {
            connector = connector.resolve(known.clone());
        }
        Ok(match (self.ipv4, self.ipv6) {
            (true, _) => connector.address_family(AddressFamily::V4),
            (_, true) => connector.address_family(AddressFamily::V6),
            (false, false) => connector,
        })
    }

    /// The files that it reads.
    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.tls.files()
    }

    /// Says aloud, before anything is sent, that nobody looks who the servers are.
    pub(crate) fn warn(&self) {
        self.tls.warn();
    }

    fn proxies(&self) -> Result<Proxies, String> {
        let proxies = match &self.proxy {
            Some(proxy) => Proxies::all(proxy.clone()),
            None => Proxies::from_variables(variable).map_err(|error| error.to_string())?,
        };
        Ok(match &self.noproxy {
            Some(servers) => proxies.except(servers.clone()),
            None => proxies,
        })
    }
}

/// A variable of the environment that is about proxies. No server on this machine is behind one.
fn variable(name: &str) -> Option<String> {
    let set = |name| env::var(name).ok().filter(|value| !value.trim().is_empty());
    if name != "no_proxy" {
        return set(name);
    }
    match set("no_proxy").or_else(|| set("NO_PROXY")) {
        Some(servers) if servers.trim() == "*" => Some(servers),
        Some(servers) => Some(format!("{servers},{LOOPBACK}")),
        None => Some(LOOPBACK.to_owned()),
    }
}
