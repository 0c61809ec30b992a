//! A talk as a server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use wiretalk_hub::{Hub, Member, Target as HubTarget};
use wiretalk_net::server::{AcceptOptions, Reply, Request, Upgrade};
use wiretalk_net::{CloseCode, Error, Prepared};
use wiretalk_talk::player::{
    Action, ConnectionId, HandshakeAnswer, HttpAnswer, Incoming, Outgoing, Plan, Player,
    Request as PlayerRequest, Setup, Target, Time,
};
use wiretalk_talk::{Bindings, Client};

use super::client::{Command, client};
use super::{Event, Host, Life, Observer, Options, Recipient, Server, extensions};
use crate::SystemWorld;

/// Why a talk cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum MockError {
    /// The talk has several tests and no lines of a server, so somebody must choose.
    #[error(
        "this talk has several tests, and no rules beside them: choose the one to serve with `--test TITLE`; it has {known}"
    )]
    ChooseTest {
        /// The titles that there are.
        known: String,
    },
    /// There is no test of that title.
    #[error("there is no test called `{title}` in this talk; it has {known}")]
    NoSuchTest {
        /// The title that was asked for.
        title: String,
        /// Those that there are.
        known: String,
    },
}

/// A talk being served to any number of clients.
pub struct Mock {
    state: Mutex<State>,
    pub(super) hub: Hub<Command>,
    pub(super) options: Options,
    observer: Arc<dyn Observer>,
    began: Instant,
    /// The player's deadline has changed.
    rescheduled: Notify,
}

struct State {
    player: Player,
    /// Each client's place in the hub.
    places: BTreeMap<ConnectionId, wiretalk_hub::ConnectionId>,
}

impl Mock {
    /// A mock of a talk. `test` is the title of the test that gives the dialogue; without one, the talk's only test
    /// does, unless the talk has rules of a server.
    ///
    /// # Errors
    /// If there is no such test.
    pub fn new(
        plan: &Arc<Plan>,
        test: Option<&str>,
        variables: Bindings,
        options: Options,
        observer: Arc<dyn Observer>,
    ) -> Result<Arc<Self>, MockError> {
        let known = || {
            let titles = plan.tests().map(|test| format!("`{}`", test.title));
            match &titles.collect::<Vec<_>>()[..] {
                [] => "none".to_owned(),
                titles => titles.join(", "),
            }
        };
        let part = match (test, plan.served_by_default()) {
            (Some(title), _) => {
                Some(
                    plan.test_named(title)
                        .ok_or_else(|| MockError::NoSuchTest {
                            title: title.to_owned(),
                            known: known(),
                        })?,
                )
            }
            (None, None) if !plan.serves() => {
                return Err(MockError::ChooseTest { known: known() });
            }
            (None, part) => part,
        };
        let setup = Setup {
            world: Arc::new(SystemWorld),
            variables,
            manner: Default::default(),
        };
        Ok(Arc::new(Self {
            state: Mutex::new(State {
                player: Player::mock(Arc::clone(plan), part, setup),
                places: BTreeMap::new(),
            }),
            hub: Hub::new(),
            options,
            observer,
            began: Instant::now(),
            rescheduled: Notify::new(),
        }))
    }

