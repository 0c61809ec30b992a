//! WebSocket over HTTP/2: RFC 8441, on the crate `h2`.

pub(crate) mod client;
pub(crate) mod server;
mod stream;
mod wire;

pub(crate) use self::stream::{Broken, H2Stream};

/// What ALPN calls HTTP/2 over TLS (RFC 9113 3.2).
pub(crate) const ALPN: &[u8] = b"h2";

/// The largest frame of HTTP/2 that is taken. Larger frames are fewer, and each costs the peer a write.
const FRAME_SIZE: u32 = 64 * 1024;

/// How much `h2` holds of what one stream sends before the stream is told to wait. Enough to fill a write.
const SEND_BUFFER: usize = 256 * 1024;

/// The longest list of headers that is taken, in bytes: what [`HEAD_LIMIT`](wiretalk_proto::handshake::HEAD_LIMIT) is
/// for HTTP/1.
const HEADER_LIST_SIZE: u32 = wiretalk_proto::handshake::HEAD_LIMIT as u32;

/// What went wrong with a stream or its connection, as a clause.
fn reason(error: &h2::Error) -> String {
    let by = if error.is_remote() { "the peer" } else { "we" };
    match error.reason() {
        Some(reason) if error.is_reset() => format!("{by} reset the stream with {reason:?}"),
        Some(reason) if error.is_go_away() => {
            format!("{by} ended the HTTP/2 connection with GOAWAY {reason:?}")
        }
        _ => error.to_string(),
    }
}
