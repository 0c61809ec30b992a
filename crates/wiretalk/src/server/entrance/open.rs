//! Without a guard.

use std::time::Duration;

use wiretalk_server::{gate::Gate, link::Silence};

use super::{Farewell, Turned};
use crate::{
    Error, WebSocket,
    server::{Handshake, Origins, Reply, Request, Upgrade, stand_alone::Settings},
};

/// Lets in whose origin may come.
pub(in crate::server) struct Entrance {
    origins: Origins,
    idle: Option<Duration>,
}

/// A client that is let in.
pub(in crate::server) struct Entry {
    idle: Option<Duration>,
}

impl Entrance {
    pub(in crate::server) fn new(settings: &mut Settings) -> Self {
        Self {
            origins: settings.policy.origins.clone(),
            idle: settings.idle_timeout,
        }
    }

    pub(in crate::server) fn plain(&self, _: &mut Request) -> Option<Turned> {
        None
    }

    pub(in crate::server) async fn admit(&self, request: &mut Request) -> Result<Entry, Turned> {
        match self.origins.refusal(&request.uri, &request.headers) {
            Some(reply) => Err(Turned {
                why: Some("pages of its origin may not connect".into()),
                ..Turned::by(reply)
            }),
            None => Ok(Entry { idle: self.idle }),
        }
    }

    pub(in crate::server) fn refuse(
        &self,
        _: Upgrade,
        turned: Turned,
    ) -> (Reply, Option<Farewell>) {
        (turned.reply, None)
    }

    pub(in crate::server) async fn prove(
        &self,
        entry: Entry,
        _: &mut WebSocket,
    ) -> Result<Entry, Turned> {
        Ok(entry)
    }

    pub(in crate::server) async fn keep_keys(&self, _: impl Fn(Error)) {
        std::future::pending().await
    }
}

impl Entry {
    pub(in crate::server) fn describe(&self, _: &mut Handshake) {}

    pub(in crate::server) fn is_unproven(&self) -> bool {
        false
    }

    pub(in crate::server) fn user(&self) -> Option<&str> {
        None
    }

    pub(in crate::server) fn tell(&self, _: &mut http::Extensions) {}

    pub(in crate::server) fn gate(self) -> Option<Box<dyn Gate>> {
        let gate = self.idle.map(Silence::new);
        gate.map(|gate| Box::new(gate) as Box<dyn Gate>)
    }
}
