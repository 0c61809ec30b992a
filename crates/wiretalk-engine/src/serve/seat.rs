//! What is known of a client for as long as it is connected.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use wiretalk_hub::ConnectionId;
use wiretalk_server::Meter;

use super::ClientId;
use super::trace::Traced;

/// A client with its place in the hub. There is one of each, which all share who look at it.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) client: ClientId,
    /// Where it comes from.
    pub(super) peer: SocketAddr,
    /// What it asked for.
    pub(super) target: Arc<str>,
    pub(super) subprotocol: Option<Box<str>>,
    pub(super) since: Timestamp,
    pub(super) meter: Arc<Meter>,
    pub(super) traced: Traced,
}

impl Seat {
    /// Its place in the hub.
    pub(super) fn id(&self) -> ConnectionId {
        ConnectionId(self.client.0)
    }
}

/// Names of which many clients in a row have the same: such are there once.
#[derive(Debug, Default)]
pub(super) struct Latest(Option<Arc<str>>);

impl Latest {
    pub(super) fn share(&mut self, name: &str) -> Arc<str> {
        match &self.0 {
            Some(latest) if **latest == *name => Arc::clone(latest),
            _ => Arc::clone(self.0.insert(name.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_twice_is_one() {
        let mut latest = Latest::default();
        let first = latest.share("/chat");
        assert!(Arc::ptr_eq(&first, &latest.share("/chat")));
        assert_eq!(&*latest.share("/other"), "/other");
        assert_eq!(latest.share("/chat"), first);
    }
}
