//! The PROXY protocol, versions 1 and 2: what a proxy says of a client before the client's own first byte
//! (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ppp::{v1, v2};
use tokio::time::timeout;
use wiretalk_net::server::Incoming;
use wiretalk_net::{Blame, Error, ErrorKind};

/// What each version begins with, as far as is read at once.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, its end included.
const LONGEST_LINE: usize = 107;
/// The most that version 2 may say behind its 16 bytes: addresses take 216 at the most, the rest are extras such as names.
const MOST: usize = 4096;

/// Reads what the proxy says, and gives the stream as coming from where the proxy says it does.
///
/// A proxy that speaks for itself (`LOCAL`, `UNKNOWN`: to see whether the server is there) leaves the address as it is.
/// Dropping the future ends the connection.
///
/// # Errors
/// `Handshake` if it says something else, and `Timeout` if it does not say it within the limit.
pub async fn read_proxy_header(incoming: Incoming, limit: Duration) -> Result<Incoming, Error> {
    match timeout(limit, read(incoming)).await {
        Ok(read) => read,
        Err(_) => {
            let sentence = format!("no PROXY header came within {limit:?}");
            Err(Error::new(ErrorKind::Timeout, Blame::Peer, sentence))
        }
    }
}

async fn read(mut incoming: Incoming) -> Result<Incoming, Error> {
    let mut header = vec![0; SIGNATURE.len()];
    incoming.take(&mut header).await?;
    let source = if header == SIGNATURE {
        header.resize(16, 0);
        incoming.take(&mut header[12..]).await?;
        let length = usize::from(u16::from_be_bytes([header[14], header[15]]));
        if length > MOST {
            return Err(wrong(&format!("it is {length} bytes long")));
        }
        header.resize(16 + length, 0);
        incoming.take(&mut header[16..]).await?;
        version_2(&header)?
    } else if header.starts_with(b"PROXY ") {
        while !header.ends_with(b"\n") {
            let left = LONGEST_LINE - header.len();
            let mut more = [0; LONGEST_LINE];
            let length = match incoming.peek(&mut more[..left]).await? {
                0 => return Err(wrong("it has no end")),
                length => length,
            };
            let end = more[..length].iter().position(|byte| *byte == b'\n');
            let part = &mut more[..end.map_or(length, |at| at + 1)];
            incoming.take(part).await?;
            header.extend_from_slice(part);
        }
        version_1(&header)?
    } else {
        return Err(wrong("the stream begins with something else"));
    };
    Ok(match source {
        Some(address) => incoming.from_peer(address),
        None => incoming,
    })
}

fn version_1(header: &[u8]) -> Result<Option<SocketAddr>, Error> {
    let header = v1::Header::try_from(header).map_err(|error| wrong(&error.to_string()))?;
    Ok(match header.addresses {
        v1::Addresses::Unknown => None,
        v1::Addresses::Tcp4(v4) => Some(at(v4.source_address.into(), v4.source_port)),
        v1::Addresses::Tcp6(v6) => Some(at(v6.source_address.into(), v6.source_port)),
    })
}

fn version_2(header: &[u8]) -> Result<Option<SocketAddr>, Error> {
    let header = v2::Header::try_from(header).map_err(|error| wrong(&error.to_string()))?;
    if header.command == v2::Command::Local {
        return Ok(None);
    }
    Ok(match header.addresses {
        v2::Addresses::IPv4(v4) => Some(at(v4.source_address.into(), v4.source_port)),
        v2::Addresses::IPv6(v6) => Some(at(v6.source_address.into(), v6.source_port)),
        v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
    })
}

fn at(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address, port)
}

fn wrong(why: &str) -> Error {
    let sentence = format!("this is no PROXY header: {why}");
    Error::new(ErrorKind::Handshake, Blame::Peer, sentence)
}
