//! Servers that are dialed without a proxy: the list that `no_proxy` holds.

use std::{net::IpAddr, str::FromStr};

use crate::error::Error;

/// Servers that are dialed without a proxy. Read from a list with commas or spaces between:
///
/// - `example.com`, `.example.com` or `*.example.com`: that name and every name under it,
/// - `127.0.0.1`, `::1`: that address, if the URL names it,
/// - `10.0.0.0/8`, `fd00::/8`: every address of that network, if the URL names one,
/// - each of them with a port (`example.com:8443`, `[::1]:8443`): only that port,
/// - `*`: every server.
///
/// Names are not resolved for it, and loopback is nothing special: `localhost` goes to the proxy unless it is listed.
///
/// ```
/// use wiretalk_net::NoProxy;
///
/// let list: NoProxy = "localhost, .example.com, 10.0.0.0/8, [::1]:8443".parse()?;
/// assert!("10.0.0.0/33".parse::<NoProxy>().is_err());
/// # Ok::<(), wiretalk_net::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    servers: Servers,
    /// `None`: every port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Servers {
    All,
    /// In small letters, without a dot at either end.
    Name(String),
    /// All addresses that begin with as many bits of it.
    Network(IpAddr, u32),
}

impl NoProxy {
    /// Whether this server is in the list. The host has no brackets.
    pub(super) fn has(&self, host: &str, port: u16) -> bool {
        let address: Option<IpAddr> = host.parse().ok();
        let name = host.strip_suffix('.').unwrap_or(host);
        self.entries.iter().any(|entry| {
            let is_host = match (&entry.servers, address) {
                (Servers::All, _) => true,
                (Servers::Network(network, bits), Some(address)) => {
                    prefix(address, *bits) == prefix(*network, *bits)
                }
                (Servers::Name(listed), None) => is_under(name, listed),
                (Servers::Network(..), None) | (Servers::Name(_), Some(_)) => false,
            };
            is_host && entry.port.is_none_or(|listed| listed == port)
        })
    }
}

impl FromStr for NoProxy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let entries = text
            .split(|character: char| character == ',' || character.is_ascii_whitespace())
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                self::entry(entry).map_err(|why| {
                    Error::invalid(format!(
                        "`{}` is not a server to go to without a proxy: {why}",
                        entry.escape_debug()
                    ))
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { entries })
    }
}

fn entry(text: &str) -> Result<Entry, &'static str> {
    let (host, port) = split_port(text)?;
    let servers = if host == "*" {
        Servers::All
    } else if let Ok(address) = host.parse::<IpAddr>() {
        Servers::Network(address, width(address))
    } else if let Some((network, bits)) = host.split_once('/') {
        let network: IpAddr = network
            .parse()
            .map_err(|_| "what stands before the slash is no IP address")?;
        let bits = bits.parse().ok().filter(|bits| *bits <= width(network));
        Servers::Network(
            network,
            bits.ok_or("its network has more bits than an address")?,
        )
    } else {
        let name = host.strip_prefix("*.").or(host.strip_prefix('.'));
        let name = name.unwrap_or(host);
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.is_empty() || name.contains(['*', '/', '[', ']']) {
            return Err("a name has no `*` but at its begin, and is not empty");
        }
        Servers::Name(name.to_ascii_lowercase())
    };
    Ok(Entry { servers, port })
}

/// An IPv6 address without brackets has no port.
fn split_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    let number = |port: &str| {
        port.parse()
            .map_err(|_| "its port is no number up to 65535")
    };
    if let Some(inner) = text.strip_prefix('[') {
        let (host, rest) = inner.split_once(']').ok_or("its bracket is never closed")?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(number(port)?))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err("something follows its bracket that is no port"),
        };
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => Ok((host, Some(number(port)?))),
        _ => Ok((text, None)),
    }
}

fn is_under(name: &str, listed: &str) -> bool {
    let Some(begin) = name.len().checked_sub(listed.len()) else {
        return false;
    };
    let name = name.as_bytes();
    name[begin..].eq_ignore_ascii_case(listed.as_bytes()) && (begin == 0 || name[begin - 1] == b'.')
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The family and the first bits of an address.
fn prefix(address: IpAddr, bits: u32) -> (bool, u128) {
    let (number, width) = match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let dropped = u32::saturating_sub(width, bits);
    (address.is_ipv6(), number.checked_shr(dropped).unwrap_or(0))
}

#[cfg(test)]
mod tests;
