//! What every server asks of a handshake, whichever way it comes in: the stand-alone server, axum, tower.

use std::sync::Arc;

use crate::{
    Config, DeflateConfig,
    server::{AcceptOptions, Origins, Upgrade},
};

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
}
