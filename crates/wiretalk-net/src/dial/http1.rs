//! The opening handshake over HTTP/1.1.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};
use wiretalk_proto::handshake::{
    Progress,
    client::{self, Response, ResponseErrorKind},
};

use super::{refusal, request::Request, tls, url::Target};
use crate::{
    error::{Blame, Error, ErrorKind},
    transport::Transport,
};

/// The handshake's request.
pub(super) type Opening = client::Request;

/// The handshake's request. The key is fresh (section 4.1, step 7).
pub(super) fn opening(request: &Request, target: &Target) -> Result<Opening, Error> {
    let mut key = [0; 16];
    getrandom::fill(&mut key).map_err(|error| {
        Error::new(
            ErrorKind::Io,
            Blame::Us,
            format!("the system gave no random bytes: {error}"),
        )
    })?;
    let invalid = |error: client::RequestError| Error::invalid(error.to_string());
    let mut opening =
        client::Request::new(&target.authority, &target.resource, key).map_err(invalid)?;
    for subprotocol in &request.subprotocols {
        opening.subprotocol(subprotocol).map_err(invalid)?;
    }
    for deflate in &request.deflate {
        opening.deflate(*deflate);
    }
    if let Some(origin) = &request.origin {
        opening.header("Origin", origin).map_err(invalid)?;
    }
    for (name, value) in &request.headers {
        opening.header(name, value).map_err(invalid)?;
    }
    Ok(opening)
}

/// Writes the request and reads the answer. Gives the bytes that came behind it, too.
pub(super) async fn open(
    stream: &mut Transport,
    opening: &Opening,
    deadline: Instant,
) -> Result<(Response, Vec<u8>), Error> {
    let mut wire = Vec::with_capacity(512);
    opening.encode(&mut wire);
    let sent = match stream.write_all(&wire).await {
        Ok(()) => stream.flush().await,
        Err(error) => Err(error),
    };
    // A server that left may have said why before: with TLS 1.3, what it thinks of our certificate.
    let mut unsent = sent.err();

    let mut input = Vec::with_capacity(4096);
    loop {
        let read = match stream.read_buf(&mut input).await {
            Ok(0) => Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => read,
        };
        if let Err(error) = read {
            return Err(match (tls::late(&error), unsent.take()) {
                (Some(refused), _) => refused,
                (None, Some(unsent)) if input.is_empty() => {
                    Error::io("the handshake could not be sent", unsent)
                }
                (None, _) => ended(&input, error),
            });
        }
        match opening.parse_response(&input) {
            Ok(Progress::Partial) => {}
            Ok(Progress::Complete { consumed, head }) => {
                return Ok((head, input.split_off(consumed)));
            }
            Err(error) => {
                return Err(match (error.kind(), error.response()) {
                    (ResponseErrorKind::Status(_), Some(response)) => {
                        let begun = input.split_off(error.consumed());
                        Error::refused_handshake(
                            refusal::read(stream, response.clone(), begun, deadline).await,
                        )
                    }
                    // An alert (RFC 8446 5.1): the server expected TLS.
                    _ if input.starts_with(&[TLS_ALERT, 3]) => Error::handshake(
                        "the server answered in TLS, not in HTTP: it may want `wss:` instead of `ws:`",
                    ),
                    _ => Error::bad_response(&error),
                });
            }
        }
    }
}

/// The content type of a TLS record that carries an alert.
const TLS_ALERT: u8 = 21;

/// The stream ended, or failed, before the whole answer came.
fn ended(input: &[u8], error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        Error::handshake(if input.is_empty() {
            "the server ended the stream without an answer to the handshake"
        } else {
            "the server ended the stream in the middle of its answer to the handshake"
        })
    } else {
        broke("the handshake's answer could not be read", error)
    }
}

/// The stream failed. Of a reset, only the step is worth telling.
fn broke(what: &str, error: std::io::Error) -> Error {
    let error = Error::io(what, error);
    if error.kind() == ErrorKind::Reset {
        error.extended(" in the opening handshake")
    } else {
        error
    }
}
