//! One client of a mock, from the upgrade to its end.

use std::sync::Arc;
use std::time::Instant;

use wiretalk_hub::Member;
use wiretalk_net::{CloseCode, Event as NetEvent};
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
}

impl Newcomer {
    /// It did not stay for the answer.
    pub(super) fn lost(self, why: String) {
        self.leave(&End { code: 1006, why });
    }

    /// Hands what comes to the talk, and does what the talk wants done, until nothing more can come.
    ///
    /// A client that is silent holds nothing but this future: what is not needed while it waits is not in it.
    pub(super) async fn serve(self, mut link: Link<Command>) {
        while let Some(news) = link.next().await {
            match news {
                News::Event(event) => {
                    if !self.received(&link, event) {
                        // In a place of its own: few clients ever come to it.
                        Box::pin(self.pause(&mut link)).await;
                    }
                }
                News::Expelled(why) => {
                    let client = ClientId(self.member.id().0);
                    self.mock.tell(&match why.kind {
                        "slow" => Event::TooSlow { client },
                        _ => Event::Expelled { client, why: &why },
                    });
                }
            }
        }
        self.leave(&end(&link));
    }

    /// Whether more is to be read.
    fn received(&self, link: &Link<Command>, event: NetEvent) -> bool {
        // Of a client that broke the rules nothing is heard any more; it is to see our close frame before the stream ends.
        link.error().is_some() || self.mock.received(self.id, incoming(event))
    }

    /// Only writes, until the talk has worked off what lies there: TCP makes the client wait.
    async fn pause(&self, link: &mut Link<Command>) {
        tokio::select! {
            () = link.write() => {}
            () = self.mock.has_space(self.id) => {}
        }
    }

    fn leave(self, end: &End) {
        let Self {
            mock,
            id,
            member,
            came,
        } = self;
        mock.left(id, member, end, came.elapsed());
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
