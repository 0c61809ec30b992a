//! Where a connection really goes: to other hosts and addresses than the URL's, as curl's options of the same names have
//! it.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use url::Host;

use crate::error::Error;

/// Which kind of addresses may be dialed.
///
/// ```
/// use wiretalk_net::{AddressFamily, Connector};
///
/// # fn main() -> Result<(), wiretalk_net::Error> {
/// let connector = Connector::new().address_family(AddressFamily::V4);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressFamily {
    /// Both, by turns (RFC 8305).
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl AddressFamily {
    pub(super) fn has(self, address: SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

impl fmt::Display for AddressFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "IP",
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// Another host and port to dial instead of the URL's, written `HOST1:PORT1:HOST2:PORT2` as curl's `--connect-to`. Each
/// part may be empty: an empty `HOST1` or `PORT1` is for every host or port, an empty `HOST2` or `PORT2` keeps what
/// was. IPv6 addresses stand in brackets. The `Host` header and the name that the certificate must be for stay those
/// of the URL.
///
/// ```
/// use wiretalk_net::ConnectTo;
///
/// let other: ConnectTo = "example.com:443:127.0.0.1:8443".parse()?;
/// assert_eq!(other.to_string(), "example.com:443:127.0.0.1:8443");
/// let all: ConnectTo = "::[::1]:".parse()?;
/// assert!("example.com:443".parse::<ConnectTo>().is_err());
/// # Ok::<(), wiretalk_net::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectTo {
    from_host: Option<String>,
    from_port: Option<u16>,
    to_host: Option<String>,
    to_port: Option<u16>,
}

impl ConnectTo {
    /// Where to go instead, if it is for this host and port.
    pub(super) fn apply(&self, host: &str, port: u16) -> Option<(String, u16)> {
        let is_host = |from: &String| from.eq_ignore_ascii_case(host);
        let mine = self.from_host.as_ref().is_none_or(is_host)
            && self.from_port.is_none_or(|from| from == port);
        mine.then(|| {
            (
                self.to_host.clone().unwrap_or_else(|| host.to_owned()),
                self.to_port.unwrap_or(port),
            )
        })
    }
}

impl FromStr for ConnectTo {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = |why: &str| {
            Error::invalid(format!(
                "`{}` is not HOST1:PORT1:HOST2:PORT2: {why}",
                text.escape_debug()
            ))
        };
        let parts = split(text).map_err(bad)?;
        let [from_host, from_port, to_host, to_port] = parts[..] else {
            return Err(bad(&format!(
                "it has {} parts instead of four; each may be empty, and IPv6 addresses stand in brackets",
                parts.len()
            )));
        };
        Ok(Self {
            from_host: host(from_host).map_err(bad)?,
            from_port: port(from_port).map_err(bad)?,
            to_host: host(to_host).map_err(bad)?,
            to_port: port(to_port).map_err(bad)?,
        })
    }
}

impl fmt::Display for ConnectTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = |host: &Option<String>| match host {
            Some(host) if host.contains(':') => format!("[{host}]"),
            Some(host) => host.clone(),
            None => String::new(),
        };
        let port = |port: Option<u16>| port.map_or_else(String::new, |port| port.to_string());
        write!(
            f,
            "{}:{}:{}:{}",
            host(&self.from_host),
            port(self.from_port),
            host(&self.to_host),
            port(self.to_port)
        )
    }
}

/// The addresses of a host and port, so that no resolver is asked, written `HOST:PORT:ADDRESS[,ADDRESS]...` as curl's
/// `--resolve`. The host `*` is every host. IPv6 addresses may stand in brackets.
///
/// ```
/// use wiretalk_net::Resolve;
///
/// let known: Resolve = "example.com:443:127.0.0.1,[::1]".parse()?;
/// assert_eq!(known.to_string(), "example.com:443:127.0.0.1,[::1]");
/// assert!("example.com:443:nowhere".parse::<Resolve>().is_err());
/// # Ok::<(), wiretalk_net::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolve {
    /// `None`: every host.
    host: Option<String>,
    port: u16,
    addresses: Vec<IpAddr>,
}

