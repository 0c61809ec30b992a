//! What is found at one address: a talk, or several, each at a path of its own.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use wiretalk_hub::{ConnectionId, Target};
use wiretalk_net::server::{Reply, Request, Upgrade};
use wiretalk_talk::player::HandshakeAnswer;

use super::admission::Entry;
use super::mock::handshake::Answered;
use super::mock::{Mock, Place};
use super::operation::{Operation, Refused, Stop};
use super::{Host, Observer, Server};

/// How long what is bound for other nodes may take to go to their broker when the server stops.
const PARTING: Duration = Duration::from_secs(2);

/// Mocks behind one address.
pub struct Site {
    /// One at least.
    mocks: Vec<Arc<Mock>>,
}

/// Why mocks cannot share an address.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// Two of them are found at the same path.
    #[error(
        "`{first}` and `{second}` are both found at `{path}`: give one of them another path with `listen`"
    )]
    SamePath {
        /// The path.
        path: String,
        /// The talk that came first.
        first: String,
        /// The other one.
        second: String,
    },
    /// There are none.
    #[error("there is no talk to serve")]
    Empty,
}

impl Site {
    /// One mock, at its address alone.
    #[must_use]
    pub fn alone(mock: Arc<Mock>) -> Arc<Self> {
        Arc::new(Self { mocks: vec![mock] })
    }

    /// Mocks that share an address.
    ///
    /// # Errors
    /// If two are found at the same path, or there are none.
    pub fn new(mocks: Vec<Arc<Mock>>) -> Result<Arc<Self>, SiteError> {
        if mocks.is_empty() {
            return Err(SiteError::Empty);
        }
        for (at, mock) in mocks.iter().enumerate() {
            let same = |other: &&Arc<Mock>| other.path() == mock.path();
            if let Some(first) = mocks[..at].iter().find(same) {
                return Err(SiteError::SamePath {
                    path: mock.path().to_owned(),
                    first: first.name(),
                    second: mock.name(),
                });
            }
        }
        Ok(Arc::new(Self { mocks }))
    }

    /// Serves until `stop` is done; then the clients are let go as that says: `()` is [`Stop::Now`].
    ///
    /// Dropping this future ends all connections at once, without a close frame.
    pub async fn serve<S: Into<Stop>>(
        self: Arc<Self>,
        server: Server,
        stop: impl Future<Output = S>,
    ) {
        let mocks = self.mocks.clone();
        server.serve(self, stop).await;
        for mock in mocks {
            mock.part(PARTING).await;
        }
    }

    /// The mocks to ask about a path, in this order: the one that is found there, then those whose rules may name it.
    fn candidates(&self, path: &str) -> Vec<&Arc<Mock>> {
        let (mut here, others): (Vec<_>, Vec<_>) =
            self.mocks.iter().partition(|mock| mock.path() == path);
        let others = others.into_iter();
        here.extend(others.filter(|mock| !matches!(mock.place(), Place::Given(_))));
        here
    }
}

impl Host for Site {
    fn handshake(self: &Arc<Self>, request: &Request, upgrade: Upgrade, entry: Entry) -> Answered {
        let mut refused = None;
        for mock in self.candidates(request.uri.path()) {
            let answer = mock.ask(request, &upgrade, &entry);
            let not_here = match &answer {
                HandshakeAnswer::Refuse(answer) => answer.status == 404,
                HandshakeAnswer::RefuseByClose { code, .. } => *code == 4404,
                HandshakeAnswer::Accept { .. } => false,
            };
            if !not_here {
                return mock.answer(request, upgrade, entry, answer);
            }
            refused.get_or_insert((mock, answer));
        }
        match refused {
            Some((mock, answer)) => mock.answer(request, upgrade, entry, answer),
            None => {
                let paths: Vec<_> = self.mocks.iter().map(|mock| mock.path()).collect();
                let text = format!(
                    "nothing is served at this path; there is {}\n",
                    paths.join(", ")
                );
                (
                    Reply::text(404, text),
                    Err(Refused::new("path", "nothing is served there")),
                )
            }
        }
    }

    fn plain(self: &Arc<Self>, request: &Request) -> Option<Reply> {
        // A plain request is answered by a rule that names its path, so every talk may be asked.
        let path = request.uri.path();
        let here = self.mocks.iter().filter(|mock| mock.path() == path);
        let others = self.mocks.iter().filter(|mock| mock.path() != path);
        here.chain(others).find_map(|mock| mock.plain(request))
    }

    fn observer(&self) -> &dyn Observer {
        self.mocks[0].observer()
    }

    fn operation(&self) -> &Operation {
        self.mocks[0].operation()
    }

    fn ids(&self) -> Vec<ConnectionId> {
        self.mocks.iter().flat_map(|mock| mock.ids()).collect()
    }

    fn send_away(&self, whom: Target<'_>, code: u16, why: &str) {
        // No id is used by two of them.
        for mock in &self.mocks {
            mock.send_away(whom, code, why);
        }
    }

    async fn background(self: Arc<Self>) {
        // Not as tasks: those end some time after whoever waits for this has gone on.
        let clocks = self.mocks.iter().map(|mock| Arc::clone(mock).clock());
        let mut clocks: Vec<_> = clocks.map(Box::pin).collect();
        poll_fn(|cx| {
            for clock in &mut clocks {
                // None of them ends.
                let _ = clock.as_mut().poll(cx);
            }
            Poll::<()>::Pending
        })
        .await;
    }
}
