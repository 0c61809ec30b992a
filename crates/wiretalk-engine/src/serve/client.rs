//! One client of a mock, from the upgrade to its end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use wiretalk_hub::Member;
use wiretalk_net::{CloseCode, Event as NetEvent};
use wiretalk_server::Slot;
use wiretalk_server::gate::Expelled;
use wiretalk_server::link::{Link, News};
use wiretalk_talk::player::ConnectionId;

use super::command::Command;
use super::mock::Mock;
use super::{ClientId, Event};
use crate::wire::incoming;

/// How a client left.
pub(super) struct End {
    /// The close code: the peer's, or 1006.
    pub(super) code: u16,
    pub(super) why: String,
}

/// A client whose handshake was accepted: it has its place in the hub already, so it misses nothing.
pub(super) struct Newcomer {
    pub(super) mock: Arc<Mock>,
    pub(super) id: ConnectionId,
    pub(super) member: Member<Command>,
    pub(super) came: Instant,
    /// Its place among all clients, if they are counted.
    pub(super) slot: Option<Slot>,
}

impl Newcomer {
    /// It is there: what serves it from now on.
    pub(super) fn stay(self, link: Link<Command>) -> Client {
        let Self {
            mock,
            id,
            member,
            came,
            slot,
        } = self;
        Client {
            mock,
            id,
            member: Some(member),
            came,
            link,
            paused: false,
            _slot: slot,
        }
    }

    /// It did not stay for the answer.
    pub(super) fn lost(self, why: String) {
        let end = End { code: 1006, why };
        let after = self.came.elapsed();
        self.mock.left(self.id, self.member, &end, after);
    }
}

/// Hands what comes to the talk, and does what the talk wants done, until nothing more can come.
///
/// It is a future by hand: a client that is silent takes no byte more than these.
pub(super) struct Client {
    mock: Arc<Mock>,
    id: ConnectionId,
    /// Until it leaves.
    member: Option<Member<Command>>,
    came: Instant,
    link: Link<Command>,
    /// Whether the talk has to work off what came before more is read: TCP makes the client wait.
    paused: bool,
    /// Given back when it is gone.
    _slot: Option<Slot>,
}

impl Future for Client {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            let waits = this.paused && !this.link.is_leaving();
            if waits && this.mock.poll_space(this.id, cx).is_pending() {
                this.link.poll_write(cx);
                if !this.link.is_leaving() {
                    return Poll::Pending;
                }
            }
            this.paused = false;
            match ready!(this.link.poll_next(cx)) {
                Some(News::Event(event)) => this.paused = !this.received(event),
                Some(News::Expelled(why)) => this.expelled(&why),
                None => break,
            }
        }
        if let Some(member) = this.member.take() {
            let end = end(&this.link);
            this.mock.left(this.id, member, &end, this.came.elapsed());
        }
        Poll::Ready(())
    }
}

impl Client {
    /// Whether more is to be read.
    fn received(&self, event: NetEvent) -> bool {
        // Of a client that broke the rules nothing is heard any more; it is to see our close frame before the stream ends.
        self.link.error().is_some() || self.mock.received(self.id, incoming(event))
    }

    fn expelled(&self, why: &Expelled) {
        let Some(member) = &self.member else { return };
        let client = ClientId(member.id().0);
        self.mock.tell(&match why.kind {
            "slow" => Event::TooSlow { client },
            _ => Event::Expelled { client, why },
        });
    }
}

/// After the peer's close frame the end of the stream is no news, however rough it is.
fn end(link: &Link<Command>) -> End {
    match (link.socket.close_frame(), link.error()) {
        (Some(frame), _) => End {
            code: frame.code.as_u16(),
            why: frame.reason.clone(),
        },
        (None, Some(error)) => End {
            code: error.close_code().map_or(1006, CloseCode::as_u16),
            why: error.to_string(),
        },
        (None, None) => End {
            code: 1006,
            why: "the connection ended without a close frame".to_owned(),
        },
    }
}
