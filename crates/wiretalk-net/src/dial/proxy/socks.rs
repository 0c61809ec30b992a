//! The client's side of SOCKS5: RFC 1928, with the user names and passwords of RFC 1929.
//!
//! It is written here because it is short: what could be had brings four more crates and says less of what went wrong.

use std::{io, net::IpAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Proxy, authority};
use crate::{
    error::{Error, ProxyFailure},
    transport::Transport,
};

const VERSION: u8 = 5;
/// The version of RFC 1929.
const PASSWORD_VERSION: u8 = 1;

/// Methods of authentication (RFC 1928 3).
const METHOD_NONE: u8 = 0;
const METHOD_PASSWORD: u8 = 2;
const METHOD_REFUSED: u8 = 0xff;

const COMMAND_CONNECT: u8 = 1;

/// Kinds of addresses (RFC 1928 5).
const ADDRESS_V4: u8 = 1;
const ADDRESS_NAME: u8 = 3;
const ADDRESS_V6: u8 = 4;

/// Asks the proxy at the other end of the stream to connect to the host and port. A host that is no address is resolved
/// by the proxy.
pub(in crate::dial) async fn socks(
    proxy: &Proxy,
    stream: &mut Transport,
    (host, port): (&str, u16),
) -> Result<(), Error> {
    let request = request(host, port)?;
    authenticate(proxy, stream).await?;
    send(proxy, stream, &request).await?;

    let [version, reply, _reserved, kind] = read(proxy, stream).await?;
    if version != VERSION {
        return Err(no_socks(proxy, version));
    }
    if let Some((failure, why)) = refusal(reply) {
        let target = authority(host, port);
        let sentence = format!("could not connect to {target}: {why} (SOCKS reply {reply})");
        return Err(proxy.failed(failure, sentence));
    }
    // The address that the proxy dials from, which is of no use here.
    match kind {
        ADDRESS_V4 => drop(read::<6>(proxy, stream).await?),
        ADDRESS_V6 => drop(read::<18>(proxy, stream).await?),
        ADDRESS_NAME => {
            let [length] = read(proxy, stream).await?;
            let mut rest = vec![0; usize::from(length) + 2];
            let result = stream.read_exact(&mut rest).await;
            result.map_err(|error| broke(proxy, &error))?;
        }
        other => {
            let why = format!("told an address of a kind that SOCKS5 does not know ({other})");
            return Err(proxy.failed(ProxyFailure::Protocol, why));
        }
    }
    Ok(())
}

/// RFC 1928 4.
fn request(host: &str, port: u16) -> Result<Vec<u8>, Error> {
    let mut request = vec![VERSION, COMMAND_CONNECT, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(ADDRESS_V4);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(ADDRESS_V6);
            request.extend(address.octets());
        }
        Err(_) => {
            let length = u8::try_from(host.len()).map_err(|_| {
                Error::invalid("SOCKS takes no host name of more than 255 bytes (RFC 1928 5)")
            })?;
            request.extend([ADDRESS_NAME, length]);
            request.extend(host.as_bytes());
        }
    }
    request.extend(port.to_be_bytes());
    Ok(request)
}

/// RFC 1928 3, RFC 1929 2.
async fn authenticate(proxy: &Proxy, stream: &mut Transport) -> Result<(), Error> {
    let methods: &[u8] = match &proxy.credentials {
        Some(_) => &[VERSION, 2, METHOD_NONE, METHOD_PASSWORD],
        None => &[VERSION, 1, METHOD_NONE],
    };
    send(proxy, stream, methods).await?;
    let [version, method] = read(proxy, stream).await?;
    if version != VERSION {
        return Err(no_socks(proxy, version));
    }
    match (method, &proxy.credentials) {
        (METHOD_NONE, _) => Ok(()),
        (METHOD_PASSWORD, Some(credentials)) => {
            let mut message = vec![PASSWORD_VERSION];
            for text in [&credentials.user, &credentials.password] {
                let too_long = |_| {
                    let why = "SOCKS takes no user name and no password over 255 bytes (RFC 1929)";
                    Error::invalid(why)
                };
                message.push(u8::try_from(text.len()).map_err(too_long)?);
                message.extend(text.as_bytes());
            }
            send(proxy, stream, &message).await?;
            let [_version, status] = read(proxy, stream).await?;
            if status == 0 {
                return Ok(());
            }
            let why = "does not take the user name and the password that it was given";
            Err(proxy.failed(ProxyFailure::Authentication, why))
        }
        (METHOD_REFUSED, None) => Err(proxy.failed(
            ProxyFailure::Authentication,
            "wants a user name and a password, or another way to tell who asks",
        )),
        (METHOD_REFUSED, Some(_)) => Err(proxy.failed(
            ProxyFailure::Authentication,
            "takes neither a user name with a password nor none at all",
        )),
        (other, _) => {
            let why = format!("chose a way to authenticate that was not offered ({other})");
            Err(proxy.failed(ProxyFailure::Protocol, why))
        }
    }
}

/// What a reply says that is not success (RFC 1928 6).
fn refusal(reply: u8) -> Option<(ProxyFailure, &'static str)> {
    use ProxyFailure::{Denied, Protocol, Target};
    Some(match reply {
        0 => return None,
        1 => (Target, "it failed, and does not say why"),
        2 => (Denied, "its rules do not allow it"),
        3 => (Target, "the network cannot be reached"),
        4 => (Target, "the host cannot be reached or resolved"),
        5 => (Target, "the connection was refused"),
        6 => (Target, "the time to live was over"),
        7 => (Protocol, "it does not know the command CONNECT"),
        8 => (Target, "it does not know this kind of address"),
        _ => (Protocol, "it gave a reason that SOCKS5 does not know"),
    })
}

async fn send(proxy: &Proxy, stream: &mut Transport, bytes: &[u8]) -> Result<(), Error> {
    let broke = |error: io::Error| broke(proxy, &error);
    stream.write_all(bytes).await.map_err(broke)?;
    stream.flush().await.map_err(broke)
}

async fn read<const N: usize>(proxy: &Proxy, stream: &mut Transport) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    match stream.read_exact(&mut bytes).await {
        Ok(_) => Ok(bytes),
        Err(error) => Err(broke(proxy, &error)),
    }
}

fn broke(proxy: &Proxy, error: &io::Error) -> Error {
    let why = match error.kind() {
        io::ErrorKind::UnexpectedEof => "ended the stream in the SOCKS handshake".to_owned(),
        _ => format!("broke off in the SOCKS handshake: {error}"),
    };
    proxy.failed(ProxyFailure::Protocol, why)
}

fn no_socks(proxy: &Proxy, version: u8) -> Error {
    let hint = match version {
        b'H' => ": it answers in HTTP, and may want http://",
        _ => "",
    };
    let why = format!("does not speak SOCKS5{hint}");
    proxy.failed(ProxyFailure::Protocol, why)
}
