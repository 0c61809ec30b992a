//! The opening handshake of a client over HTTP/2.

use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use bytes::Bytes;
use h2::{
    RecvStream,
    client::{Builder, SendRequest},
    ext::Protocol,
};
use http::{HeaderName, HeaderValue, Method, Uri, Version, uri::PathAndQuery};
use tokio::time::{Instant, timeout_at};
use wiretalk_proto::handshake::{
    Headers,
    client::{self, Response, ResponseErrorKind},
};

use super::{
    FRAME_SIZE, H2Stream, HEADER_LIST_SIZE, SEND_BUFFER, reason,
    wire::{Driver, Wire},
};
use crate::{
    dial::is_secret,
    error::{Blame, Error, ErrorKind, RefusedHandshake},
    transport::Transport,
};

/// How much may come before it is read: what a fast line holds in a round trip of some ten milliseconds.
const WINDOW: u32 = 2 * 1024 * 1024;

/// What it may cost to hold small frames apart, 256 bytes each: enough for a window of small messages.
const FRAME_BUDGET: usize = 64 * 1024 * 1024;

/// How long a server may take to send the body of a refusal after the head.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// What came of asking.
pub(crate) enum Opened {
    /// A WebSocket.
    Stream(Box<H2Stream>, Response),
    /// The server speaks HTTP/2, but does not take WebSockets over it (RFC 8441 3).
    NoExtendedConnect,
    /// The server wants HTTP/1.1 for this one (RFC 9113 7).
    WantsHttp1(Error),
}

/// Asks for a WebSocket on a fresh connection. Dropping the future drops the connection; nothing else runs behind it.
pub(crate) async fn open(
    stream: Transport,
    opening: &client::Request,
    secure: bool,
    deadline: Instant,
) -> Result<Opened, Error> {
    let wire = Wire::new(stream);
    let blocked = wire.blocked();
    let (mut sender, connection) = Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .data_frame_budget(FRAME_BUDGET)
        .max_frame_size(FRAME_SIZE)
        .max_header_list_size(HEADER_LIST_SIZE)
        .max_send_buffer_size(SEND_BUFFER)
        // No stream is opened before the server's settings have come: they say whether it takes this one.
        .initial_max_send_streams(0)
        .enable_push(false)
        .handshake::<_, Bytes>(wire)
        .await
        .map_err(failed)?;
    let mut driver = Driver::new(connection, blocked);
    if !settings(&mut driver, &sender).await? {
        return Ok(Opened::NoExtendedConnect);
    }
    let (mut answer, send) = sender
        .send_request(request(opening, secure)?, false)
        .map_err(failed)?;
    drop(sender);
    let head = poll_fn(|cx| match Pin::new(&mut answer).poll(cx) {
        Poll::Pending => match driver.poll(cx) {
            // A GOAWAY says more than that the stream is gone.
            Poll::Ready(Err(error)) if error.is_go_away() => Poll::Ready(Err(error)),
            // Whatever came, the stream tells of it.
            _ => Pin::new(&mut answer).poll(cx),
        },
        ready @ Poll::Ready(_) => ready,
    });
    let answer = match head.await {
        Ok(answer) => answer,
        Err(error)
            if error.is_remote() && error.reason() == Some(h2::Reason::HTTP_1_1_REQUIRED) =>
        {
            return Ok(Opened::WantsHttp1(failed(error)));
        }
        Err(error) => return Err(failed(error)),
    };
    let (head, mut receive) = answer.into_parts();
    let headers: Headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    match opening.check_connect_response(head.status.as_u16(), headers) {
        Ok(response) => {
            let stream = H2Stream::new(send, receive, Some(driver), None);
            Ok(Opened::Stream(Box::new(stream), response))
        }
        Err(error) => Err(match (error.kind(), error.response()) {
            (ResponseErrorKind::ConnectStatus(_), Some(response)) => {
                let deadline = deadline.min(Instant::now() + BODY_TIMEOUT);
                let (body, truncated) = body(&mut receive, &mut driver, deadline).await;
                Error::refused_connect(RefusedHandshake {
                    response: response.clone(),
                    body,
                    truncated,
                })
            }
            _ => Error::bad_response(&error),
        }),
    }
}

