//! HTTP's CONNECT: RFC 9110 9.3.6.

use std::{fmt::Write, io};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wiretalk_proto::handshake::{Progress, client::Response};

use super::{Proxy, Scheme, authority};
use crate::{
    dial::{deadline::Deadline, refusal},
    error::{Error, ProxyFailure},
    transport::Transport,
};

/// Asks the proxy at the other end of the stream for a tunnel to the host and port.
pub(in crate::dial) async fn connect(
    proxy: &Proxy,
    stream: &mut Transport,
    (host, port): (&str, u16),
    deadline: Deadline,
) -> Result<(), Error> {
    let target = authority(host, port);
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(credentials) = &proxy.credentials {
        // Writing to a string cannot fail.
        let _ = write!(request, "Proxy-Authorization: {}\r\n", credentials.basic());
    }
    request.push_str("\r\n");
    let broke = |error: io::Error| {
        let why = format!("broke off when it was asked for {target}: {error}");
        proxy.failed(ProxyFailure::Protocol, why)
    };
    stream.write_all(request.as_bytes()).await.map_err(broke)?;
    stream.flush().await.map_err(broke)?;

    let mut input = Vec::with_capacity(1024);
    loop {
        match Response::parse(&input) {
            Ok(Progress::Partial) => {}
            Ok(Progress::Complete { consumed, head }) => {
                let behind = input.split_off(consumed);
                return match head.status {
                    200..=299 if behind.is_empty() => Ok(()),
                    200..=299 => Err(proxy.failed(
                        ProxyFailure::Protocol,
                        format_args!(
                            "sent {} bytes behind its answer, before anything was asked for through the tunnel",
                            behind.len()
                        ),
                    )),
                    _ => {
                        let answer = refusal::read(stream, head, behind, deadline.at).await;
                        Err(refused(proxy, &target, answer))
                    }
                };
            }
            Err(error) => {
                let hint = match (input.first(), proxy.scheme) {
                    (Some(21 | 22), Scheme::Http) => ": it may want https://",
                    (Some(4 | 5), _) => ": it may want socks5://",
                    _ => "",
                };
                let why = format!("does not answer as an HTTP proxy: {error}{hint}");
                return Err(proxy.failed(ProxyFailure::Protocol, why));
            }
        }
        if stream.read_buf(&mut input).await.map_err(broke)? == 0 {
            let when = if input.is_empty() {
                "without an answer"
            } else {
                "in the middle of its answer"
            };
            let why = format!("ended the stream {when} when it was asked for {target}");
            return Err(proxy.failed(ProxyFailure::Protocol, why));
        }
    }
}

fn refused(proxy: &Proxy, target: &str, answer: crate::RefusedHandshake) -> Error {
    let Response { status, reason, .. } = &answer.response;
    let space = if reason.is_empty() { "" } else { " " };
    let status_line = format!("{status}{space}{}", reason.escape_debug());
    let (failure, sentence) = match *status {
        // The first is for servers, and some proxies answer it all the same.
        401 | 407 => {
            let wants = if proxy.credentials.is_some() {
                "does not take the user name and the password that it was given"
            } else {
                "wants a user name and a password"
            };
            let schemes = schemes(&answer.response);
            let takes = if schemes.is_empty() {
                String::new()
            } else {
                format!("; it takes {}", schemes.join(", "))
            };
            (
                ProxyFailure::Authentication,
                format!("the proxy {proxy} {wants}: it answered {status_line}{takes}"),
            )
        }
        500..=599 => (
            ProxyFailure::Target,
            format!("the proxy {proxy} could not connect to {target}: it answered {status_line}"),
        ),
        _ => (
            ProxyFailure::Denied,
            format!("the proxy {proxy} will not connect to {target}: it answered {status_line}"),
        ),
    };
    Error::proxy(failure, sentence, Some(answer), None)
}

/// The names of the authentication schemes that the proxy takes (RFC 9110 11.7.1). A challenge is a name, and perhaps
/// parameters with commas between, as there are between challenges.
fn schemes(response: &Response) -> Vec<String> {
    let mut names = Vec::new();
    let proxys = response.headers.get_all("Proxy-Authenticate");
    for value in proxys.chain(response.headers.get_all("WWW-Authenticate")) {
        let value = String::from_utf8_lossy(value);
        // Commas in quotes part nothing.
        let mut quoted = false;
        let parts = value.split(|character| {
            quoted ^= character == '"';
            character == ',' && !quoted
        });
        for part in parts {
            let name = part.split_ascii_whitespace().next().unwrap_or_default();
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            if !name.is_empty()
                && name.bytes().all(is_name)
                && !names.iter().any(|known| known == name)
            {
                names.push(name.to_owned());
            }
        }
    }
    names
}
