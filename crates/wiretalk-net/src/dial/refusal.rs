//! The beginning of the body of a refusal, which often says why.

use std::time::Duration;

use bytes::Bytes;
use tokio::{
    io::AsyncReadExt,
    time::{Instant, timeout_at},
};
use wiretalk_proto::handshake::client::Response;

use crate::{error::RefusedHandshake, transport::Transport};

/// How long a server may take to send the body after the head.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// How much longer than its content a body in chunks may be, before it is cut.
const CHUNK_OVERHEAD: usize = 4;

/// How the end of a body is told (RFC 9112 6.3).
enum Framing {
    Length(usize),
    Chunked,
    UntilEnd,
}

/// Reads the body, of which the first bytes have come. Whatever goes wrong only makes it shorter.
pub(super) async fn read(
    stream: &mut Transport,
    response: Response,
    mut raw: Vec<u8>,
    deadline: Instant,
) -> RefusedHandshake {
    const LIMIT: usize = RefusedHandshake::BODY_LIMIT;
    let framing = framing(&response);
    let deadline = deadline.min(Instant::now() + BODY_TIMEOUT);
    let mut ended = false;
    loop {
        let (mut body, complete) = match framing {
            Framing::Length(length) => (raw[..raw.len().min(length)].to_vec(), raw.len() >= length),
            Framing::Chunked => dechunk(&raw),
            Framing::UntilEnd => (raw.clone(), ended),
        };
        let too_long = body.len() > LIMIT || raw.len() > LIMIT * CHUNK_OVERHEAD;
        if complete || ended || too_long {
            let truncated = !complete || body.len() > LIMIT;
            body.truncate(LIMIT);
            return RefusedHandshake {
                response,
                body: Bytes::from(body),
                truncated,
            };
        }
        match timeout_at(deadline, stream.read_buf(&mut raw)).await {
            Ok(Ok(read)) if read > 0 => {}
            _ => ended = true,
        }
    }
}

fn framing(response: &Response) -> Framing {
    if matches!(response.status, 100..=199 | 204 | 304) {
        return Framing::Length(0);
    }
    if let Some(coding) = response.headers.get("Transfer-Encoding") {
        return if coding.trim_ascii().eq_ignore_ascii_case(b"chunked") {
            Framing::Chunked
        } else {
            Framing::UntilEnd
        };
    }
    let length = response.headers.get("Content-Length");
    match length.and_then(|length| std::str::from_utf8(length).ok()?.trim().parse().ok()) {
        Some(length) => Framing::Length(length),
        None => Framing::UntilEnd,
    }
}

/// The content of a body in chunks (RFC 9112 7.1), as far as it came, and whether the last chunk did.
fn dechunk(mut raw: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = raw.windows(2).position(|pair| pair == b"\r\n") {
        let digits = raw[..end]
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii();
        let size = std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| usize::from_str_radix(digits, 16).ok());
        match size {
            Some(0) | None => return (body, size.is_some()),
            Some(size) => {
                let rest = &raw[end + 2..];
                body.extend_from_slice(&rest[..rest.len().min(size)]);
                match rest.get(size.saturating_add(2)..) {
                    Some(next) => raw = next,
                    None => break,
                }
            }
        }
    }
    (body, false)
}

#[cfg(test)]
mod tests;
