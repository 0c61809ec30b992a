//! The way to a connection's core for [`crate::raw`], whole or split.

use std::{future::poll_fn, time::Duration};

use wiretalk_proto::raw::RawFrame;

use super::{
    Sender, WebSocket,
    core::{Core, Outgoing},
};
use crate::{error::Error, raw::Chop};

/// A connection that is to break rules.
pub(crate) struct Unruly<'a>(Connection<'a>);

enum Connection<'a> {
    Whole(&'a mut Core),
    Half(Sender),
}

impl<'a> Unruly<'a> {
    pub(crate) fn whole(socket: &'a mut WebSocket) -> Self {
        Self(Connection::Whole(&mut socket.core))
    }

    pub(crate) fn half(sender: Sender) -> Self {
        Self(Connection::Half(sender))
    }

    pub(crate) fn encode(&mut self, frame: &RawFrame) -> Result<Vec<u8>, Error> {
        self.with(|core| core.encode_raw(frame))
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let position = self.queue(bytes).await?;
        match &mut self.0 {
            Connection::Whole(core) => poll_fn(|cx| core.poll_flush(position, cx)).await,
            Connection::Half(sender) => sender.flush_to(position).await,
        }
    }

    pub(crate) async fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.queue(bytes).await.map(|_| ())
    }

    async fn queue(&mut self, bytes: &[u8]) -> Result<u64, Error> {
        let mut outgoing = Outgoing::Raw(bytes);
        match &mut self.0 {
            Connection::Whole(core) => poll_fn(|cx| core.poll_queue(&mut outgoing, cx)).await,
            Connection::Half(sender) => sender.enqueue(outgoing).await,
        }
    }

    pub(crate) fn chop(&mut self, chop: Option<Chop>) {
        self.with(|core| core.chop(chop));
    }

    pub(crate) fn stall(&mut self, by: Duration) {
        self.with(|core| core.stall(by));
    }

    pub(crate) fn resume(&mut self) {
        self.with(Core::resume);
    }

    pub(crate) fn reset(&mut self) {
        self.with(Core::abort);
    }

    /// Does something with the core; whoever waits for it looks again.
    fn with<T>(&mut self, action: impl FnOnce(&mut Core) -> T) -> T {
        match &mut self.0 {
            Connection::Whole(core) => action(core),
            Connection::Half(sender) => sender.with_core(action),
        }
    }
}