/// Waits for the server's settings. Gives whether they allow an extended CONNECT.
async fn settings(driver: &mut Driver, sender: &SendRequest<Bytes>) -> Result<bool, Error> {
    poll_fn(|cx| {
        let poll = driver.poll(cx);
        if sender.is_extended_connect_protocol_enabled() {
            return Poll::Ready(Ok(true));
        }
        // Until then it was what we began with.
        if sender.current_max_send_streams() > 0 {
            return Poll::Ready(Ok(false));
        }
        match poll {
            Poll::Ready(Ok(())) => Poll::Ready(Err(no_http2(None))),
            Poll::Ready(Err(error)) => Poll::Ready(Err(no_http2(Some(error)))),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The request of RFC 8441 5.
fn request(opening: &client::Request, secure: bool) -> Result<http::Request<()>, Error> {
    let pseudo = opening.pseudo_headers(secure);
    let invalid = |error: &dyn std::fmt::Display| {
        Error::invalid(format!("the request cannot be sent over HTTP/2: {error}"))
    };
    let path =
        PathAndQuery::try_from(pseudo.path.unwrap_or("/")).map_err(|error| invalid(&error))?;
    let uri = Uri::builder()
        .scheme(pseudo.scheme.unwrap_or("https"))
        .authority(pseudo.authority.unwrap_or_default())
        .path_and_query(path)
        .build()
        .map_err(|error| invalid(&error))?;
    let mut request = http::Request::new(());
    *request.method_mut() = Method::CONNECT;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = uri;
    for (name, value) in opening.connect_headers() {
        let name = HeaderName::try_from(name).map_err(|error| invalid(&error))?;
        let mut value = HeaderValue::try_from(value).map_err(|error| invalid(&error))?;
        // So that nobody on the way keeps it to compress by (RFC 7541 7.1.3).
        value.set_sensitive(is_secret(name.as_str()));
        request.headers_mut().append(name, value);
    }
    let protocol = Protocol::from_static(wiretalk_proto::handshake::http2::PROTOCOL);
    request.extensions_mut().insert(protocol);
    Ok(request)
}

/// The beginning of a refusal's body, and whether it is not all. Whatever goes wrong only makes it shorter.
async fn body(receive: &mut RecvStream, driver: &mut Driver, deadline: Instant) -> (Bytes, bool) {
    const LIMIT: usize = RefusedHandshake::BODY_LIMIT;
    let mut body = Vec::new();
    loop {
        let data = poll_fn(|cx| match receive.poll_data(cx) {
            Poll::Pending => {
                let _ = driver.poll(cx);
                receive.poll_data(cx)
            }
            ready @ Poll::Ready(_) => ready,
        });
        match timeout_at(deadline, data).await {
            Ok(Some(Ok(data))) => {
                let _ = receive.flow_control().release_capacity(data.len());
                body.extend_from_slice(&data);
            }
            Ok(None) => return (body.into(), false),
            Ok(Some(Err(_))) | Err(_) => return (body.into(), true),
        }
        if body.len() > LIMIT {
            body.truncate(LIMIT);
            return (body.into(), true);
        }
    }
}

/// The connection failed before the server's settings came.
fn no_http2(error: Option<h2::Error>) -> Error {
    match error {
        Some(error) if error.is_io() && !is_end(&error) => failed(error),
        Some(error) if error.is_remote() => failed(error),
        // It answered with something else, or not at all.
        Some(error) => Error::with_source(
            ErrorKind::Http2,
            Blame::Peer,
            "the server does not speak HTTP/2".to_owned(),
            error,
        ),
        None => Error::new(
            ErrorKind::Http2,
            Blame::Peer,
            "the server does not speak HTTP/2: it ended the connection without a word",
        ),
    }
}

fn is_end(error: &h2::Error) -> bool {
    use std::io::ErrorKind as Kind;
    error
        .get_io()
        .is_some_and(|error| matches!(error.kind(), Kind::BrokenPipe | Kind::UnexpectedEof))
}

/// No answer came, for the stream or the connection failed.
fn failed(error: h2::Error) -> Error {
    if is_end(&error) {
        let sentence = "the server ended the HTTP/2 connection without an answer to the handshake";
        return Error::with_source(ErrorKind::Http2, Blame::Peer, sentence.to_owned(), error);
    }
    if error.is_io() {
        return match error.into_io() {
            Some(error) => Error::io("the handshake over HTTP/2 failed", error),
            None => Error::handshake("the handshake over HTTP/2 failed"),
        };
    }
    let advice = match error.reason() {
        Some(h2::Reason::REFUSED_STREAM) => ": it did nothing about it, so it may be tried again",
        Some(h2::Reason::ENHANCE_YOUR_CALM) => ": it takes us to ask too much of it",
        Some(h2::Reason::HTTP_1_1_REQUIRED) => ": it wants HTTP/1.1",
        _ => "",
    };
    let why = if error.is_remote() {
        reason(&error).replace("the peer", "the server")
    } else {
        format!("the server broke the rules of HTTP/2 ({})", reason(&error))
    };
    let sentence = format!("no answer to the handshake came over HTTP/2: {why}{advice}");
    Error::with_source(ErrorKind::Http2, Blame::Peer, sentence, error)
}

#[cfg(test)]
mod tests;