impl Resolve {
    pub(super) fn is_for(&self, host: &str, port: u16) -> bool {
        let is_host = |mine: &String| mine.eq_ignore_ascii_case(host);
        self.port == port && self.host.as_ref().is_none_or(is_host)
    }

    pub(super) fn addresses(&self, port: u16) -> impl Iterator<Item = SocketAddr> {
        self.addresses
            .iter()
            .map(move |address| SocketAddr::new(*address, port))
    }
}

impl FromStr for Resolve {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = |why: &str| {
            Error::invalid(format!(
                "`{}` is not HOST:PORT:ADDRESS[,ADDRESS]: {why}",
                text.escape_debug()
            ))
        };
        let (name, rest) = split_first(text).map_err(bad)?;
        let (number, list) = rest
            .and_then(|rest| rest.split_once(':'))
            .ok_or_else(|| bad("it has fewer than three parts"))?;
        let port = port(number)
            .map_err(bad)?
            .ok_or_else(|| bad("it names no port"))?;
        let host = match name {
            "*" => None,
            _ => {
                let host = host(name).map_err(bad)?;
                Some(host.ok_or_else(|| bad("it names no host; every host is `*`"))?)
            }
        };
        let addresses = list
            .split(',')
            .map(|address| {
                let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
                bare.unwrap_or(address)
                    .parse()
                    .map_err(|_| bad(&format!("`{}` is no IP address", address.escape_debug())))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            host,
            port,
            addresses,
        })
    }
}

impl fmt::Display for Resolve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) if host.contains(':') => write!(f, "[{host}]")?,
            Some(host) => f.write_str(host)?,
            None => f.write_str("*")?,
        }
        write!(f, ":{}", self.port)?;
        for (index, address) in self.addresses.iter().enumerate() {
            f.write_str(if index == 0 { ":" } else { "," })?;
            match address {
                IpAddr::V4(address) => write!(f, "{address}")?,
                IpAddr::V6(address) => write!(f, "[{address}]")?,
            }
        }
        Ok(())
    }
}

/// The parts between colons; those in brackets belong to an address.
fn split(text: &str) -> Result<Vec<&str>, &'static str> {
    let mut parts = Vec::new();
    let mut left = Some(text);
    while let Some(text) = left {
        let (part, rest) = split_first(text)?;
        parts.push(part);
        left = rest;
    }
    Ok(parts)
}

/// The first part, without its brackets, and what stands behind its colon.
fn split_first(text: &str) -> Result<(&str, Option<&str>), &'static str> {
    let Some(inner) = text.strip_prefix('[') else {
        return Ok(match text.split_once(':') {
            Some((part, rest)) => (part, Some(rest)),
            None => (text, None),
        });
    };
    let (part, rest) = inner
        .split_once(']')
        .ok_or("a bracket `[` is never closed")?;
    match rest.strip_prefix(':') {
        Some(rest) => Ok((part, Some(rest))),
        None if rest.is_empty() => Ok((part, None)),
        None => Err("something stands between `]` and the next colon"),
    }
}

/// A host in the form that it has once a URL was read, or none. It goes into what a proxy is asked, so it must be one.
fn host(text: &str) -> Result<Option<String>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Some(address.to_string()));
    }
    match Host::parse(text) {
        Ok(Host::Domain(name)) => Ok(Some(name)),
        Ok(Host::Ipv4(address)) => Ok(Some(address.to_string())),
        Ok(Host::Ipv6(_)) | Err(_) => Err("a host is a name or an IP address"),
    }
}

fn port(text: &str) -> Result<Option<u16>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse() {
        Ok(port) if port > 0 => Ok(Some(port)),
        _ => Err("a port is a number from 1 to 65535"),
    }
}

#[cfg(test)]
mod tests;