    /// Serves until `stop` is done; then every client is told that the server goes away (1001).
    pub async fn serve(self: Arc<Self>, server: Server, stop: impl Future<Output = ()>) {
        server.serve(self, stop).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Time {
        self.began.elapsed()
    }

    /// Tells the player something, and does what it wants done.
    fn with_player<T>(&self, tell: impl FnOnce(&mut Player, Time) -> T) -> T {
        self.with_player_of(&mut self.lock(), tell)
    }

    fn with_player_of<T>(&self, state: &mut State, tell: impl FnOnce(&mut Player, Time) -> T) -> T {
        let before = state.player.deadline();
        let told = tell(&mut state.player, self.now());
        self.perform(state);
        if state.player.deadline() != before {
            self.rescheduled.notify_one();
        }
        told
    }

    /// A client is connected: it has its place in the hub, and the player greets it. All of it under one lock, so that
    /// nothing reaches the client before its greeting, and the log and the talk count the same clients.
    fn joined(&self, id: ConnectionId, member: &Member<Command>, announce: impl FnOnce(usize)) {
        let mut state = self.lock();
        state.places.insert(id, member.id());
        announce(state.places.len());
        self.with_player_of(&mut state, |player, now| {
            player.opened(now, id, &Default::default());
        });
    }

    /// Something came from a client.
    pub(super) fn received(&self, id: ConnectionId, what: Incoming) {
        self.observer.event(&Event::Received {
            client: id,
            what: &what,
        });
        self.with_player(|player, now| player.received(now, id, what));
    }

    /// A client is gone; `announce` is told how many are left.
    pub(super) fn left(&self, id: ConnectionId, announce: impl FnOnce(usize)) {
        let mut state = self.lock();
        self.with_player_of(&mut state, |player, now| player.gone(now, id));
        state.places.remove(&id);
        announce(state.places.len());
    }

    /// Does all that the player wants done. Nothing here waits: messages go into the clients' outboxes.
    fn perform(&self, state: &mut State) {
        while let Some(action) = state.player.poll_action() {
            match action {
                Action::Send { to, frame, .. } => self.send(state, to, &frame),
                Action::ReplyClose(id) => {
                    if let Some(place) = state.places.get(&id) {
                        let target = HubTarget::One(*place);
                        self.hub.control(target, &Command::ReplyClose, 0);
                    }
                }
                Action::Unmatched {
                    connection,
                    nearest,
                } => self.observer.event(&Event::Unmatched {
                    client: connection,
                    nearest: nearest.as_ref().map(|(span, why)| (*span, why)),
                }),
                Action::Problem {
                    span,
                    connection,
                    what,
                } => self.observer.event(&Event::Problem {
                    span,
                    client: connection,
                    what: &what,
                }),
                Action::Join { .. }
                | Action::Leave { .. }
                | Action::Identify { .. }
                | Action::Keep { .. } => {}
                // Connections are opened, and tests end, in the other role.
                Action::Connect { .. } | Action::Finished(_) => {}
            }
        }
    }

    /// Upgrades, and closes at once.
    fn refuse_by_close(
        &self,
        upgrade: Upgrade,
        code: u16,
        reason: String,
    ) -> (Reply, Result<Life, String>) {
        let accepted = upgrade.accept(AcceptOptions {
            config: self.options.config(true),
            ..AcceptOptions::default()
        });
        match accepted {
            Ok((reply, socket)) => {
                let life = async move {
                    let Ok(socket) = socket.await else { return };
                    let (sender, mut receiver) = socket.split();
                    // A client that is gone already has its answer.
                    let _ = sender.close(CloseCode::new(code), &reason).await;
                    while let Ok(Some(_)) = receiver.next_event().await {}
                };
                (reply, Ok(Box::pin(life)))
            }
            Err(error) => {
                let why = format!("the refusal cannot be sent: {error}");
                (Reply::text(500, format!("{why}\n")), Err(why))
            }
        }
    }

    fn send(&self, state: &State, to: Target, frame: &Outgoing) {
        let target = match to {
            Target::One(id) => match state.places.get(&id) {
                Some(place) => HubTarget::One(*place),
                None => return,
            },
            Target::All => HubTarget::All,
            Target::Others(id) => match state.places.get(&id) {
                Some(place) => HubTarget::Others(*place),
                None => HubTarget::All,
            },
            Target::Room(_) | Target::User(_) => return,
        };
        let delivery = match frame {
            Outgoing::Text(text) => self.hub.deliver(target, &Prepared::text(text)),
            Outgoing::Binary(bytes) => self.hub.deliver(target, &Prepared::binary(bytes)),
            Outgoing::Ping(bytes) => {
                let command = Command::Ping(bytes.clone());
                self.hub.control(target, &command, bytes.len())
            }
            Outgoing::Pong(bytes) => {
                let command = Command::Pong(bytes.clone());
                self.hub.control(target, &command, bytes.len())
            }
            Outgoing::Close { code, reason } => {
                let command = Command::Close {
                    code: *code,
                    reason: reason.clone(),
                };
                self.hub.control(target, &command, reason.len())
            }
            _ => return,
        };
        let to = match to {
            Target::One(id) => Recipient::One(id),
            Target::All => Recipient::All(delivery.receivers),
            Target::Others(id) => Recipient::Others(id, delivery.receivers),
            Target::Room(_) | Target::User(_) => return,
        };
        self.observer.event(&Event::Sent { to, what: frame });
    }
}

impl Host for Mock {
    fn handshake(
        self: &Arc<Self>,
        request: &Request,
        upgrade: Upgrade,
    ) -> (Reply, Result<Life, String>) {
        let asked = PlayerRequest {
            client: client_of(request),
            subprotocols: upgrade.subprotocols().map(str::to_owned).collect(),
        };
        let (id, subprotocol, headers, compression) =
            match self.with_player(|player, _| player.handshake(&asked)) {
                HandshakeAnswer::Refuse(answer) => {
                    let why = match answer.status {
                        404 => "nothing is served there",
                        _ => "the talk refuses it",
                    };
                    return (reply(&answer), Err(why.to_owned()));
                }
                HandshakeAnswer::Accept {
                    connection,
                    subprotocol,
                    headers,
                    compression,
                } => (connection, subprotocol, headers, compression),
                HandshakeAnswer::RefuseByClose { code, reason } => {
                    return self.refuse_by_close(upgrade, code, reason);
                }
            };
        let accepted = header_map(&headers).and_then(|headers| {
            upgrade.accept(AcceptOptions {
                subprotocol: subprotocol.clone(),
                headers,
                deflate: self.options.deflate.filter(|_| compression != Some(false)),
                config: self.options.config(false),
            })
        });
        match accepted {
            Ok((reply, socket)) => {
                let (member, outbox) = self.hub.join_with(self.options.queue_size);
                self.joined(id, &member, |clients| {
                    self.observer.event(&Event::Connected {
                        client: id,
                        peer: request.peer_addr,
                        target: &request.uri.to_string(),
                        subprotocol: subprotocol.as_deref(),
                        extensions: extensions(&reply).as_deref(),
                        clients,
                    });
                });
                let life = client(Arc::clone(self), id, (member, outbox), socket);
                (reply, Ok(Box::pin(life)))
            }
            Err(error) => {
                self.left(id, |_| {});
                let why = format!("the talk's answer cannot be sent: {error}");
                (Reply::text(500, format!("{why}\n")), Err(why))
            }
        }
    }

