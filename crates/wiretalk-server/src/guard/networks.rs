//! Lists of networks, and where a client really is behind proxies.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use http::HeaderMap;
use ipnet::IpNet;

use wiretalk_net::{Blame, Error, ErrorKind};

/// Networks, such as `192.0.2.0/24`, `2001:db8::/32` or `127.0.0.1` (RFC 4632, RFC 4291).
///
/// An address of IPv4 that comes in the form of IPv6 (`::ffff:192.0.2.1`) is that of IPv4.
///
/// ```
/// use wiretalk_server::guard::Networks;
///
/// # fn main() -> Result<(), wiretalk_net::Error> {
/// let office = Networks::list(["192.0.2.0/24", "2001:db8::1"])?;
/// assert!(office.contains("192.0.2.7".parse().unwrap()));
/// assert!(office.contains("::ffff:192.0.2.7".parse().unwrap()));
/// assert!(!office.contains("198.51.100.1".parse().unwrap()));
/// assert!(Networks::list(["192.0.2.0/33"]).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// These networks.
    ///
    /// ```
    /// assert!(wiretalk_server::guard::Networks::list(["10.0.0.0/8"]).is_ok());
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for what is no network.
    pub fn list<S: AsRef<str>>(networks: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let parsed = networks.into_iter().map(|text| network(text.as_ref()));
        Ok(Self(parsed.collect::<Result<_, _>>()?))
    }

    /// Whether there is none.
    ///
    /// ```
    /// assert!(wiretalk_server::guard::Networks::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an address is in one of them.
    ///
    /// ```
    /// let all = wiretalk_server::guard::Networks::list(["0.0.0.0/0"]).unwrap();
    /// assert!(all.contains("192.0.2.7".parse().unwrap()));
    /// assert!(!all.contains("2001:db8::1".parse().unwrap()));
    /// ```
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

fn network(text: &str) -> Result<IpNet, Error> {
    let parsed = match text.contains('/') {
        true => IpNet::from_str(text).ok(),
        false => IpAddr::from_str(text)
            .ok()
            .map(|address| IpNet::from(address.to_canonical())),
    };
    parsed.ok_or_else(|| {
        let text = text.escape_debug();
        let sentence = format!(
            "`{text}` is no network: write an address, or one with the length of its prefix, as in `192.0.2.0/24` or `2001:db8::/32`"
        );
        Error::new(ErrorKind::InvalidInput, Blame::Us, sentence)
    })
}

/// The header in which trusted proxies say where a client is.
///
/// Only one is looked at: a proxy that writes one of them lets the other pass as the client wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedBy {
    /// `X-Forwarded-For`: addresses, each proxy's peer at the end.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Where a client really is: as far as trusted proxies tell, read from the last of them on.
///
/// What a client writes into the header itself stands before what the first trusted proxy adds, and is never reached.
/// An entry that is no address ends the way: the client is then where the last address was.
pub(super) fn real_address(
    peer: IpAddr,
    headers: &HeaderMap,
    trusted: &Networks,
    by: ForwardedBy,
) -> IpAddr {
    let peer = peer.to_canonical();
    if trusted.is_empty() || !trusted.contains(peer) {
        return peer;
    }
    let name = match by {
        ForwardedBy::XForwardedFor => "x-forwarded-for",
        ForwardedBy::Forwarded => "forwarded",
    };
    let mut address = peer;
    for line in headers.get_all(name).iter().rev() {
        // In bytes: what the client wrote before a proxy's own entry may be no text, and is not to hide that.
        for entry in line.as_bytes().rsplit(|byte| *byte == b',') {
            let entry = std::str::from_utf8(entry).ok();
            let address_in = match by {
                ForwardedBy::XForwardedFor => entry,
                ForwardedBy::Forwarded => entry.and_then(|entry| {
                    entry.split(';').find_map(|pair| {
                        let (name, value) = pair.split_once('=')?;
                        name.trim().eq_ignore_ascii_case("for").then_some(value)
                    })
                }),
            };
            match address_in.and_then(node) {
                Some(next) => address = next,
                None => return address,
            }
            if !trusted.contains(address) {
                return address;
            }
        }
    }
    address
}

/// An address as proxies write it: with a port or without, IPv6 in brackets, in quotes (RFC 7239 6).
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let host = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => text.rsplit_once(':')?.0,
    };
    host.parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

/// What counts as one address when clients are counted: of IPv6 the first 64 bits, for the rest is the client's to choose.
pub(super) fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
    }
}
