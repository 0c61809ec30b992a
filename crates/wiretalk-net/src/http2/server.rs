//! HTTP/2 on an accepted connection.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering},
    task::{Poll, ready},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream::FuturesUnordered;
use h2::{
    Reason, RecvStream,
    ext::Protocol,
    server::{Builder, SendResponse},
};
use http::{HeaderValue, Method, StatusCode, Uri, header, uri::Scheme};
use tokio::{
    net::TcpStream,
    sync::oneshot,
    time::{Instant, sleep, timeout},
};
use wiretalk_proto::handshake::http2::is_connection_header;

use super::{FRAME_SIZE, H2Stream, SEND_BUFFER, reason, wire::Wire};
use crate::{
    config::FOREVER,
    error::{Blame, Error, ErrorKind},
    server::{Reply, ServeOptions},
    transport::Transport,
};

/// How much of one stream may come before it is read.
const STREAM_WINDOW: u32 = 256 * 1024;

/// How much of all streams together may come before it is read: the bound on what one connection can make us hold.
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;

/// As much again for what it costs to hold small frames apart, 256 bytes each. Whoever needs more of it than that is sent
/// away, so this is enough for some streams full of the smallest messages that nobody reads for the moment.
const FRAME_BUDGET: usize = 32 * 1024 * 1024;

/// How many streams a client may have open.
const STREAMS: u32 = 1024;

/// How many streams a client may have reset before they were looked at: the measure against rapid resets
/// (CVE-2023-44487).
const PENDING_RESETS: usize = 64;

/// How long the rest of a preface is waited for before it is looked at again: the first time, and at most.
const PART: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(320));

/// A request, as it comes from HTTP/2.
pub(crate) struct Asked {
    /// As in HTTP/1.1: the path is the target, and `:authority` is in `Host` (RFC 9113 8.3.1).
    pub(crate) head: http::request::Parts,
    /// What HTTP/1.1 does not have.
    pub(crate) pseudo: Pseudo,
    /// The stream, once the request was answered with 2xx.
    pub(crate) stream: oneshot::Receiver<H2Stream>,
}

/// The pseudo-headers that HTTP/1.1 has no place for.
#[derive(Debug)]
pub(crate) struct Pseudo {
    /// `:scheme`.
    pub(crate) scheme: Option<Scheme>,
    /// `:protocol`, if it is an extended CONNECT.
    pub(crate) protocol: Option<String>,
}

/// Whether the client begins with the preface of HTTP/2 (RFC 9113 3.4). No request of HTTP/1 begins with its first bytes.
pub(crate) async fn begins(tcp: &TcpStream) -> bool {
    const PREFACE: &[u8] = b"PRI ";
    let mut start = [0; PREFACE.len()];
    let (mut pause, longest) = PART;
    loop {
        // A stream that has ended or failed is for HTTP/1 to tell of.
        let Ok(length) = tcp.peek(&mut start).await else {
            return false;
        };
        if length == 0 || !PREFACE.starts_with(&start[..length]) {
            return false;
        }
        if length == PREFACE.len() {
            return true;
        }
        // A part of it came alone, which hardly happens. The socket is ready as long as that lies there.
        sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

/// Serves one connection until the client ends it, or asks for nothing for as long as a handshake may take. What became
/// a WebSocket goes on as long as this is polled.
///
/// A client that takes nothing of what is left of its streams is left, too.
pub(crate) async fn serve<H, F>(
    stream: Transport,
    options: &ServeOptions,
    handler: H,
) -> Result<(), Error>
where
    H: Fn(Asked) -> F,
    F: Future<Output = Reply> + Send,
{
    let idle = options.handshake_timeout.min(FOREVER);
    let wire = Wire::new(stream);
    let moved = wire.moved();
    let handshake = Builder::new()
        .enable_connect_protocol()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .data_frame_budget(FRAME_BUDGET)
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_frame_size(FRAME_SIZE)
        .max_header_list_size(options.head_size.try_into().unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER)
        .handshake::<_, Bytes>(wire);
    let connection = match timeout(idle, handshake).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return ended(error),
        Err(_) => {
            return Err(Error::timeout(
                Blame::Peer,
                "the client did not begin to speak HTTP/2",
                idle,
            ));
        }
    };
    let mut connection = connection;
    let in_use = Arc::new(());
    let mut answers = FuturesUnordered::new();
    let mut alarm = pin!(sleep(idle));
    let (mut is_idle, mut leaving) = (false, false);
    // Whether a stream was in use at some time since the alarm.
    let mut was_used = false;
    poll_fn(|cx| {
        loop {
            match connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    was_used = true;
                    answers.push(answer(request, respond, &handler, &in_use));
                    continue;
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(ended(error)),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => {}
            }
            // What an answer sends is written by the connection, so that is looked at again.
            if let Poll::Ready(Some(())) = Pin::new(&mut answers).poll_next(cx) {
                continue;
            }
            let has_streams = connection.has_streams();
            if is_idle == has_streams {
                is_idle = !has_streams;
                alarm.as_mut().reset(Instant::now() + idle);
            }
            // Now and then also while there are streams, for one that ends wakes nobody while nothing can be written.
            ready!(alarm.as_mut().poll(cx));
            alarm.as_mut().reset(Instant::now() + idle);
            let has_moved = moved.swap(false, Ordering::Relaxed);
            let is_used = !answers.is_empty() || Arc::strong_count(&in_use) > 1;
            let was_used = std::mem::replace(&mut was_used, is_used);
            if is_used || (has_streams && (was_used || has_moved)) {
                continue;
            }
            if has_streams || leaving {
                // It takes nothing of what is left, or was told and does not end the connection.
                return Poll::Ready(Ok(()));
            }
            leaving = true;
            connection.graceful_shutdown();
        }
    })
    .await
}

