//! The opening handshake: RFC 6455 section 4.
//!
//! [`client`] writes the request and judges the response; [`server`] judges the request and writes the response. Who
//! parses HTTP elsewhere hands header lists to [`server::check`]; who has bytes uses the parsers here. [`http2`] is the
//! form that the handshake has over HTTP/2.

pub mod client;
mod extension;
mod head;
pub mod http2;
pub mod server;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

pub use extension::Extension;
pub use head::{HEAD_LIMIT, HEADER_COUNT_LIMIT, HeadError, HeaderError, Headers, Progress};

/// The one version of the protocol that there is (section 4.1).
pub const VERSION: &str = "13";

/// What section 1.3 appends to the key before hashing.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The value of `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` (section 4.2.2, step 5.4), both as they
/// stand in the header.
#[must_use]
pub fn accept_value(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(GUID);
    STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests;
