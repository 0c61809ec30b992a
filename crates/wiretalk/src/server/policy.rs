//! What every server asks of a handshake, whichever way it comes in: the stand-alone server, axum, tower.

use std::sync::Arc;

#[cfg(any(feature = "axum", feature = "tower"))]
use http::{HeaderMap, Uri};

use crate::{
    Config, DeflateConfig,
    server::{AcceptOptions, Origins, Upgrade},
};
#[cfg(any(feature = "axum", feature = "tower"))]
use crate::{Error, WebSocket, server::Reply};

/// What is agreed to, and with whom.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) origins: Origins,
    /// The best liked first.
    pub(crate) subprotocols: Arc<[String]>,
    pub(crate) deflate: Option<DeflateConfig>,
    pub(crate) config: Arc<Config>,
}

impl Default for Policy {
    fn default() -> Self {
        let AcceptOptions {
            deflate, config, ..
        } = AcceptOptions::default();
        Self {
            origins: Origins::default(),
            subprotocols: Arc::default(),
            deflate,
            config,
        }
    }
}

impl Policy {
    pub(crate) fn set_subprotocols<S: Into<String>>(
        &mut self,
        subprotocols: impl IntoIterator<Item = S>,
    ) {
        self.subprotocols = subprotocols.into_iter().map(Into::into).collect();
    }

    /// The connection's settings, to change them.
    pub(crate) fn config_mut(&mut self) -> &mut Config {
        Arc::make_mut(&mut self.config)
    }

    /// The largest message, and so the largest frame.
    pub(crate) fn set_message_size(&mut self, bytes: usize) {
        let limits = &mut self.config_mut().limits;
        limits.message_size = bytes;
        limits.frame_size = bytes as u64;
    }

    /// The subprotocol that the server likes best of those that the client offers.
    pub(crate) fn subprotocol(&self, upgrade: &Upgrade) -> Option<String> {
        let offers = |own: &&String| upgrade.subprotocols().any(|offered| offered == *own);
        self.subprotocols.iter().find(offers).cloned()
    }

    /// Accepts a handshake that came to somebody else's HTTP server, or gives the answer that refuses it.
    #[cfg(any(feature = "axum", feature = "tower"))]
    pub(crate) fn accept(
        &self,
        upgrade: Upgrade,
        uri: &Uri,
        headers: &HeaderMap,
        answered: HeaderMap,
    ) -> Result<
        (
            Reply,
            impl Future<Output = Result<WebSocket, Error>> + Send + use<>,
        ),
        Box<Reply>,
    > {
        if let Some(refusal) = self.origins.refusal(uri, headers) {
            return Err(Box::new(refusal));
        }
        let options = AcceptOptions {
            subprotocol: self.subprotocol(&upgrade),
            headers: answered,
            deflate: self.deflate,
            config: Arc::clone(&self.config),
        };
        // It can only be a header that belongs to the handshake, and so a mistake of the program's.
        let failed = |error: Error| Box::new(Reply::text(500, format!("{error}\n")));
        upgrade.accept(options).map_err(failed)
    }
}