/// Answers one request. Whoever takes it back is answered no more.
async fn answer<H, F>(
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    handler: &H,
    in_use: &Arc<()>,
) where
    H: Fn(Asked) -> F,
    F: Future<Output = Reply> + Send,
{
    let (mut head, receive) = request.into_parts();
    let (method, pseudo) = (head.method.clone(), http1_form(&mut head));
    let (sender, stream) = oneshot::channel();
    let mut reply = pin!(handler(Asked {
        head,
        pseudo,
        stream,
    }));
    let reply = poll_fn(|cx| match reply.as_mut().poll(cx) {
        Poll::Ready(reply) => Poll::Ready(Some(reply)),
        Poll::Pending => respond.poll_reset(cx).map(|_| None),
    });
    let Some(reply) = reply.await else {
        return;
    };
    let opens = reply.opens();
    let (mut head, body) = reply.into_head();
    let headers = head.headers_mut();
    let of_a_connection: Vec<_> = headers
        .keys()
        .filter(|name| is_connection_header(name.as_str()))
        .cloned()
        .collect();
    for name in of_a_connection {
        headers.remove(name);
    }
    if opens {
        if let Ok(send) = respond.send_response(head, false) {
            // If nobody waits for it any more, it ends with that.
            let _ = sender.send(H2Stream::new(send, receive, None, Some(Arc::clone(in_use))));
        }
        return;
    }
    if head.status().is_informational() {
        // Nothing would follow, and HTTP/2 has no 101 (RFC 9113 8.6).
        *head.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    if !head.headers().contains_key(header::DATE)
        && let Ok(now) = httpdate::fmt_http_date(SystemTime::now()).parse()
    {
        head.headers_mut().insert(header::DATE, now);
    }
    let has_body = !matches!(head.status().as_u16(), 204 | 304);
    if has_body {
        head.headers_mut()
            .entry(header::CONTENT_LENGTH)
            .or_insert(body.len().into());
    }
    let ends = body.is_empty() || !has_body || method == Method::HEAD;
    // What fails here fails because the client has gone.
    if let Ok(mut send) = respond.send_response(head, ends)
        && !ends
    {
        let _ = send.send_data(body, true);
    }
}

/// Gives a request's head the form that it has in HTTP/1.1, and what is left over.
fn http1_form(head: &mut http::request::Parts) -> Pseudo {
    let protocol = head.extensions.get::<Protocol>();
    let protocol = protocol.map(|protocol| protocol.as_str().to_owned());
    let uri = std::mem::take(&mut head.uri).into_parts();
    if let Some(authority) = &uri.authority
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        head.headers.insert(header::HOST, host);
    }
    head.uri = match (uri.path_and_query, uri.authority) {
        (Some(path), _) => path.into(),
        // A CONNECT without a path, for a proxy.
        (None, Some(authority)) => authority.into(),
        (None, None) => Uri::default(),
    };
    Pseudo {
        scheme: uri.scheme,
        protocol,
    }
}

/// How a connection ended. A client that goes away is no error; its WebSockets tell of it.
fn ended(error: h2::Error) -> Result<(), Error> {
    use std::io::ErrorKind as Kind;
    if let Some(io) = error.get_io() {
        let kind = io.kind();
        return match kind {
            Kind::BrokenPipe | Kind::ConnectionReset | Kind::UnexpectedEof => Ok(()),
            _ => Err(Error::io(
                "the HTTP/2 connection failed",
                std::io::Error::new(kind, error),
            )),
        };
    }
    if error.is_remote() {
        return match error.reason() {
            Some(Reason::NO_ERROR | Reason::CANCEL) | None => Ok(()),
            Some(_) => {
                let sentence = reason(&error).replace("the peer", "the client");
                Err(Error::with_source(
                    ErrorKind::Http2,
                    Blame::Us,
                    sentence,
                    error,
                ))
            }
        };
    }
    let sentence = format!("the client broke the rules of HTTP/2: {}", reason(&error));
    Err(Error::with_source(
        ErrorKind::Http2,
        Blame::Peer,
        sentence,
        error,
    ))
}