    fn plain(self: &Arc<Self>, request: &Request) -> Option<Reply> {
        let asked = PlayerRequest {
            client: client_of(request),
            subprotocols: Vec::new(),
        };
        let method = request.method.as_str();
        let answer = self.with_player(|player, _| player.plain_request(method, &asked))?;
        Some(reply(&answer))
    }

    fn observer(&self) -> &dyn Observer {
        self.observer.as_ref()
    }

    fn stop(&self) {
        let command = Command::Close {
            code: Some(1001),
            reason: "the server stops".into(),
        };
        self.hub.control(HubTarget::All, &command, 0);
    }

    /// Wakes the player when it wants to be woken.
    async fn background(self: Arc<Self>) {
        loop {
            let deadline = self.lock().player.deadline();
            let deadline = deadline.map(|time| self.began + time);
            tokio::select! {
                () = self.rescheduled.notified() => {}
                () = sleep_until(deadline.unwrap_or(self.began)), if deadline.is_some() => {
                    self.with_player(Player::tick);
                }
            }
        }
    }
}

/// A request in the words of the player.
fn client_of(request: &Request) -> Client {
    let query = request.uri.query().unwrap_or_default();
    Client {
        ip: request.peer_addr.ip().to_string(),
        path: request.uri.path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        headers: request
            .headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect(),
        ..Client::default()
    }
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, Error> {
    // A reply checks names and values, and says what is wrong with them.
    let mut checked = Reply::new(101);
    for (name, value) in headers {
        checked = checked.header(name, value)?;
    }
    Ok(std::mem::take(checked.headers_mut()))
}

fn reply(answer: &HttpAnswer) -> Reply {
    let mut made = Reply::new(answer.status).body(answer.body.clone());
    for (name, value) in &answer.headers {
        match made.header(name, value) {
            Ok(next) => made = next,
            Err(error) => {
                return Reply::text(500, format!("the talk's answer cannot be sent: {error}\n"));
            }
        }
    }
    made
}
